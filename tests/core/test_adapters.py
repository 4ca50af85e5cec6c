"""Structured Pruning Adapters: what they compute, what they train, and that nothing is lost when they are fused."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import efficientnet_b0, vit_b_16

from catalyst_core.adapters import ADAPTERS, fused, trained_parameters, with_adapters
from catalyst_core.decisions import Decisions
from catalyst_core.errors import ConfigError, NetworkError
from catalyst_core.filters import find_groups
from catalyst_core.models import build_model
from catalyst_core.surgery import remove_filters

KINDS = ("splora", "sppara")


def pruned(name="cnn", size=8):
    """Half of the channels of a fresh network, and images for it."""
    images = torch.randn(4, 1, size, size, generator=torch.Generator().manual_seed(1))
    model = build_model(name, 1, size, 10, seed=0)
    kept = {group.name: torch.arange(group.size) % 2 == 0 for group in find_groups(model, images[:1])}
    return remove_filters(model, images[:1], Decisions(kept)), images


def moved(model, scale=0.3):
    """The same model with adapters that are far from where they began."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".adapter" in name:
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_((scale * noise).to(parameter))
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["cnn", "vgg_small", "resnet20"])
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.float64, 1e-10)])
def test_fused_layers_are_plain_and_compute_the_same(name, kind, dtype, most):
    small, images = pruned(name)
    adapted = moved(with_adapters(small.to(dtype), kind=kind)).eval()
    plain = fused(adapted)
    assert [type(one) for one in plain.modules()] == [type(one) for one in small.modules()]
    assert plain.state_dict().keys() == small.state_dict().keys()
    with torch.no_grad():
        before, after, never = (model.eval()(images.to(dtype)) for model in (adapted, plain, small))
    assert float((before - after).abs().max()) <= most * max(1.0, float(before.abs().max()))
    assert float((after - never).abs().max()) > 1e-2 * float(never.abs().max())  # the adapters do something


