"""Global allocation while training runs: the budget in all, the caps in each group, and no group that runs away."""

import numpy as np
import pytest
import torch

from catalyst_core.decisions import budget
from catalyst_core.errors import BudgetError
from catalyst_core.groups import FilterGroups
from catalyst_core.regularizers import REGULARIZERS, build_regularizer
from tests.core.made import chain_macs, group_of, noise, pruned_counts

SIZES = (16, 24, 40)
TOTAL = sum(budget(size, 0.5) for size in SIZES)


def made(seed=0, sizes=SIZES):
    rng = np.random.default_rng(seed)
    groups = [group_of(np.exp(rng.standard_normal(size)), name=str(index)) for index, size in enumerate(sizes)]
    return FilterGroups(groups, macs=chain_macs(list(sizes))), rng


def train(reg, groups, rng, steps, rate=0.1, tails=(0.02, 0.02, 0.02), after=lambda: None):
    """The task pulls every filter a little, constantly, with a heavier tail in some groups than in others."""
    pulls = [torch.from_numpy(np.exp(tail * rng.standard_t(3, group.size))) for group, tail in zip(groups, tails, strict=True)]
    for _ in range(steps):
        for group, pull in zip(groups, pulls, strict=True):
            group.scale_(pull)
            noise(group, rng, 0.01)
        reg.step(rate)
        after()


@pytest.mark.parametrize("unit", ["pruning_ratio", "macs_ratio"])
@pytest.mark.parametrize("total", [60, None])
def test_catalyst_ends_at_the_budget_exactly_and_within_the_caps(unit, total):
    groups, rng = made()
    reg = build_regularizer(
        "catalyst", groups, **{unit: 0.5}, allocation="global", keep_at_least=0.25, total_steps=total, every=1
    )
    train(reg, groups, rng, 60)
    reg.settle()
    look = reg.measure()
    assert (look.magnitudes * look.catalysts == 0).all()
    assert reg.undecided == 0
    assert pruned_counts(reg) == reg.targets == [int((group.magnitudes() == 0).sum()) for group in groups]
    assert all(size - count >= np.ceil(0.25 * size) for size, count in zip(SIZES, pruned_counts(reg), strict=True))
    if unit == "pruning_ratio":
        assert sum(pruned_counts(reg)) == TOTAL
    else:
        dense = groups.macs.count(np.ones(sum(SIZES), bool))
        removed = 1 - groups.macs.count(look.kept) / dense
        widest = max(one.unit * max(len(one.rows), len(one.columns)) for one in groups.macs.layers)
        assert 0.5 <= removed <= 0.5 + 2 * widest / dense  # one channel beyond it at most


def test_the_total_holds_after_every_step_and_what_is_decided_stays_decided():
    groups, rng = made(1)
    total = sum(budget(size, 0.3) for size in SIZES)
    plan = {"total_steps": 80, "every": 1, "evidence_share": 0}
    reg = build_regularizer("catalyst", groups, pruning_ratio=0.3, allocation="global", **plan)
    gone, moved = np.zeros(sum(SIZES), bool), []

    def look():
        nonlocal gone
        now = reg.measure()
        assert sum(reg.targets) == sum(pruned_counts(reg)) == total
        assert (now.magnitudes[gone] == 0).all()
        assert ((now.margins > 0) == now.kept).all()
        gone = now.magnitudes == 0
        moved.append(tuple(reg.targets))

    train(reg, groups, rng, 80, after=look)
    assert len(set(moved)) > 1
    assert len(set(moved[-8:])) == 1, "the last tenth no longer moves the boundary"
    assert reg.undecided == 0


