"""Budgets spread over groups: against brute force, exact totals, and what must not change the outcome."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from catalyst_core.allocation import Allocator, Budget, WidthMacs
from catalyst_core.decisions import budget
from catalyst_core.errors import BudgetError, ConfigError
from tests.core.made import chain_macs

widths = st.lists(st.integers(1, 30), min_size=1, max_size=5)
ratios = st.floats(0.02, 0.9)


def first_go(sizes, counts):
    """(C,) kept: the first channels of each group go."""
    return np.concatenate([np.arange(size) >= count for size, count in zip(sizes, counts, strict=True)])


def ranked(allocator, wanted, scores):
    return allocator.ranked(wanted, allocator.standardised(np.concatenate(scores), allocator.uniform(wanted)))


def random_scores(sizes, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(size) for size in sizes]


@given(sizes=widths, seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_macs_by_width_are_those_of_any_channels_of_that_number(sizes, seed):
    rng = np.random.default_rng(seed)
    model = chain_macs(sizes)
    counts = rng.integers(0, np.array(sizes))
    kept = np.concatenate([rng.permutation(np.arange(size) >= count) for size, count in zip(sizes, counts, strict=True)])
    width = WidthMacs(model, sizes)
    assert width.dense == model.count(np.ones(sum(sizes), bool))
    assert width.dense - width.removed(counts) == model.count(kept)


@given(sizes=widths, ratio=ratios)
@settings(deadline=None)
def test_uniform_channels_are_the_budget_of_each_group(sizes, ratio):
    assert Allocator(sizes).uniform(Budget("channels", ratio)).tolist() == [budget(size, ratio) for size in sizes]


@given(sizes=widths, ratio=ratios)
@settings(deadline=None, max_examples=40)
def test_no_uniform_ratio_comes_closer_to_a_budget_in_macs(sizes, ratio):
    model = chain_macs(sizes)
    dense = model.count(np.ones(sum(sizes), bool))

    def miss(counts):
        return abs(dense - model.count(first_go(sizes, counts)) - ratio * dense)

    every = [[budget(size, one) for size in sizes] for one in np.linspace(0, 1, 500)]
    assume(dense - model.count(first_go(sizes, every[-1])) >= ratio * dense)
    found = Allocator(sizes, model).uniform(Budget("macs", ratio))
    assert miss(found) <= min(map(miss, every)) + 1e-6
    jumps = sorted({(k + 0.5) / size for size in sizes for k in range(size)})
    between = [(a + b) / 2 for a, b in zip([0.0, *jumps], [*jumps, 1.0], strict=True)]
    assert miss(found) <= min(miss([budget(size, one) for size in sizes]) for one in [*jumps, *between]) + 1e-6
    assert any(found.tolist() == [budget(size, one) for size in sizes] for one in [*jumps, *between])


@given(sizes=widths, ratio=ratios, kept=st.floats(0, 0.6), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_one_ranking_prunes_exactly_as_many_as_uniform_within_the_caps(sizes, ratio, kept, seed):
    allocator = Allocator(sizes, keep_at_least=kept)
    total = sum(budget(size, ratio) for size in sizes)
    most = [size - max(1, int(np.ceil(kept * size - 1e-9))) for size in sizes]
    if total > sum(most):
        with pytest.raises(BudgetError, match="cannot be reached"):
            allocator.uniform(Budget("channels", ratio))
        return
    found = ranked(allocator, Budget("channels", ratio), random_scores(sizes, seed))
    assert found.sum() == total
    assert (found >= 0).all()
    assert (found <= most).all()


@given(sizes=widths, ratio=ratios, seed=st.integers(0, 1000))
@settings(deadline=None)
def test_one_ranking_removes_the_macs_and_one_channel_less_would_not(sizes, ratio, seed):
    model = chain_macs(sizes)
    allocator, dense = Allocator(sizes, model), model.count(np.ones(sum(sizes), bool))
    wanted = Budget("macs", ratio)
    assume(dense - model.count(first_go(sizes, np.array(sizes) - 1)) >= ratio * dense)
    z = allocator.standardised(np.concatenate(random_scores(sizes, seed)), allocator.uniform(wanted))
    found = allocator.ranked(wanted, z)
    assert dense - model.count(first_go(sizes, found)) >= ratio * dense
    # The channel that came last into the cut is the one with the smallest z of those that go.
    last = [
        np.sort(one)[::-1][count - 1] if count else np.inf
        for one, count in zip(np.split(z, np.cumsum(sizes)[:-1]), found, strict=True)
    ]
    less = found - (np.arange(len(sizes)) == int(np.argmin(last)))
    if np.isfinite(min(last)):
        assert dense - model.count(first_go(sizes, less)) < ratio * dense


@given(
    sizes=st.lists(st.integers(3, 30), min_size=2, max_size=5),
    ratio=ratios,
    shift=st.floats(-5, 5),
    scale=st.floats(0.1, 10),
    seed=st.integers(0, 1000),
)
@settings(deadline=None)
def test_location_and_scale_of_one_groups_scores_do_not_matter(sizes, ratio, shift, scale, seed):
    scores = random_scores(sizes, seed)
    allocator, wanted = Allocator(sizes), Budget("channels", ratio)
    moved = [scale * scores[0] + shift, *scores[1:]]
    assert ranked(allocator, wanted, scores).tolist() == ranked(allocator, wanted, moved).tolist()


@given(sizes=st.lists(st.integers(3, 30), min_size=2, max_size=5, unique=True), ratio=ratios, seed=st.integers(0, 1000))
@settings(deadline=None)
def test_neither_the_order_of_groups_nor_of_channels_matters(sizes, ratio, seed):
    scores, rng = random_scores(sizes, seed), np.random.default_rng(seed + 1)
    wanted, order = Budget("channels", ratio), rng.permutation(len(sizes))
    plain = ranked(Allocator(sizes), wanted, scores)
    shuffled = ranked(Allocator([sizes[i] for i in order]), wanted, [rng.permutation(scores[i]) for i in order])
    assert shuffled.tolist() == plain[order].tolist()


@given(size=st.integers(1, 30), count=st.integers(1, 5), ratio=ratios, seed=st.integers(0, 100), flat=st.booleans())
@settings(deadline=None)
def test_groups_that_are_alike_get_the_uniform_share(size, count, ratio, seed, flat):
    scores = np.zeros(size) if flat else random_scores([size], seed)[0]
    found = ranked(Allocator([size] * count), Budget("channels", ratio), [scores] * count)
    assert found.tolist() == [budget(size, ratio)] * count


def test_a_group_without_spread_takes_its_uniform_share_and_the_others_compete():
    rng = np.random.default_rng(0)
    tailed, narrow = rng.standard_normal(20) ** 3, rng.standard_normal(20)
    found = ranked(Allocator([20, 10, 20]), Budget("channels", 0.3), [tailed, np.full(10, 7.0), narrow])
    assert found[1] == 3
    assert found.sum() == 15
    assert found[0] != 6


def test_channels_that_are_gone_already_go_first():
    scores = [np.array([0.0, 1.0, np.inf, 2.0, np.inf]), np.array([5.0, 6.0, 7.0, 9.0, 8.0])]
    assert ranked(Allocator([5, 5]), Budget("channels", 0.2), scores).tolist() == [2, 0]


def test_floors_and_ceilings_are_kept_and_the_total_still_met():
    allocator = Allocator([10, 10])
    z = np.concatenate([np.full(10, 5.0), np.full(10, -5.0)])
    found = allocator.ranked(Budget("channels", 0.5), z, np.array([0, 3]), np.array([6, 9]))
    assert found.tolist() == [6, 4]
    assert allocator.ranked(Budget("channels", 0.1), z, np.array([4, 0])).tolist() == [4, 0]


def test_what_cannot_be_reached_says_how_far_it_goes_and_that_far_it_goes():
    model = chain_macs([8, 8])
    for allocator, unit in ((Allocator([8, 8], model, 0.25), "macs"), (Allocator([8, 8], None, 0.25), "channels")):
        with pytest.raises(BudgetError, match=r"at least 0.25 of every group.*at most 0\.\d+ can go") as caught:
            allocator.uniform(Budget(unit, 0.97))
        most = float(str(caught.value).split("at most ")[1].split()[0])
        allocator.uniform(Budget(unit, most))
        with pytest.raises(ConfigError):
            allocator.uniform(Budget(unit, most + 0.07))


def test_a_budget_in_macs_needs_the_groups_that_find_groups_returned():
    with pytest.raises(BudgetError, match="find_groups"):
        Allocator([8, 8]).uniform(Budget("macs", 0.5))
    with pytest.raises(BudgetError, match="all groups"):
        Allocator([8], chain_macs([8, 8]))