def test_a_convolution_adds_its_low_rank_matrix_at_the_middle_of_the_kernel():
    layer = nn.Conv2d(6, 4, 3, padding=1, stride=2, groups=2, dtype=torch.float64)
    adapted = moved(with_adapters(nn.Sequential(layer), rank=2))
    columns, rows = adapted[0].adapter.cols[0], adapted[0].adapter.rows[0]
    assert (columns.shape, rows.shape) == ((4, 2), (2, 3))
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64)
    expected = layer(x) + functional.conv2d(x, (columns @ rows)[:, :, None, None], stride=2, groups=2)  # a 1 x 1 beside it
    torch.testing.assert_close(adapted(x), expected, rtol=0, atol=1e-12)
    residual = moved(with_adapters(nn.Sequential(layer), kind="sppara"))
    expected = layer(x) + functional.conv2d(x, residual[0].adapter[:, :, None, None], stride=2, groups=2)
    torch.testing.assert_close(residual(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_a_linear_layer_adds_its_low_rank_matrix(training):
    layer = nn.Linear(5, 3, dtype=torch.float64)
    adapted = moved(with_adapters(nn.Sequential(layer), rank=2)).train(training)
    x = torch.randn(4, 5, dtype=torch.float64)
    expected = layer(x) + x @ (adapted[0].adapter.cols[0] @ adapted[0].adapter.rows[0]).T
    torch.testing.assert_close(adapted(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_only_adapters_biases_and_normalisations_are_trained(kind):
    small, images = pruned()
    adapted = with_adapters(small, kind=kind).train()
    before = copy.deepcopy(adapted.state_dict())
    optimizer = torch.optim.SGD([one for one in adapted.parameters() if one.requires_grad], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        functional.cross_entropy(adapted(images), torch.arange(4)).backward()
        optimizer.step()
    changed = {name for name, value in adapted.state_dict().items() if not torch.equal(value, before[name])}
    frozen = {name for name in before if name.startswith("conv") and name.endswith(".weight")}
    frozen |= {"classifier.weight"} if kind == "splora" else set()  # sppara has no adapter for it, and trains it
    assert changed == before.keys() - frozen


def test_trained_parameters_are_counted_as_the_formula_says():
    small, _ = pruned()  # widths 16, 32, 32
    norms, biases = 2 * (16 + 32 + 32), 10
    rank = [min(4, 1), 4, 4, 4]
    matrices = rank[0] * (16 + 1) + rank[1] * (32 + 16) + rank[2] * (32 + 32) + rank[3] * (10 + 32)
    assert trained_parameters(with_adapters(small, rank=4)) == norms + biases + matrices
    residual = 16 * 1 + 32 * 16 + 32 * 32 + 10 * 32
    assert trained_parameters(with_adapters(small, kind="sppara")) == norms + biases + residual
    whole = sum(parameter.numel() for parameter in small.parameters())
    assert trained_parameters(small) == whole == trained_parameters(fused(with_adapters(small)))


def test_it_begins_close_to_the_network_that_it_adapts_and_leaves_that_alone():
    small, images = pruned()
    kept = copy.deepcopy(small.state_dict())
    adapted = with_adapters(small).eval()
    with torch.no_grad():
        assert 0 < float((adapted(images) - small.eval()(images)).abs().max()) < 1e-2
    assert all(torch.equal(value, kept[name]) for name, value in small.state_dict().items())
    assert all(parameter.requires_grad for parameter in small.parameters())


def test_the_same_seed_gives_the_same_adapters_and_the_global_random_state_stays():
    small, _ = pruned()
    state = torch.random.get_rng_state()
    one, same, other = (with_adapters(small, seed=seed).state_dict() for seed in (3, 3, 4))
    fused(with_adapters(small))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not torch.equal(one["conv2.adapter.rows"], other["conv2.adapter.rows"])


def test_layout_and_mode_are_kept():
    small, _ = pruned("vgg_small")
    small = small.to(memory_format=torch.channels_last).eval()
    for model in (adapted := with_adapters(small), fused(adapted)):
        assert model.conv2_1.weight.is_contiguous(memory_format=torch.channels_last)
        assert not model.conv2_1.training


class Doubled(nn.Conv2d):
    """A convolution with a forward pass of its own."""

    def forward(self, x):
        return 2 * super().forward(x)


class Shared(nn.Module):
    """One layer in two places."""

    def __init__(self):
        super().__init__()
        self.one = self.other = nn.Linear(4, 4)

    def forward(self, x):
        return self.other(self.one(x))


def test_what_it_cannot_adapt_is_frozen_and_a_layer_in_two_places_is_one():
    odd = nn.Sequential(nn.Conv2d(1, 2, (1, 3)), nn.Conv2d(2, 2, 2), Doubled(2, 2, 1), nn.Conv2d(2, 2, 1))
    adapted = with_adapters(odd, rank=1)
    assert [isinstance(layer, ADAPTERS) for layer in adapted] == [False, False, False, True]
    assert not any(layer.weight.requires_grad for layer in adapted)
    twice = with_adapters(Shared())
    assert twice.one is twice.other
    assert isinstance(twice.one, ADAPTERS)
    plain = fused(twice)
    assert plain.one is plain.other


@pytest.mark.parametrize("build", [efficientnet_b0, vit_b_16])
def test_networks_of_torchvision_come_back_as_they_were(build):
    """Depthwise convolutions; attention, whose weights are left alone."""
    model = build(num_classes=3).double()
    size = 224 if build is vit_b_16 else 32
    x = torch.randn(1, 3, size, size, dtype=torch.float64)
    adapted = moved(with_adapters(model, rank=2), scale=0.05).eval()
    plain = fused(adapted)
    assert [type(one) for one in plain.modules()] == [type(one) for one in model.modules()]
    with torch.no_grad():
        torch.testing.assert_close(plain(x), adapted(x), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"rank": 0}, ConfigError, "rank must be a whole number of at least 1, not 0"),
        ({"rank": 0.5}, ConfigError, "rank must be a whole number"),
        ({"kind": "lora"}, ConfigError, "kind must be one of splora, sppara, not 'lora'"),
    ],
)
def test_a_wrong_setting_is_one_sentence(given, error, said):
    with pytest.raises(error, match=said):
        with_adapters(nn.Sequential(nn.Linear(2, 2)), **given)


def test_a_network_without_a_layer_to_adapt_is_refused():
    with pytest.raises(NetworkError, match="no linear layer and no convolution with a middle"):
        with_adapters(nn.Sequential(nn.Conv2d(1, 1, 2), nn.ReLU()))
