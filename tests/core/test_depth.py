"""Depth pruning: where networks can be cut, that what is left computes the same features, and that it meets the budget."""

import copy

import pytest
import torch
from torch import nn
from torchvision import models as torchvision_models

from catalyst_core import cost
from catalyst_core.depth import HEAD, Chain, DepthCut, blocks, freeze_blocks, shortened
from catalyst_core.errors import BudgetError, ConfigError, ExampleInputError, NetworkError, NoGroupsError
from catalyst_core.filters import find_groups
from catalyst_core.models import build_model
from catalyst_core.peers import Network
from catalyst_core.regularizers import Settings, build_regularizer

IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
COLOUR = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
STAGES = tuple(f"block{stage}_{block}" for stage in (1, 2, 3) for block in (1, 2, 3))


def built(name):
    return build_model(name, 1, 8, 10, seed=0).eval()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnn", ("conv1", "conv2", "conv3")),
        ("vgg_small", ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2")),
        ("resnet20", ("conv", *STAGES)),
    ],
)
def test_blocks_of_our_networks(name, expected):
    assert blocks(built(name), IMAGES) == expected


@pytest.mark.parametrize(
    ("name", "first", "count"),
    [
        ("resnet18", ("conv1", "layer1.0", "layer1.1", "layer2.0"), 9),
        ("resnet50", ("conv1", "layer1.0", "layer1.1", "layer1.2"), 17),
        ("vgg11_bn", ("features.0", "features.4", "features.8"), 8),
        ("mobilenet_v2", ("features.0.0", "features.1", "features.2"), 19),
        ("densenet121", ("features.conv0", "features.denseblock1", "features.transition1.conv"), 8),
        ("convnext_tiny", ("features.0.0", "features.1.0", "features.1.1"), 22),
    ],
)
def test_blocks_of_torchvisions_networks(name, first, count):
    found = blocks(torchvision_models.get_model(name, num_classes=4), COLOUR[:1])
    assert found[: len(first)] == first
    assert len(found) == count


def given_to(model, x, name):
    """The features that the module `name` is given inside of the whole network."""
    seen = []
    hook = model.get_submodule(name).register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()))
    with torch.no_grad():
        model.eval()(x)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("name", ["cnn", "vgg_small", "resnet20", "resnet18", "mobilenet_v2", "densenet121"])
def test_what_is_left_is_the_head_on_the_features_that_the_next_block_was_given(name):
    ours = name in ("cnn", "vgg_small", "resnet20")
    model = built(name) if ours else torchvision_models.get_model(name, num_classes=4)
    x = IMAGES if ours else COLOUR
    chain = Chain(model, x[:1])
    for after, following in enumerate(chain.blocks[1:], start=1):
        short = chain.shortened(after, seed=5).eval()
        z, head = given_to(model, x, following), short.get_submodule(f"{HEAD}.linear")
        assert head.weight.shape == (10 if ours else 4, z.shape[1])
        with torch.no_grad():
            torch.testing.assert_close(short(x), z.mean((2, 3)) @ head.weight.T + head.bias, rtol=1e-5, atol=1e-6)


def test_modules_keep_their_names_weights_and_modes_and_the_network_is_left_alone():
    model = torchvision_models.resnet18(num_classes=4).eval()
    before = copy.deepcopy(model.state_dict())
    short = shortened(model, COLOUR, after=4)
    mine = {name: value for name, value in short.state_dict().items() if not name.startswith(HEAD)}
    assert {name.split(".")[0] for name in mine} == {"conv1", "bn1", "layer1", "layer2"}
    assert all(torch.equal(value, before[name]) for name, value in mine.items())
    assert not any(module.training for module in short.modules())
    nn.init.zeros_(short.conv1.weight)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in shortened(model.train(), COLOUR, after=1).modules())


