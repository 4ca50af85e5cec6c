"""Torch-Pruning's pruners as contenders do what they do by themselves, and cut exactly the budget."""

import copy

import pytest
import torch
import torch_pruning
from torch import nn
from torch.nn.functional import cross_entropy

from catalyst_core.catalog import METHODS
from catalyst_core.config import RaceConfig
from catalyst_core.decisions import budget
from catalyst_core.errors import ConfigError, NetworkError, NoGroupsError
from catalyst_core.filters import find_groups
from catalyst_core.models import build_model
from catalyst_core.peers import Network, build_peer
from catalyst_core.regularizers import build_regularizer
from catalyst_core.surgery import remove_filters

PEERS = [name for name, method in METHODS.items() if method.is_peer]
REG, DELTA = 0.02, 0.004  # strength, and the fifth of it that the growing one grows by
L2 = torch_pruning.importance.GroupMagnitudeImportance
PRUNERS = {  # of the authors' script, typed again
    "tp_group_norm": (torch_pruning.pruner.GroupNormPruner, L2(p=2, normalizer="max"), {"reg": REG}),
    "tp_bn_scale": (torch_pruning.pruner.BNScalePruner, torch_pruning.importance.BNScaleImportance(), {"reg": REG}),
    "tp_growing_reg": (torch_pruning.pruner.GrowingRegPruner, L2(p=2), {"reg": REG, "delta_reg": DELTA}),
    "tp_magnitude": (torch_pruning.pruner.MagnitudePruner, L2(p=2), {}),
}


def peer_of(name, model, images, per_epoch=1, **settings):
    strength = {} if METHODS[name].strength is None else {"strength": REG}
    network = Network(model, images[:1], per_epoch)
    return build_peer(name, find_groups(model, images), network, solver="subgradient", **strength, **settings)


def pruner_of(name, model, images, ratios=None):
    """Torch-Pruning alone: `ratios` by layer."""
    kind, importance, options = PRUNERS[name]
    classifier = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1:]
    return kind(model, images[:1], importance=importance, pruning_ratio_dict=ratios, ignored_layers=classifier, **options)


def ratios_of(model, peer):
    """Of every BatchNorm, so that exactly as many of its channels go."""
    targets = zip(peer.groups, peer.targets, strict=True)
    named = {part.name.rpartition(".")[0]: (group.size, gone) for group, gone in targets for part in group.cut}
    return {model.get_submodule(layer): max(gone - 0.5, 0) / size for layer, (size, gone) in named.items()}


def train_a_little(model, images):
    """One backward pass: running statistics move, gradients are there."""
    model.train().zero_grad()
    cross_entropy(model(images), torch.tensor([0, 1])).backward()


def twin_of(model):
    """A copy with the same gradients."""
    twin = copy.deepcopy(model)
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        other.grad = one.grad.clone()
    return twin


def gradients(model):
    return [parameter.grad.clone() for parameter in model.parameters()]


def equal(some, others):
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("architecture", ["cnn", "resnet20"])
def test_a_peer_cuts_exactly_the_budget(name, architecture, make_network, images):
    model = make_network(architecture)
    peer, magnitude = peer_of(name, model, images), build_regularizer("none", find_groups(model, images))
    for ratio in (0.3, 0.5, 0.7, 0.85):
        for unit in ("pruning_ratio", "macs_ratio"):
            setattr(peer, unit, ratio)
            setattr(magnitude, unit, ratio)
            decisions = peer.decisions()
            gone = [int((~mask).sum()) for mask in decisions.kept.values()]
            assert gone == peer.targets == magnitude.targets
            if unit == "pruning_ratio":
                assert gone == [budget(group.size, ratio) for group in peer.groups]
            assert torch.cat(list(decisions.kept.values())).tolist() == peer.measure().kept.tolist()


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("architecture", ["cnn", "resnet20"])
@pytest.mark.parametrize("unit", ["pruning_ratio", "macs_ratio"])
def test_our_surgery_makes_the_network_that_the_peer_would_have_made(name, architecture, unit, make_network, images):
    model, images = make_network(architecture).double(), images.double()
    peer = peer_of(name, model, images, **{unit: 0.7})
    theirs = copy.deepcopy(model)
    pruner_of(name, theirs, images, ratios_of(theirs, peer)).step()
    ours = remove_filters(model, images, peer.decisions())
    counts = [sum(one.numel() for one in network.parameters()) for network in (ours, theirs, model)]
    assert counts[0] == counts[1] < counts[2]
    with torch.no_grad():
        assert (ours(images) - theirs(images)).abs().max() <= 1e-10
        assert (ours(images) - model(images)).abs().max() > 1e-3


