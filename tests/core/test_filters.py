"""Which channels are grouped, what F_i is, and which groups are refused by name."""

import copy

import pytest
import torch
from torch import nn

from catalyst_core.errors import ConfigError, ExampleInputError
from catalyst_core.filters import find_groups

OUTPUTS = "these are the network's outputs"


def left_out(groups):
    """What is skipped beside the network's outputs."""
    return {name: reason for name, reason in groups.skipped.items() if reason != OUTPUTS}


def names_of(model, parameters):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(parameter)] for parameter in parameters}


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("cnn", [32, 64, 64]),
        ("vgg_small", [32, 32, 64, 64, 128, 128]),
        ("resnet20", [16] * 4 + [32] * 4 + [64] * 4),
        ("depthwise", [6, 12]),
        ("dense", [5, 4, 3]),
        ("gated", [8, 3]),
        ("flatten", [6, 5, 7]),
        ("mlp", [12, 6]),
    ],
)
def test_groups(make_network, images, name, sizes):
    groups = find_groups(make_network(name), images)
    assert [group.size for group in groups] == sizes
    assert list(groups.skipped.values()) == [OUTPUTS]
    assert len({group.name for group in groups}) == len(groups)


def test_a_residual_stream_is_one_group_of_all_that_is_added_into_it(make_network, images):
    model = make_network("resnet20")
    groups = {group.name: group for group in find_groups(model, images)}
    assert names_of(model, groups["conv"].parameters()) == {
        f"{norm}.{kind}" for norm in ("bn", "block1_1.bn2", "block1_2.bn2", "block1_3.bn2") for kind in ("weight", "bias")
    }
    squares = sum(
        model.get_submodule(norm).weight ** 2 + model.get_submodule(norm).bias ** 2
        for norm in ("block2_1.bn2", "block2_1.shortcut.1", "block2_2.bn2", "block2_3.bn2")
    )
    torch.testing.assert_close(groups["block2_1.conv2"].magnitudes(), squares.detach().sqrt())


def test_a_depthwise_channel_is_cut_before_and_behind(make_network, images):
    model = make_network("depthwise")
    expanded = find_groups(model, images)[1]
    assert names_of(model, expanded.parameters()) == {
        "expand.1.weight",
        "expand.1.bias",
        "depthwise.1.weight",
        "depthwise.1.bias",
    }


def test_in_front_of_the_readers_where_batchnorm_comes_first(make_network, images):
    model = make_network("dense")
    stem, first, second = find_groups(model, images)
    assert names_of(model, stem.parameters()) == {f"bn{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")}
    assert names_of(model, second.parameters()) == {"bn3.weight", "bn3.bias"}
    expected = (model.bn2.weight**2 + model.bn2.bias**2)[5:9] + (model.bn3.weight**2 + model.bn3.bias**2)[5:9]
    torch.testing.assert_close(first.magnitudes(), expected.detach().sqrt())


def test_a_gate_need_not_vanish(make_network, images):
    model = make_network("gated")
    assert names_of(model, find_groups(model, images)[0].parameters()) == {"bn.weight", "bn.bias"}


def test_magnitudes_without_batchnorm_are_of_weights_and_bias(make_network, images):
    model = make_network("flatten")
    group = find_groups(model, images)[1]
    expected = torch.cat([model.conv2.weight.flatten(1), model.conv2.bias[:, None]], 1).norm(dim=1).detach()
    torch.testing.assert_close(group.magnitudes(), expected)


def test_folded_magnitudes_are_those_of_the_folded_convolution(make_network, images):
    model = make_network("cnn")
    group = find_groups(model, images, magnitude="folded")[1]
    folded = torch.nn.utils.fuse_conv_bn_eval(model.conv2, model.bn2)
    expected = torch.cat([folded.weight.flatten(1), folded.bias[:, None]], 1).norm(dim=1).detach()
    torch.testing.assert_close(group.magnitudes(), expected)
    group.scale_(torch.full((64,), 0.5))
    torch.testing.assert_close(group.magnitudes(), expected / 2)
    assert names_of(model, group.parameters()) == {"bn2.weight", "bn2.bias", "conv2.weight"}


