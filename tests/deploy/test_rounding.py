"""Widths rounded up: how many channels come back, which, and that the function stays what it was."""

import copy
import math

import pytest
import torch

from catalyst_core.certificate import LOSSLESS, certify
from catalyst_core.decisions import Decisions
from catalyst_core.deploy.rounding import pad, rounded_up
from catalyst_core.errors import ConfigError, NetworkError
from catalyst_core.filters import find_groups
from catalyst_core.surgery import remove_filters
from tests.core.conftest import NETWORKS, lively
from tests.deploy.made import cut, pruned


def mask(size, kept):
    """(size,) bool."""
    return torch.zeros(size, dtype=torch.bool).index_fill_(0, torch.tensor(kept), True)


@pytest.mark.parametrize(
    ("size", "kept", "multiple", "width"),
    [
        (64, 1, 8, 8),
        (64, 8, 8, 8),
        (64, 9, 8, 16),
        (64, 9, 16, 16),
        (64, 64, 16, 64),
        (20, 17, 8, 20),
        (6, 2, 8, 6),
        (24, 17, 16, 24),
    ],
)
def test_the_width_is_the_next_multiple_but_never_more_than_there_were(size, kept, multiple, width):
    before = mask(size, list(range(size - kept, size)))
    after = rounded_up({"g": before}, multiple)["g"]
    assert int(after.sum()) == width
    assert bool(after[before].all())
    assert int(before.sum()) == kept  # what was given is left alone


def test_the_best_of_the_pruned_channels_come_back_and_of_equal_ones_the_earlier():
    kept = mask(12, [0, 1, 2, 3, 4, 5])
    standing = torch.tensor([9.0, 9, 9, 9, 9, 9, -3, -1, -2, -1, -float("inf"), -1])
    assert torch.nonzero(rounded_up({"g": kept}, 8, {"g": standing})["g"])[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 7, 9]
    assert torch.nonzero(rounded_up({"g": kept}, 8)["g"])[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("multiple", [0, 4, 7, 32])
def test_other_multiples_are_refused(multiple):
    with pytest.raises(ConfigError, match=f"round_to must be 8 or 16, not {multiple}"):
        rounded_up({"g": mask(8, [0])}, multiple)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_architecture_computes_the_same_with_rounded_widths(name):
    images = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    check_same_function(cut(lively(name), images, 0.4), 8)


def test_wide_groups_of_a_coupled_network_at_16():
    made = pruned("torchvision:resnet18", share=0.4)
    rounded = check_same_function(made, 16)
    widths = [int(one.sum()) for one in rounded.kept.values()]
    assert all(width % 16 == 0 for width in widths)
    assert sum(widths) > sum(int(one.sum()) for one in made.kept.values())


def check_same_function(made, multiple):
    """Round up; the function, the widths, and what happens when the channels go again."""
    rounded = pad(made.dense, made.images, made.model, made.kept, multiple)
    change = certify(made.model, rounded.model, made.images)
    assert change.max_abs_logit_change <= LOSSLESS
    assert change.changed_predictions == 0
    sizes = {group.name: group.size for group in find_groups(rounded.model, made.images)}
    for name, kept in made.kept.items():
        assert sizes[name] == min(len(kept), multiple * math.ceil(int(kept.sum()) / multiple))
    within = {name: made.kept[name][mask] for name, mask in rounded.kept.items()}
    again = remove_filters(rounded.model, made.images, Decisions(within)).state_dict()
    assert again.keys() == made.model.state_dict().keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in made.model.state_dict().items())
    return rounded


def test_exactly_what_came_back_is_zero(cnn):
    rounded = pad(cnn.dense, cnn.images, cnn.model, cnn.kept, 16)
    came_back = 0
    for group in find_groups(rounded.model, cnn.images):
        back = ~cnn.kept[group.name][rounded.kept[group.name]]
        assert torch.equal(group.magnitudes() == 0, back)
        came_back += int(back.sum())
    assert came_back > 0


def test_with_weight_magnitudes_the_batchnorm_is_silent_too(cnn):
    rounded = pad(cnn.dense, cnn.images, cnn.model, cnn.kept, 8, magnitude="weight")
    assert certify(cnn.model, rounded.model, cnn.images).lossless


def test_a_network_that_is_no_cut_of_the_dense_one_is_refused(cnn):
    other = copy.deepcopy(cnn.kept)
    other["conv1"][:] = True
    with pytest.raises(NetworkError, match="not the dense one without the channels"):
        pad(cnn.dense, cnn.images, cnn.model, other, 8)
