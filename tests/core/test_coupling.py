"""Channels that go unusual ways: what is grouped, what is left out, and that masked and cut networks agree."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from catalyst_core import cost
from catalyst_core.canonical import canonicalize
from catalyst_core.certificate import certify
from catalyst_core.decisions import Decisions
from catalyst_core.errors import BudgetError, ExampleInputError, LossyGroupError, NetworkError, TiedParametersError
from catalyst_core.filters import find_groups
from catalyst_core.surgery import remove_filters, zero_pruned
from tests.core.odd import ODD, Gated, InGroups
from tests.core.test_filters import left_out


def made(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build().double().eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
    return model


@pytest.fixture(params=ODD)
def odd(request, images):
    """(network, images, expected groups, expected reasons)"""
    build, sizes, reasons = ODD[request.param]
    return made(build), images.double(), sizes, reasons


def test_groups_and_reasons(odd):
    model, images, sizes, reasons = odd
    groups = find_groups(model, images)
    assert {group.name: group.size for group in groups} == sizes
    assert left_out(groups).keys() == reasons.keys()
    assert all(word in groups.skipped[name] for name, word in reasons.items())


@pytest.mark.parametrize("seed", range(3))
def test_masked_equals_cut_counts_and_trains(odd, seed):
    model, images, _, _ = odd
    groups = find_groups(model, images)
    rng = np.random.default_rng(seed)
    kept = {}
    for group in groups:
        kept[group.name] = torch.from_numpy(rng.random(group.size) < 0.5)
        kept[group.name][rng.permutation(group.size)[:2]] = torch.tensor([True, False])
    dense = copy.deepcopy(model)
    zero_pruned(groups, Decisions(kept))
    smaller = remove_filters(model, images, Decisions(kept))
    assert certify(model, smaller, images).max_abs_logit_change <= 1e-12
    assert certify(dense, smaller, images).max_abs_logit_change > 1e-6
    assert groups.macs.count(torch.cat(list(kept.values())).numpy()) == cost.count(smaller, images).macs
    assert groups.macs.count(np.ones(sum(map(len, kept.values())), bool)) == cost.count(dense, images).macs
    out = smaller.train()(images)
    sum(one.sum() for one in (out if isinstance(out, tuple) else (out,))).backward()
    assert all(parameter.grad is not None for parameter in smaller.parameters())


def test_the_canonical_form_keeps_the_function(odd):
    model, images, _, _ = odd
    before = copy.deepcopy(model)
    groups = find_groups(model, images)
    report = canonicalize(model, groups)
    assert len(report.rescaled) + len(report.skipped) == len(groups)
    assert certify(before, model, images).lossless


def test_a_grouped_convolution_loses_whole_groups(images):
    model = made(InGroups)
    smaller = remove_filters(model, images.double(), Decisions({"conv": torch.tensor([True, False, True, True])}))
    assert (smaller.grouped.groups, smaller.grouped.in_channels, smaller.grouped.out_channels) == (3, 9, 6)
    torch.testing.assert_close(smaller.grouped.weight, model.grouped.weight[[0, 1, 4, 5, 6, 7]])


def test_two_rows_of_one_layer_make_one_gated_channel(images):
    smaller = remove_filters(made(lambda: Gated(False)), images.double(), Decisions({"fc": torch.arange(12) != 3}))
    assert smaller.fc.out_features == 22
    assert smaller.classifier.in_features == 11


def tied():
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 4)
    )
    model[5].weight = model[3].weight
    return model


def test_tied_layers_are_left_out_and_named(images):
    groups = find_groups(tied(), images)
    assert groups == []
    assert groups.skipped["1"] == "layers '3' and '5' share a parameter, so cutting one would cut the other"
    with pytest.raises(TiedParametersError, match=r"'3' and '5' share a parameter.*give each its own"):
        remove_filters(tied(), images, Decisions({"1": torch.arange(8) > 2}))


class Beside(nn.Module):
    """Two layers with one weight, and in front of them a layer that none of them reads."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.behind = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 3)
        self.one, self.other, self.classifier = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 4)
        self.other.weight = self.one.weight

    def forward(self, x):
        return self.classifier(self.other(self.one(self.behind(self.conv(x).relu()).relu().mean((2, 3)))))