def test_weight_magnitudes_ignore_the_batchnorm(make_network, images):
    model = make_network("cnn")
    group = find_groups(model, images, magnitude="weight")[0]
    torch.testing.assert_close(group.magnitudes(), model.conv1.weight.detach().flatten(1).norm(dim=1))


@pytest.mark.parametrize("magnitude", ["folded", "weight"])
def test_other_magnitudes_need_one_layer_in_front_of_each_batchnorm(make_network, images, magnitude):
    groups = find_groups(make_network("dense"), images, magnitude=magnitude)
    assert set(left_out(groups)) == {"stem", "conv1", "conv2"} - {group.name for group in groups}
    assert "conv1" in groups.skipped
    assert "one layer in front" in groups.skipped["conv1"]


def test_scaling_scales_every_magnitude(network, images):
    for group in find_groups(network, images):
        before = group.magnitudes()
        factors = torch.linspace(0, 2, group.size)
        group.scale_(factors)
        torch.testing.assert_close(group.magnitudes(), before * factors)


def test_the_network_is_left_as_it_was(make_network, images):
    model = make_network("resnet20").train()
    model.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        assert len(find_groups(model, images)) == 12
    assert model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_one_image_is_enough(make_network, images):
    assert len(find_groups(make_network("cnn"), images[:1])) == 3


def test_ignored_layers(make_network, images):
    model = make_network("cnn")
    groups = find_groups(model, images, ignored_layers=[model.conv2, "conv3"])
    assert [group.name for group in groups] == ["conv1"]


class Viewing(nn.Module):
    """Its own code counts on 6 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.classifier = nn.Conv2d(3, 6, 8), nn.Linear(6, 4)

    def forward(self, x):
        return self.classifier(self.conv(x).relu().view(len(x), 6))


REFUSED = {
    "an activation that does not map 0 to 0": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Sigmoid(), nn.Conv2d(6, 4, 6), nn.Flatten()),
        "Sigmoid maps 0 to 0.5",
    ),
    "a norm that mixes channels": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.LayerNorm(6), nn.Linear(6, 4)),
        "mixes channels",
    ),
    "group norm": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), nn.Conv2d(6, 4, 6), nn.Flatten()),
        "mixes channels",
    ),
    "batchnorm without affine parameters": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, affine=False), nn.Conv2d(6, 4, 6), nn.Flatten()),
        "no scale and shift",
    ),
    "an operation that takes channels together": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Softmax(1), nn.Conv2d(6, 4, 6), nn.Flatten()),
        "Softmax mixes channels",
    ),
    "a weight that is computed": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.utils.parametrizations.weight_norm(nn.Conv2d(6, 4, 6)), nn.Flatten()),
        "weight",  # that is computed reads the channels of the one, and makes those of the other
    ),
    "code that counts channels": (Viewing, "does not run with fewer channels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case, images):
    build, reason = REFUSED[case]
    groups = find_groups(build(), images)
    assert groups == []
    assert left_out(groups)
    assert all(reason in text for text in left_out(groups).values())


def test_a_good_group_beside_a_refused_one_stays(images):
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.Sigmoid(),
        nn.Conv2d(6, 5, 3),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.Conv2d(5, 4, 4),
        nn.Flatten(),
    )
    groups = find_groups(model, images)
    assert [group.name for group in groups] == ["3"]
    assert set(left_out(groups)) == {"0"}


def test_bad_input(make_network, images):
    with pytest.raises(ConfigError, match="magnitude must be one of"):
        find_groups(make_network("cnn"), images, magnitude="size")
    with pytest.raises(ExampleInputError, match=r"does not run on example inputs of shape \(1, 5, 8, 8\).*but got 5 channels"):
        find_groups(make_network("cnn"), torch.zeros(1, 5, 8, 8))
    with pytest.raises(ConfigError, match="'conv9' is not a layer"):
        find_groups(make_network("cnn"), images, ignored_layers=["conv9"])