def test_half_of_all_channels_is_half_of_every_group():
    """By construction: above the median of its group is half of every group."""
    groups, rng = made(2)
    reg = build_regularizer("catalyst", groups, pruning_ratio=0.5, allocation="global", total_steps=80, every=1)
    train(reg, groups, rng, 80, tails=(0.01, 0.03, 0.06))
    assert pruned_counts(reg) == [size // 2 for size in SIZES]


def test_before_any_evidence_the_share_is_uniform():
    groups, _ = made()
    reg = build_regularizer("catalyst", groups, pruning_ratio=0.4, allocation="global")
    assert reg.targets == [budget(size, 0.4) for size in SIZES]


def test_the_bifurcation_alone_moves_nothing():
    """The task speaks once; from then on only the regularizer acts, for long. What it stretches must not draw more after it."""
    groups, rng = made(3)
    reg = build_regularizer("catalyst", groups, strength=1.0, pruning_ratio=0.5, allocation="global")
    for group, tail in zip(groups, (0.5, 0.05, 0.005), strict=True):  # groups are a hundred times apart in how far they are
        group.scale_(torch.from_numpy(np.exp(tail * rng.standard_normal(group.size))))
    reg.step(0.01)
    first = np.array(reg.targets)
    for _ in range(600):
        reg.step(0.01)
    assert reg.undecided == 0
    assert np.abs(np.array(reg.targets) - first).max() <= 2
    assert sum(reg.targets) == TOTAL


def test_a_group_that_the_task_speaks_against_more_clearly_gives_more():
    """The same median and spread of pulls, but one group has many filters that the task drops far below its own median."""
    sizes = (40, 40)
    groups, rng = made(4, sizes)
    low = np.where(np.arange(40) < 14, -0.2, 0.0) + 0.01 * rng.standard_normal(40)
    high = np.where(np.arange(40) < 14, 0.2, 0.0) + 0.01 * rng.standard_normal(40)
    reg = build_regularizer("catalyst", groups, pruning_ratio=0.3, allocation="global", total_steps=40, every=1)
    for _ in range(40):
        for group, pull in zip(groups, (low, high), strict=True):
            group.scale_(torch.from_numpy(np.exp(0.2 * pull)))
        reg.step(0.1)
    assert reg.targets[0] >= 14 > reg.targets[1]
    assert sum(reg.targets) == 24


@pytest.mark.parametrize("name", REGULARIZERS)
def test_every_method_can_spread_its_budget_and_change_it(name):
    groups, rng = made(5)
    reg = build_regularizer(name, groups, pruning_ratio=0.5, allocation="global", keep_at_least=0.2)
    train(reg, groups, rng, 3, rate=0.02)
    assert sum(pruned_counts(reg)) == TOTAL
    reg.pruning_ratio = 0.7
    assert sum(pruned_counts(reg)) == sum(budget(size, 0.7) for size in SIZES)
    assert all(size - count >= 0.2 * size for size, count in zip(SIZES, pruned_counts(reg), strict=True))
    with pytest.raises(BudgetError, match=r"0.2 of every group"):
        reg.pruning_ratio = 0.9
    reg.macs_ratio = 0.5
    dense = groups.macs.count(np.ones(sum(SIZES), bool))
    assert 1 - groups.macs.count(reg.measure().kept) / dense >= 0.5


def test_scales_of_groups_do_not_matter_to_a_cut_by_magnitude():
    groups, _ = made(6)
    plain = build_regularizer("none", groups, allocation="global").measure().kept
    groups[0].scale_(torch.full((SIZES[0],), 1e-3, dtype=torch.float64))
    np.testing.assert_array_equal(build_regularizer("none", groups, allocation="global").measure().kept, plain)


def test_a_random_global_cut_is_one_draw_over_all_channels():
    groups, _ = made()
    cuts = np.array(
        [pruned_counts(build_regularizer("random", groups, allocation="global", generator_seed=seed)) for seed in range(400)]
    )
    assert set(cuts.sum(1)) == {TOTAL}
    # Hypergeometric: mean K / 2, variance K / 4 * (N - K) / (N - 1) with K channels of N = 80.
    for size, counts in zip(SIZES, cuts.T, strict=True):
        variance = size / 4 * (80 - size) / 79
        assert counts.mean() == pytest.approx(size / 2, abs=4 * (variance / 400) ** 0.5)
        assert counts.var() == pytest.approx(variance, rel=0.3)


@pytest.mark.parametrize("name", ["catalyst", "group_lasso", "random"])
@pytest.mark.parametrize("unit", ["pruning_ratio", "macs_ratio"])
@pytest.mark.parametrize("at", [20, 57])
def test_state_of_a_global_budget_goes_on_bit_for_bit(name, unit, at, tmp_path):
    def build():
        groups, _ = made(7)
        return build_regularizer(name, groups, **{unit: 0.5}, allocation="global", total_steps=60, every=1), groups

    reg, groups = build()
    train(reg, groups, np.random.default_rng(0), at)
    setattr(reg, unit, 0.6)
    torch.save(reg.state_dict(), tmp_path / "state.pt")
    other, copies = build()
    for group, twin in zip(groups, copies, strict=True):
        for parameter, target in zip(group.parameters(), twin.parameters(), strict=True):
            target.data.copy_(parameter.data)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert other.targets == reg.targets
    for one, its in ((reg, groups), (other, copies)):
        train(one, its, np.random.default_rng(1), 60 - at)
    for field in ("magnitudes", "catalysts", "margins", "kept"):
        np.testing.assert_array_equal(getattr(reg.measure(), field), getattr(other.measure(), field))
    assert getattr(other, unit) == 0.6
