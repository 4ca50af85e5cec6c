"""Groups of which a layer has some of the channels only, as a concatenation makes them: no cut leaves such a layer with none."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from catalyst_core import build_regularizer, find_groups, remove_filters
from catalyst_core.catalog import METHODS
from catalyst_core.certificate import certify
from catalyst_core.decisions import Decisions, spare
from catalyst_core.errors import BudgetError
from catalyst_core.surgery import zero_pruned

OURS = [name for name, method in METHODS.items() if not method.is_peer and name not in ("depth", "slimming")]


class Residual(nn.Module):
    """A block whose branch is a concatenation, as in Inception-ResNet; the filters of its narrow half are the smallest."""

    def __init__(self):
        super().__init__()
        self.stem, self.wide, self.narrow = nn.Conv2d(3, 12, 3), nn.Conv2d(12, 8, 1), nn.Conv2d(12, 4, 1)
        self.norm, self.classifier = nn.BatchNorm2d(4), nn.Linear(12, 4)
        nn.init.constant_(self.norm.weight, 0.01)

    def forward(self, x):
        x = self.stem(x).relu()
        return self.classifier((x + torch.cat([self.wide(x), self.norm(self.narrow(x))], 1)).relu().mean((2, 3)))


class Grouped(nn.Module):
    """A concatenation that is read in groups which do not end where its halves do."""

    def __init__(self, first, second, groups):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, first, 3, padding=1), nn.Conv2d(first, second, 3, padding=1)
        self.reader, self.classifier = nn.Conv2d(first + second, 24, 3, groups=groups), nn.Linear(24, 4)

    def forward(self, x):
        x = self.first(x).relu()
        return self.classifier(self.reader(torch.cat([x, self.second(x).relu()], 1)).relu().mean((2, 3)))


NETWORKS = {
    "residual": Residual,
    "grouped": lambda: Grouped(16, 12, 4),
    "a half in one group": lambda: Grouped(8, 16, 2),
    "as many as halves": lambda: Grouped(16, 16, 4),
}


@pytest.mark.parametrize("method", OURS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_method_decides_on_a_cut_that_exists_and_is_lossless_once_masked(name, method, images):
    images = images.double()
    model = NETWORKS[name]().double().eval()
    groups = find_groups(model, images)
    assert groups
    reg = build_regularizer(method, groups, pruning_ratio=0.9, total_steps=10)
    for _ in range(10):
        reg.step(0.05)
    reg.settle()
    decisions = reg.decisions()
    assert np.array_equal(reg.measure().kept, torch.cat(list(decisions.kept.values())).numpy())
    zero_pruned(groups, decisions)
    smaller = remove_filters(model, images, decisions)
    assert certify(model, smaller, images).max_abs_logit_change <= 1e-12
    assert decisions.pruned or [group.size for group in groups] == [2]  # where one of two has to stay, and is the smaller


def test_what_would_empty_a_layer_is_spared_and_no_more(images):
    model = Residual().eval()
    (group,) = find_groups(model, images)
    decisions = build_regularizer("none", [group], pruning_ratio=0.5).decisions()
    assert [sorted(members) for members in group.shares] == [[*range(8)], [8, 9, 10, 11]]
    n = group.magnitudes()
    assert decisions.kept["stem"].sum() == 6 + int(not (n[8:] >= n.sort().values[6]).any())
    assert remove_filters(model, images, decisions).narrow.out_channels >= 1


def test_decisions_that_empty_a_layer_are_one_sentence(images):
    with pytest.raises(BudgetError, match=r"^layer 'narrow': a cut has to keep at least one of its channels"):
        remove_filters(Residual(), images, Decisions({"stem": torch.arange(12) < 8}))


class Singles(nn.Module):
    """A concatenation of single channels: none of them can go."""

    def __init__(self):
        super().__init__()
        self.first, self.stem = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 3, 3)
        self.parts = nn.ModuleList(nn.Conv2d(3, 1, 1) for _ in range(3))
        self.classifier = nn.Linear(3, 4)

    def forward(self, x):
        x = self.stem(self.first(x).relu()).relu()
        return self.classifier((x + torch.cat([part(x) for part in self.parts], 1)).relu().mean((2, 3)))


def test_a_group_of_which_nothing_can_go_is_left_out(images):
    groups = find_groups(Singles(), images)
    assert [group.name for group in groups] == ["first"]
    assert "the only one of some layer" in groups.skipped["stem"]


@given(st.data())
def test_spare_adds_the_best_channel_of_what_is_empty_alone(data):
    size = data.draw(st.integers(1, 12))
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    members = st.lists(st.integers(0, size - 1), min_size=1, unique=True).map(lambda some: np.array(sorted(some)))
    shares = data.draw(st.lists(members, max_size=4))
    scores = np.array(data.draw(st.lists(st.integers(0, 5), min_size=size, max_size=size)))
    before, spared = kept.copy(), spare(kept, shares, scores)
    assert np.array_equal(kept, before)
    assert (spared >= kept).all()
    assert all(spared[one].any() for one in shares)
    if all(kept[one].any() for one in shares):
        assert np.array_equal(spared, kept)
    for channel in np.flatnonzero(spared & ~kept):
        assert any(channel in one and not kept[one].any() and scores[channel] == scores[one].max() for one in shares)
