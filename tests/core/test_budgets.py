"""Budgeted Catalyst: budgets, settling, live changes; and the fixed ratio."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catalyst_core.decisions import budget
from catalyst_core.errors import ConfigError
from catalyst_core.regularizers import build_regularizer
from tests.core.made import group_of, noise, pruned_counts


@given(
    widths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    ratio=st.floats(0.02, 0.98),
    seed=st.integers(0, 1000),
    every=st.sampled_from([1, 3, None]),
    total=st.sampled_from([1, 7, 60]),
)
@settings(deadline=None, max_examples=40)
def test_a_scheduled_run_prunes_exactly_the_budget(widths, ratio, seed, every, total):
    rng = np.random.default_rng(seed)
    groups = [group_of(np.exp(rng.standard_normal(size)), name=str(index)) for index, size in enumerate(widths)]
    reg = build_regularizer("catalyst", groups, pruning_ratio=ratio, total_steps=total, every=every)
    for _ in range(total):
        for group in groups:
            noise(group, rng, 0.1)
        reg.step(0.1)
    look = reg.measure()
    assert pruned_counts(reg) == [budget(size, ratio) for size in widths]
    assert (look.magnitudes * look.catalysts == 0).all()
    assert ((look.magnitudes == 0) == ~look.kept).all()
    assert ((look.catalysts == 0) == look.kept).all()
    assert np.isinf(look.margins).all()
    assert (np.sign(look.margins) == np.where(look.kept, 1, -1)).all()
    assert reg.undecided == 0
    # Exactly zero in the parameters themselves, not only in what is reported.
    assert all(((group.magnitudes() == 0).numpy() == ~reg.decisions().kept[group.name].numpy()).all() for group in groups)


def test_every_step_leaves_the_budget_above_the_boundary():
    rng = np.random.default_rng(1)
    groups = [group_of(rng.random(size) + 0.1, name=str(size)) for size in (16, 7)]
    reg = build_regularizer("catalyst", groups, pruning_ratio=0.4)
    for _ in range(60):
        for group in groups:
            noise(group, rng)
        reg.step(0.05)
        look = reg.measure()
        assert ((look.margins > 0) == look.kept).all()
        assert pruned_counts(reg) == [6, 3]


def test_a_small_filter_that_the_task_pulls_on_outlives_a_large_one_that_it_does_not():
    group = group_of([0.01, 0.02, 5.0, 10.0])
    pull = torch.tensor([1.05, 1.05, 0.95, 0.95], dtype=torch.float64)
    reg = build_regularizer("catalyst", [group], pruning_ratio=0.5, total_steps=30)
    lasso = group_of([0.01, 0.02, 5.0, 10.0])
    rival = build_regularizer("group_lasso", [lasso], strength=0.1, pruning_ratio=0.5)
    for _ in range(30):
        for one, method in ((group, reg), (lasso, rival)):
            one.scale_(pull)
            method.step(0.05)
    assert reg.measure().kept.tolist() == [True, True, False, False]
    assert rival.measure().kept.tolist() == [False, False, True, True]


def test_before_any_evidence_the_larger_stay():
    reg = build_regularizer("catalyst", [group_of([1.0, 3.0, 2.0, 4.0])], pruning_ratio=0.5, total_steps=10)
    assert (reg.measure().margins == 0).all()
    reg.settle()
    assert reg.measure().kept.tolist() == [False, True, False, True]
    assert reg.undecided == 0


def test_settling_decides_in_time_what_the_strength_alone_would_not():
    """The slowest channel is left to the last step; all others are decided before it."""
    rng = np.random.default_rng(3)
    group = group_of(np.exp(rng.standard_normal(30)))
    reg = build_regularizer("catalyst", [group], strength=1e-6, pruning_ratio=0.5, total_steps=100, every=1)
    noise(group, rng, 0.3)
    undecided = []
    for _ in range(100):
        reg.step(0.1)
        undecided.append(reg.undecided)
    assert undecided[88] == 30
    assert 30 > undecided[93] > undecided[96] > undecided[98] >= 1
    assert undecided[98] <= 2
    assert undecided[99] == 0


def test_a_decided_channel_keeps_its_catalyst_while_the_boundary_moves_on():
    rng = np.random.default_rng(0)
    group = group_of(rng.random(12) + 0.5)
    reg = build_regularizer("catalyst", [group], pruning_ratio=0.5)
    gone = np.zeros(12, dtype=bool)
    while gone.sum() < 3:
        noise(group, rng, 0.05)
        reg.step(0.1)
        gone = reg.measure().magnitudes == 0
    assert reg.undecided > 0
    before = reg.measure().catalysts[gone]
    for _ in range(3):
        noise(group, rng, 0.05)
        reg.step(0.01)
    np.testing.assert_array_equal(reg.measure().catalysts[gone], before)


def test_momentum_does_not_bring_a_pruned_filter_back():
    group = group_of([1.0, 1.0, 1.0, 1.0])
    reg = build_regularizer("catalyst", [group], pruning_ratio=0.5)
    reg.settle()
    gone = ~reg.decisions().kept["group"]
    for _ in range(3):
        with torch.no_grad():
            group.parameters()[0].add_(0.1)
        reg.step(0.01)
        assert (group.magnitudes()[gone] == 0).all()


def test_stopped_early_it_settles_to_the_budget():
    rng = np.random.default_rng(0)
    group = group_of(rng.random(20) + 0.5)
    reg = build_regularizer("catalyst", [group], pruning_ratio=0.35, total_steps=1000)
    for _ in range(10):
        noise(group, rng)
        reg.step(0.05)
    assert reg.undecided == 20
    expected = reg.measure().kept
    reg.settle()
    assert reg.undecided == 0
    assert pruned_counts(reg) == [7]
    np.testing.assert_array_equal(reg.measure().kept, expected)


def live(ratio, steps=30):
    rng = np.random.default_rng(2)
    group = group_of(rng.random(20) + 0.5)
    reg = build_regularizer("catalyst", [group], pruning_ratio=ratio, strength=2.0)
    for _ in range(steps):
        noise(group, rng)
        reg.step(0.1)
    return reg, group, rng


def go_on(reg, group, rng, steps=60):
    for _ in range(steps):
        noise(group, rng)
        reg.step(0.1)
    reg.settle()
    return int((group.magnitudes() == 0).sum())


def test_a_new_budget_moves_the_boundary_at_once():
    reg, group, rng = live(0.3, steps=3)
    reg.pruning_ratio = 0.6
    assert (reg.pruning_ratio, pruned_counts(reg)) == (0.6, [12])
    assert go_on(reg, group, rng) == 12


def test_a_larger_budget_makes_preserved_filters_compete_again():
    reg, group, rng = live(0.3, steps=200)
    assert reg.undecided == 0
    reg.pruning_ratio = 0.5
    assert reg.undecided == 14
    gone = group.magnitudes() == 0
    assert go_on(reg, group, rng) == 10
    assert (group.magnitudes()[gone] == 0).all()


def test_a_smaller_budget_preserves_what_is_undecided_and_revives_nothing():
    reg, group, rng = live(0.6, steps=200)
    assert int((group.magnitudes() == 0).sum()) == 12
    reg.pruning_ratio = 0.2
    assert pruned_counts(reg) == [12]
    assert go_on(reg, group, rng) == 12


def test_a_smaller_budget_in_time_is_met():
    reg, group, rng = live(0.6, steps=3)
    reg.pruning_ratio = 0.2
    assert go_on(reg, group, rng) == 4


def test_the_ramp_and_a_live_strength():
    reg = build_regularizer("catalyst", [group_of([1.0, 2.0])], strength=2.0, total_steps=100, evidence_share=0)
    seen = []
    for _ in range(100):
        seen.append(reg.current_strength)
        reg.step(0.0)
    assert seen[0] == pytest.approx(0.6)
    assert seen[30] == pytest.approx(2 * (0.3 * 2) ** 0.5)
    assert seen[60:] == pytest.approx([4.0] * 40)
    reg.strength = 0.5
    assert (reg.strength, reg.current_strength) == (0.5, 1.0)
    assert build_regularizer("l1", [group_of([1.0])], strength=2.0, total_steps=100).current_strength == 2.0
    assert build_regularizer("catalyst", [group_of([1.0])], strength=2.0).current_strength == 2.0
    fixed = build_regularizer("catalyst", [group_of([1.0])], strength=2.0, start_ratio=1.3, total_steps=100)
    assert fixed.current_strength == 2.0


def test_gathered_steps_come_every_so_often_and_add_up():
    group = group_of([1.0, 2.0])
    reg = build_regularizer("group_lasso", [group], strength=1.0, every=3, total_steps=4)
    found = []
    for _ in range(4):
        reg.step(0.1)
        found.append(reg.measure().magnitudes[0])
    np.testing.assert_allclose(found, [1.0, 1.0, 0.7, 0.6])


def test_fixed_ratio_below_one_prunes_nothing_without_a_task_and_above_one_all_but_one():
    for ratio, expected in ((0.7, 0), (1.4, 4)):
        group = group_of([1.0, 2.0, 3.0, 0.5, 0.1])
        reg = build_regularizer("catalyst", [group], start_ratio=ratio)
        np.testing.assert_allclose(reg.catalysts[0], ratio * np.array([1, 2, 3, 0.5, 0.1]))
        for _ in range(100):
            reg.step(0.1)
        assert int((group.magnitudes() == 0).sum()) == expected
        assert pruned_counts(reg) == [expected]
        assert reg.undecided == 0


def test_fixed_ratio_has_no_budget():
    reg = build_regularizer("catalyst", [group_of([1.0, 2.0])], start_ratio=1.3)
    assert (reg.pruning_ratio, reg.targets) == (None, [0])
    with pytest.raises(ConfigError, match="no pruning_ratio"):
        reg.pruning_ratio = 0.2
