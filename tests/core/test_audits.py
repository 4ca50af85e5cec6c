"""The audits against brute force and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, spearmanr

from catalyst_core import audits
from catalyst_core.errors import ConfigError

EPS = np.array([0.0, 0.01, 0.1, 0.5, 2.0])


def population(seed=0, sizes=(12, 20)):
    """Magnitudes, thresholds, decisions and group ids."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    n = rng.lognormal(size=len(groups))
    limits = np.array([np.median(n[groups == g]) for g in range(len(sizes))])[groups] + 0.01
    return n, limits, n > limits, groups


def test_decision_gap_by_hand():
    n = np.array([1.0, 4.0, 5.0, 6.0, 0.0, 2.0, 9.0])
    kept = np.array([0, 1, 1, 1, 0, 1, 1], bool)
    groups = np.array([0, 0, 0, 0, 1, 1, 2])
    # group 0: (4 - 1) / 5, of 4 channels; group 1: (2 - 0) / 2, of 2; group 2 has one side only.
    assert audits.decision_gap(n, kept, groups) == pytest.approx((0.6 * 4 + 1.0 * 2) / 6)


def test_decision_gap_is_negative_where_a_larger_filter_goes_and_nan_where_nothing_goes():
    assert audits.decision_gap([3.0, 1.0], [False, True], [0, 0]) == -2
    assert np.isnan(audits.decision_gap([3.0, 1.0], [True, True], [0, 0]))


def test_margins():
    found = audits.margins([2.0, 0.5, 0.0, 3.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0, 0.0, np.nan], [1, 0, 0, 1, 0, 1])
    np.testing.assert_allclose(found, [np.log(2), -np.log(2), -np.inf, np.inf, -np.inf, np.inf])


@pytest.mark.parametrize("noisy_limits", [False, True])
def test_the_flip_curve_is_what_brute_force_counts(noisy_limits):
    n, limits, kept, groups = population()
    found = audits.flip_curve(n, limits, kept, groups, EPS, noisy_limits=noisy_limits, draws=300, seed=4)
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((300, len(n)))
    other = rng.standard_normal((300, len(n))) if noisy_limits else np.zeros_like(noise)
    scale = np.array([np.median(n[kept & (groups == g)]) for g in groups])
    expected = [((n + eps * scale * noise > limits + eps * scale * other) != kept).mean() for eps in EPS]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found[0] == 0
    assert (np.diff(found) >= 0).all()


def test_the_flip_point_is_where_the_curve_passes_one_percent():
    n, limits, kept, groups = population(3)
    point = audits.flip_point(n, limits, kept, groups, seed=1)
    below, above = audits.flip_curve(n, limits, kept, groups, [point * 0.999, point * 1.001], seed=1)
    assert below < 0.01 <= above


def test_channels_without_a_limit_flip_nothing():
    n, limits, kept, groups = population()
    assert np.isnan(audits.flip_curve(n, np.full(len(n), np.nan), kept, groups, EPS)).all()
    assert np.isnan(audits.flip_point(n, np.full(len(n), np.nan), kept, groups))
    some = np.where(groups == 0, limits, np.nan)
    first = groups == 0
    rest = audits.flip_point(n, some, kept, groups, seed=2, draws=5000)
    assert rest == pytest.approx(audits.flip_point(n[first], limits[first], kept[first], groups[first], draws=5000), rel=0.1)


def test_a_wide_gap_bears_more_noise():
    n = np.array([0.0] * 10 + [1.0] * 10)
    kept, groups = n > 0, np.zeros(20)
    wide = audits.flip_point(n, np.full(20, 0.5), kept, groups)
    assert wide > audits.flip_point(n, np.full(20, 0.95), kept, groups) > 0


@given(st.integers(0, 10_000), st.integers(3, 30))
def test_bias_within_one_group_is_spearman_and_mann_whitney(seed, size):
    rng = np.random.default_rng(seed)
    n = rng.integers(0, 8, size).astype(float)  # with ties
    kept = rng.random(size) < 0.5
    if kept.all() or not kept.any() or np.ptp(n) == 0:
        assert np.isnan(audits.magnitude_bias(n, kept, np.zeros(size), draws=0).correlation)
        return
    bias = audits.magnitude_bias(n, kept, np.zeros(size), draws=0)
    assert bias.correlation == pytest.approx(spearmanr(n, kept).statistic, abs=1e-12)
    assert bias.auc == pytest.approx(mannwhitneyu(n[kept], n[~kept]).statistic / (kept.sum() * (~kept).sum()))
    assert np.isnan(bias.low)