def test_what_lies_beside_tied_layers_can_be_cut_and_they_stay_tied(images):
    model, kept = made(Beside), Decisions({"conv": torch.arange(6) > 2})
    groups = find_groups(model, images.double())
    assert [group.name for group in groups] == ["conv"]
    smaller = remove_filters(model, images.double(), kept)
    zero_pruned(groups, kept)
    assert certify(model, smaller, images.double()).max_abs_logit_change <= 1e-12
    assert smaller.one.weight is smaller.other.weight


def test_a_cut_of_what_is_left_out_says_why(images):
    sigmoid = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Sigmoid(), nn.Conv2d(6, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 4))
    with pytest.raises(LossyGroupError, match=r"'0' cannot be cut losslessly: .*Sigmoid maps 0 to 0\.5"):
        remove_filters(sigmoid, images, Decisions({"0": torch.arange(6) > 2}))
    with pytest.raises(LossyGroupError, match="the network's outputs"):
        remove_filters(sigmoid, images, Decisions({"5": torch.arange(4) > 2}))
    with pytest.raises(BudgetError, match="keep none of 5"):
        remove_filters(sigmoid, images, Decisions({"2": torch.zeros(5, dtype=torch.bool)}))


SHUFFLED = [nn.Conv2d(6, 6, 1, groups=2), nn.ChannelShuffle(2), nn.Conv2d(6, 6, 1, groups=2)]


@pytest.mark.parametrize(("channels", "between"), [(1, []), (6, SHUFFLED)])
def test_a_single_unit_is_left_out_as_nothing_can_be_taken_from_it(images, channels, between):
    layers = [nn.Conv2d(3, channels, 3), nn.ReLU(), *between, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4)]
    model = nn.Sequential(*layers)
    groups = find_groups(model, images)
    assert groups == []
    assert left_out(groups) == {"0": "it is one unit, and a cut keeps at least one of every group"}
    stored = Decisions({"0": torch.ones(1, dtype=torch.bool)})  # as those of races from before
    assert remove_filters(model, images, stored)[0].out_channels == channels


class ByChance(nn.Module):
    """A layer that is passed by at random, in evaluation mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.perhaps, self.classifier = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Linear(6, 4)

    def forward(self, x):
        x = self.conv(x).relu()
        return self.classifier((self.perhaps(x) if torch.rand(()) > 0.5 else x).mean((2, 3)))


def test_a_network_that_answers_otherwise_each_time_is_refused(images):
    model, state = ByChance(), torch.random.get_rng_state()
    with pytest.raises(NetworkError, match="ByChance does not answer the same example alike twice in evaluation mode"):
        find_groups(model, images)
    with pytest.raises(NetworkError, match="alike twice"):
        remove_filters(model, images, Decisions({"conv": torch.arange(6) > 2}))
    assert torch.equal(torch.random.get_rng_state(), state)


class Hiss(nn.Sequential):
    """So little noise that single precision would hide it."""

    def forward(self, x):
        return super().forward(x + 1e-6 * torch.randn_like(x))


def test_a_network_with_a_little_noise_is_refused_instead_of_all_its_groups(images):
    model = Hiss(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 4))
    with pytest.raises(NetworkError, match="Hiss does not answer the same example alike twice in evaluation mode"):
        find_groups(model, images)


def test_a_network_that_cannot_be_copied_is_refused(images):
    with pytest.warns(FutureWarning, match="weight_norm"):
        model = nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 6, 3)), nn.Flatten(), nn.Linear(216, 4))
    with pytest.raises(NetworkError, match=r"Sequential cannot be copied, and so not be cut \(RuntimeError: Only Tensors"):
        find_groups(model, images)


def test_inputs_that_do_not_fit_name_their_shape(images):
    with pytest.raises(ExampleInputError, match=r"Sequential does not run on example inputs of shape \(2, 3, 8, 8\)"):
        find_groups(nn.Sequential(nn.Linear(7, 3), nn.Linear(3, 2)), images)