def test_the_head_is_drawn_from_the_seed_and_the_global_random_state_stays():
    model, state = built("cnn"), torch.random.get_rng_state()
    one, same, other = (shortened(model, IMAGES, after=2, seed=seed).auxiliary.linear.weight for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_precision_is_the_networks():
    short = shortened(built("cnn").double(), IMAGES.double(), after=1)
    assert short(IMAGES.double()).dtype == torch.float64


def test_only_the_head_is_left_to_train():
    short = freeze_blocks(shortened(built("resnet20"), IMAGES, after=4))
    assert {name for name, one in short.named_parameters() if one.requires_grad} == {
        f"{HEAD}.linear.weight",
        f"{HEAD}.linear.bias",
    }


def test_multiply_accumulates_are_those_of_the_formula():
    """3 x 3 convolutions on 8 x 8 and, behind the pooling, 4 x 4 pixels, and a head of ten classes."""
    first, second, third = 9 * 32 * 64, 9 * 32 * 64 * 16, 9 * 64 * 64 * 16
    chain = Chain(built("cnn"), IMAGES[:1])
    assert chain.macs == (first + 320, first + second + 640, first + second + third + 640)
    assert chain.macs[-1] == cost.count(built("cnn"), IMAGES[:1]).macs
    assert [chain.deepest(macs) for macs in (first + 320, first + second + 639, first + second + 640, 10**9)] == [1, 1, 2, 3]
    with pytest.raises(BudgetError, match=r"at least block 1 of 3, which takes 18,752 multiply-accumulates; .* allows 18,751"):
        chain.deepest(first + 319)


class Odd(nn.Module):
    """Features that take a way of their own: the second convolution is given what something was written into."""

    def __init__(self, write):
        super().__init__()
        self.one, self.two, self.three = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
        self.write, self.last = write, nn.Linear(2, 2)

    def forward(self, x):
        x = self.one(x)
        if self.write:
            x += 1
        return self.last(self.three(self.two(x)).mean((2, 3)))


def test_nothing_is_cut_behind_what_the_networks_own_code_does():
    assert blocks(Odd(False), IMAGES) == ("one", "two", "three")
    assert blocks(Odd(True), IMAGES) == ("one",)


class Residual(nn.Sequential):
    """A sequence that adds what it was given."""

    def forward(self, x):
        return x + super().forward(x)


def test_a_residual_sequence_is_one_block_also_inside_of_others():
    inner = Residual(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1))
    model = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv2d(1, 2, 1), inner), nn.Flatten(), nn.Linear(128, 3))
    assert blocks(model, IMAGES) == ("1.0", "1.1")
    wrapped = nn.Sequential(nn.Identity(), built("cnn")).eval()
    assert blocks(wrapped, IMAGES) == ("1.conv1", "1.conv2", "1.conv3")
    torch.testing.assert_close(shortened(wrapped, IMAGES, after=2)(IMAGES), shortened(wrapped[1], IMAGES, after=2)(IMAGES))


class Tokens(nn.Module):
    """Features that are no images."""

    def __init__(self):
        super().__init__()
        self.embed, self.last = nn.Linear(8, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.embed(x[:, 0]).mean(1))


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        (Tokens(), NetworkError, "Tokens cannot be cut behind a block: its features do not pass"),
        (nn.Conv2d(1, 2, 1), NetworkError, "one row of scores each"),
        (nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()), ExampleInputError, "Sequential does not run on the example inputs"),
    ],
)
def test_networks_that_cannot_be_cut_are_refused_in_a_sentence(model, error, said):
    with pytest.raises(error, match=said):
        blocks(model, IMAGES)


@pytest.mark.parametrize("after", [0, 4])
def test_there_is_no_such_block(after):
    with pytest.raises(ConfigError, match=f"after must lie between 1 and 3, the number of blocks, not {after}"):
        shortened(built("cnn"), IMAGES, after=after)


def test_a_module_that_is_used_twice_ends_the_chain():
    norm = nn.BatchNorm2d(2)
    model = nn.Sequential(nn.Conv2d(1, 2, 1), norm, nn.Conv2d(2, 2, 1), norm, nn.Flatten(), nn.Linear(128, 3))
    assert blocks(model, IMAGES) == ("0",)


def depth_cut(name, **budget):
    model = built(name)
    groups = find_groups(model, IMAGES[:1])
    return DepthCut(groups, Settings.build("depth", **budget), Network(model, IMAGES[:1])), groups


@pytest.mark.parametrize("name", ["cnn", "vgg_small", "resnet20"])
@pytest.mark.parametrize("budget", [{"pruning_ratio": 0.3}, {"pruning_ratio": 0.5}, {"macs_ratio": 0.4}], ids=str)
def test_it_is_as_deep_as_the_multiply_accumulates_of_a_cut_of_channels_allow(name, budget):
    cut, groups = depth_cut(name, **budget)
    allowed = groups.macs.count(build_regularizer("none", groups, **budget).measure().kept)
    assert cut.allowed == allowed
    here = cost.count(cut.shortened(0), IMAGES[:1]).macs
    assert here <= allowed < cut.chain.macs[cut.after]
    assert f"{here:,} multiply-accumulates, where the budget allows {allowed:,}" in cut.said


def test_channels_go_that_no_layer_makes_any_more():
    cut, groups = depth_cut("resnet20", pruning_ratio=0.35)
    look, decisions = cut.measure(), cut.decisions()
    there = {name for name, _ in cut.shortened(0).named_modules()}
    assert {name: bool(mask.any()) for name, mask in decisions.kept.items()} == {one.name: one.name in there for one in groups}
    assert all(bool(mask.all()) or not bool(mask.any()) for mask in decisions.kept.values())
    assert look.share_pruned == pytest.approx(decisions.pruned / decisions.total)
    assert set(look.margins) == {float("inf"), float("-inf")}
    assert look.thresholds == (None,) * len(groups)


def test_without_groups_there_is_no_budget():
    with pytest.raises(NoGroupsError, match="this network has none that can be cut"):
        DepthCut([], Settings.build("depth"), Network(built("cnn"), IMAGES[:1]))


def test_another_budget_moves_the_cut_and_an_impossible_one_changes_nothing():
    cut, _ = depth_cut("resnet20", pruning_ratio=0.5)
    before = cut.after
    cut.pruning_ratio = 0.2
    assert cut.after > before
    now = cut.after, cut.allowed
    with pytest.raises(BudgetError, match="at least block 1 of 10"):
        cut.pruning_ratio = 0.99
    assert (cut.after, cut.allowed, cut.pruning_ratio) == (*now, 0.2)