def test_bias_is_taken_within_groups_and_averaged_by_size():
    # The layer of large filters loses most of its channels: pooled, small filters survive; within, there is no such thing.
    n = np.concatenate([np.arange(1.0, 9), 100 + np.arange(1.0, 5)])
    groups = np.repeat([0, 1], [8, 4])
    kept = np.array([0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1], bool)
    each = [spearmanr(n[groups == g], kept[groups == g]).statistic for g in (0, 1)]
    bias = audits.magnitude_bias(n, kept, groups, seed=0)
    assert bias.correlation == pytest.approx((8 * each[0] + 4 * each[1]) / 12)
    assert bias.correlation > 0 > spearmanr(n, kept).statistic
    assert bias.low <= bias.correlation <= bias.high
    assert bias.auc == 1


def test_groups_that_say_nothing_contribute_nothing():
    n = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 5.0, 6.0])
    kept = np.array([1, 0, 1, 0, 1, 1, 1, 0], bool)
    groups = np.array([0, 0, 0, 0, 1, 1, 2, 2])  # equal magnitudes; all kept; the larger one goes
    assert audits.magnitude_bias(n, kept, groups).correlation == -1
    nothing = audits.magnitude_bias(n[:6], kept[:6], groups[:6])
    assert np.isnan([nothing.correlation, nothing.low, nothing.high, nothing.auc]).all()


def test_the_bootstrap_interval_covers_no_relation_where_there_is_none_and_not_where_there_is():
    rng = np.random.default_rng(0)
    n, groups = rng.random(200), np.repeat([0, 1], 100)
    none = audits.magnitude_bias(n, rng.random(200) < 0.5, groups, seed=1)
    assert none.low < 0 < none.high
    all_of_it = audits.magnitude_bias(n, n > 0.5, groups, seed=1)
    assert 0 < all_of_it.low <= all_of_it.correlation <= all_of_it.high <= 1


@given(st.integers(0, 10_000), st.integers(4, 12))
def test_every_bootstrap_draw_is_spearman_of_the_drawn_channels(seed, size):
    rng = np.random.default_rng(seed)
    n = rng.integers(0, 5, size).astype(float)  # with ties, and more of them in every draw
    kept = rng.random(size) < 0.5
    picks = np.random.default_rng(7).integers(size, size=(40, size))
    drawn = [spearmanr(n[pick], kept[pick]).statistic for pick in picks if np.ptp(n[pick]) > 0 and np.ptp(kept[pick] * 1) > 0]
    bias = audits.magnitude_bias(n, kept, np.zeros(size), draws=40, seed=7)
    if np.isnan(bias.correlation):
        return
    np.testing.assert_allclose([bias.low, bias.high], np.quantile(drawn, [0.025, 0.975]), atol=1e-12)


@given(st.integers(0, 10_000))
def test_bias_knows_only_the_order_of_magnitudes_and_not_that_of_the_channels(seed):
    rng = np.random.default_rng(seed)
    n, groups = rng.random(24), np.repeat([0, 1], [10, 14])
    kept = rng.random(24) < 0.5
    plain = audits.magnitude_bias(n, kept, groups, draws=0)
    grown = audits.magnitude_bias(np.exp(5 * n), kept, groups, draws=0)
    assert (grown.correlation, grown.auc) == pytest.approx((plain.correlation, plain.auc), nan_ok=True)
    order = rng.permutation(24)
    shuffled = audits.magnitude_bias(n[order], kept[order], groups[order], draws=0)
    assert shuffled.correlation == pytest.approx(plain.correlation, nan_ok=True)
    reverse = audits.magnitude_bias(-n, kept, groups, draws=0)
    assert reverse.correlation == pytest.approx(-plain.correlation, nan_ok=True)
    assert reverse.auc == pytest.approx(1 - plain.auc, nan_ok=True)


def test_one_set_of_draws_gives_the_curve_and_the_point():
    n, limits, kept, groups = population(5)
    critical = audits.flip_noise(n, limits, kept, groups, draws=50, seed=3)
    np.testing.assert_array_equal(
        audits.share_flipped(critical, EPS), audits.flip_curve(n, limits, kept, groups, EPS, draws=50, seed=3)
    )
    assert audits.noise_that_flips(critical, 0.2) == audits.flip_point(n, limits, kept, groups, draws=50, seed=3, share=0.2)


WRONG = {
    "one entry a channel": lambda: audits.decision_gap([1.0, 2.0], [True], [0, 0]),
    "not be of": lambda: audits.magnitude_bias([[1.0, 2.0]], [[True, False]], [[0, 0]]),
    "channel 1 is NaN": lambda: audits.magnitude_bias([1.0, np.nan], [True, False], [0, 0]),
    "limits must hold": lambda: audits.flip_noise([1.0, 2.0], [1.5], [False, True], [0, 0]),
    "at least 1": lambda: audits.flip_point([1.0, 2.0], [1.5, 1.5], [False, True], [0, 0], draws=0),
    "must not be negative": lambda: audits.magnitude_bias([1.0, 2.0], [True, False], [0, 0], draws=-1),
}


@pytest.mark.parametrize("said", WRONG)
def test_arrays_that_cannot_be_audited_are_one_sentence(said):
    with pytest.raises(ConfigError, match=said):
        WRONG[said]()
