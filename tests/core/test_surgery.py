"""Decide first, cut second: the smaller network computes what the masked one computes, on every architecture."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from catalyst_core.certificate import LOSSLESS, certify
from catalyst_core.decisions import Decisions, budget, keep_largest
from catalyst_core.errors import ConfigError
from catalyst_core.filters import find_groups
from catalyst_core.surgery import remove_filters, zero_pruned


def draw(groups, seed=0):
    """Random decisions that keep at least one channel a group."""
    generator = torch.Generator().manual_seed(seed)
    kept = {group.name: torch.rand(group.size, generator=generator) < 0.5 for group in groups}
    for mask in kept.values():
        mask[-1] = True
    return Decisions(kept)


@pytest.mark.parametrize("seed", [0, 1])
def test_masked_equals_cut(network, images, seed):
    decisions = draw(find_groups(network, images), seed)
    masked = copy.deepcopy(network)
    zero_pruned(find_groups(masked, images), decisions)
    smaller = remove_filters(masked, images, decisions)
    certificate = certify(masked, smaller, images)
    assert certificate.lossless
    assert certificate.max_abs_logit_change <= LOSSLESS
    assert certificate.changed_predictions == 0
    assert certificate.images == 2
    assert sum(p.numel() for p in smaller.parameters()) < sum(p.numel() for p in network.parameters())
    # The cut was of something that mattered.
    assert certify(network, smaller, images).max_abs_logit_change > 1e-6


def test_the_smaller_network_states_its_sizes_and_trains(network, images):
    decisions = draw(find_groups(network, images))
    smaller = remove_filters(network, images, decisions).train()
    for module in smaller.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.shape[:2] == (module.out_channels, module.in_channels // module.groups)
        if isinstance(module, nn.Linear):
            assert module.weight.shape == (module.out_features, module.in_features)
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.shape == module.running_mean.shape == (module.num_features,)
    smaller(images).sum().backward()
    assert all(parameter.grad is not None for parameter in smaller.parameters())


def test_the_smaller_network_has_the_same_groups_with_the_kept_channels(network, images):
    groups = find_groups(network, images)
    decisions = draw(groups)
    again = find_groups(remove_filters(network, images, decisions), images)
    assert {group.name: group.size for group in again} == {name: int(mask.sum()) for name, mask in decisions.kept.items()}


def test_the_input_is_left_alone(network, images):
    before = copy.deepcopy(network.state_dict())
    smaller = remove_filters(network, images, draw(find_groups(network, images)))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert {id(p) for p in smaller.parameters()}.isdisjoint({id(p) for p in network.parameters()})


def test_a_cut_leaks_nothing_into_the_next(make_network, images):
    first, second = make_network("resnet20"), make_network("resnet20")
    decisions = draw(find_groups(first, images))
    one, two = remove_filters(first, images, decisions), remove_filters(second, images, decisions)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_masking_with_weight_magnitudes_silences_the_batchnorm_too(make_network, images):
    model = make_network("cnn")
    groups = find_groups(model, images, magnitude="weight")
    decisions = draw(groups)
    zero_pruned(groups, decisions)
    assert certify(model, remove_filters(model, images, decisions), images).lossless


def test_a_frozen_parameter_stays_frozen(make_network, images):
    model = make_network("cnn")
    model.conv2.weight.requires_grad_(False)
    smaller = remove_filters(model, images, draw(find_groups(model, images)))
    assert not smaller.conv2.weight.requires_grad
    assert smaller.conv1.weight.requires_grad


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"conv9": torch.ones(32, dtype=torch.bool)}, "'conv9'"),
        ({"conv1": torch.ones(31, dtype=torch.bool)}, "31 channels"),
        ({"conv1": torch.zeros(32, dtype=torch.bool)}, "at least one"),
    ],
)
def test_decisions_that_do_not_fit(make_network, images, kept, message):
    with pytest.raises(ConfigError, match=message):
        remove_filters(make_network("cnn"), images, Decisions(kept))


@pytest.mark.parametrize(("undecided", "said"), [(1, "1 channel is undecided"), (7, "7 channels are undecided")])
def test_a_cut_before_everything_is_decided_warns(make_network, images, undecided, said):
    model = make_network("cnn")
    kept = draw(find_groups(model, images)).kept
    with pytest.warns(UserWarning, match=rf"{said}: call settle\(\) first, or give total_steps"):
        remove_filters(model, images, Decisions(kept, undecided))


def test_what_decisions_add_up_to():
    decisions = Decisions({"a": torch.tensor([True, False, True]), "b": torch.tensor([False, True])}, undecided=1)
    assert (decisions.total, decisions.pruned) == (5, 2)
    assert decisions.widths == {"a": (3, 2), "b": (2, 1)}


@pytest.mark.parametrize(
    ("size", "ratio", "expected"), [(64, 0.5, 32), (64, 0.7, 45), (5, 0.5, 2), (3, 0.99, 2), (1, 0.9, 0), (10, 0.01, 0)]
)
def test_the_budget_is_the_nearest_number_that_keeps_a_channel(size, ratio, expected):
    assert budget(size, ratio) == expected


def test_of_equal_scores_the_earlier_stays():
    np.testing.assert_array_equal(keep_largest(np.array([1.0, 2.0, 1.0, 1.0]), 2), [True, True, False, False])
    np.testing.assert_array_equal(keep_largest(np.array([1.0, 2.0]), 0), [True, True])