@pytest.mark.parametrize("name", PEERS)
def test_what_is_added_to_the_gradients_is_the_pruners_own(name, make_network, images):
    model = make_network("resnet20")
    train_a_little(model, images)
    twin = twin_of(model)
    peer, pruner = peer_of(name, model, images, per_epoch=2), pruner_of(name, twin, images)
    pruner.update_regularizer()
    before, penalised = gradients(model), METHODS[name].strength is not None
    for step in range(5):
        peer.add_gradients()
        if penalised:
            pruner.regularize(twin)
        assert equal(gradients(model), gradients(twin))
        peer.step(0.1)
        if name == "tp_growing_reg" and step % 2:
            pruner.update_reg()
    assert equal(gradients(model), before) is not penalised


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("training", [True, False])
def test_a_peer_leaves_the_network_alone_while_it_is_built_and_asked(name, training, make_network, images):
    model = make_network("resnet20")
    train_a_little(model, images)
    model.train(training)
    before = {key: value.clone() for key, value in model.state_dict().items()}, gradients(model)
    peer = peer_of(name, model, images)
    peer.measure()
    peer.decisions()
    peer.pruning_ratio = 0.7
    peer.settle()
    peer.step(0.1)
    assert equal(model.state_dict().values(), before[0].values())
    assert equal(gradients(model), before[1])
    assert {module.training for module in model.modules()} == {training}
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_what_has_grown_goes_on_identically_from_its_state(make_network, images, tmp_path):
    model = make_network("cnn")
    train_a_little(model, images)
    twin = twin_of(model)
    peer = peer_of("tp_growing_reg", model, images, per_epoch=2)
    for _ in range(5):
        peer.step(0.1)
    torch.save(peer.state_dict(), tmp_path / "state.pt")
    other, fresh = (peer_of("tp_growing_reg", one, images, per_epoch=2) for one in (twin, twin_of(model)))
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for one in (peer, other, fresh):
        one.step(0.1)
        one.add_gradients()
    assert peer.steps == other.steps == 6
    assert equal(gradients(model), gradients(twin))
    assert not equal(gradients(model), gradients(fresh._network.model))


@pytest.mark.parametrize("classes", [32, 64])
def test_a_hidden_layer_as_wide_as_there_are_classes_takes_part(classes):
    model, images = build_model("cnn", channels=1, size=8, classes=classes, seed=0), torch.ones(1, 1, 8, 8)
    peer = peer_of("tp_magnitude", model, images, pruning_ratio=0.5)
    assert peer.decisions().widths == {"conv1": (32, 16), "conv2": (64, 32), "conv3": (64, 32)}


def test_a_group_that_the_peer_knows_nothing_about_is_named(make_network, images):
    with pytest.raises(NetworkError, match=r"Torch-Pruning 1.6.1 gives no importance .* group 'conv1'"):
        peer_of("tp_bn_scale", make_network("flatten"), images)


@pytest.mark.parametrize("name", PEERS)
def test_channels_that_were_left_out_stay_though_the_peer_would_cut_them(name, images):
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Sigmoid(), nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    assert peer_of(name, model, images, pruning_ratio=0.5).decisions().widths == {"3": (8, 4)}


def test_a_network_without_groups_is_refused_as_for_our_methods(images):
    model = nn.Sequential(nn.Conv2d(3, 1, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 4))
    with pytest.raises(NoGroupsError, match=r"no group of channels .*0: it is one unit"):
        peer_of("tp_magnitude", model, images)


def test_a_network_that_the_peer_fails_on_is_told_with_the_layer(images):
    normed = nn.utils.parametrizations.weight_norm
    layers = [normed(nn.Conv2d(3, 6, 3)), nn.LayerNorm([6, 6, 6]), nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.ReLU()]
    peer = peer_of("tp_magnitude", nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)), images)
    with pytest.raises(NetworkError, match=r"Torch-Pruning 1\.6\.1 cannot take this network: the weight of layer '0' is"):
        peer.decisions()


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize(
    ("setting", "value"),
    [("solver", "proximal"), ("canonicalize", True), ("magnitude", "folded"), ("allocation", "global")],
)
def test_what_their_code_decides_cannot_be_set(name, setting, value):
    with pytest.raises(ConfigError) as caught:
        RaceConfig.build(methods=[{"name": name, setting: value}])
    assert f"{setting} of {name} is " in str(caught.value)
    assert str(caught.value).endswith("its regularizer and cut are Torch-Pruning 1.6.1's")
    assert RaceConfig.build(methods=[{"name": name}]).methods[0].solver == "subgradient"


def test_a_peer_has_a_strength_where_theirs_has_a_coefficient():
    assert RaceConfig.build(methods=[{"name": "tp_group_norm", "strength": 0.01}]).methods[0].label == "tp_group_norm 0.01"
    with pytest.raises(ConfigError, match="tp_magnitude has no strength"):
        RaceConfig.build(methods=[{"name": "tp_magnitude", "strength": 0.01}])
