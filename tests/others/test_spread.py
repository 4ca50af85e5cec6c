"""Counts of signed buckets in the fixed bins of |w|, against closed forms and against the numbers themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalyst_core.frames.view import BIN_CENTRES, BIN_EDGES, bin_of
from catalyst_core.frames.weights import Look, Series, spread, weights_at, weights_frame

WIDTHS = np.diff(BIN_EDGES)


def spread_of(*buckets):
    """(lower limit, upper limit, count) each."""
    return spread(*(np.array(column, dtype=float) for column in zip(*buckets, strict=True)))


def test_a_bucket_around_zero_gives_every_bin_its_width():
    counts, unsure = spread_of((-1.0, 1.0, 1000.0))
    assert counts[0] == pytest.approx(1000 * BIN_EDGES[0])
    inside = BIN_EDGES[1:] <= 1 + 1e-12
    np.testing.assert_allclose(counts[1:], np.where(inside, 1000 * WIDTHS, 0.0), rtol=1e-9, atol=1e-9)
    assert unsure == 1000


def test_a_lopsided_bucket_is_folded_at_zero():
    """F(x) = 2 x up to 1, then 1 + x up to 3."""
    counts, _ = spread_of((-1.0, 3.0, 4.0))
    below = np.cumsum(counts)
    np.testing.assert_allclose(below[:-1], np.where(BIN_EDGES[:-1] <= 1, 2 * BIN_EDGES[:-1], np.minimum(1 + BIN_EDGES[:-1], 4)))
    assert below[-1] == pytest.approx(4)


def test_signs_do_not_matter_and_buckets_add_up():
    both, unsure = spread_of((-0.3, -0.1, 6.0), (0.1, 0.3, 10.0))
    one, _ = spread_of((0.1, 0.3, 16.0))
    np.testing.assert_allclose(both, one)
    assert unsure == 0
    assert one.sum() == pytest.approx(16)


@pytest.mark.parametrize(("number", "place"), [(0.0, 0), (-0.5, 1 + int(bin_of(np.array([0.5]))[0])), (1e-7, 0), (1e5, 96)])
def test_a_bucket_without_width_is_a_number(number, place):
    counts, unsure = spread_of((number, number, 7.0))
    assert np.flatnonzero(counts).tolist() == [place]
    assert (counts[place], unsure) == (7, 0)


def test_what_lies_above_the_bins_is_in_the_last_one():
    counts, _ = spread_of((50.0, 250.0, 200.0))
    assert counts.sum() == pytest.approx(200)
    assert counts[96] == pytest.approx(150 + 100 - BIN_EDGES[-2])


def test_nothing_is_nothing():
    counts, unsure = spread(*(np.empty(0),) * 3)
    assert (counts.sum(), unsure) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-4, 1),
    st.integers(1, 400),
)
def test_buckets_that_are_the_bins_give_what_the_numbers_themselves_do(seed, scale, many):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 10**scale, many) * (rng.random(many) < 0.8)
    limits = np.concatenate([-BIN_EDGES[::-1], BIN_EDGES])
    counts, _ = np.histogram(values, limits)
    found, _ = spread(limits[:-1], limits[1:], counts.astype(float))
    wanted = np.bincount(bin_of(np.abs(values)) + 1, minlength=97)
    tiny = np.abs(values) < BIN_EDGES[0]  # `bin_of` counts them in the lowest bin, or as zeros
    wanted[1] -= (tiny & (values != 0)).sum()
    wanted[0] = tiny.sum()
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0, 10), st.integers(0, 1000)), min_size=1, max_size=30))
def test_no_weight_is_lost(parts):
    counts, unsure = spread_of(*((left, left + width, many) for left, width, many in parts))
    assert counts.sum() == pytest.approx(sum(many for *_, many in parts))
    assert (counts >= 0).all()
    assert unsure <= counts.sum() * (1 + 1e-9)


def looks(*steps):
    return [Look(step, 10.0 * step, *spread_of((0.1, 0.2, 10.0 + step), (0.0, 0.0, 2.0))) for step in steps]


def test_a_frame_has_a_row_an_occupied_bin_and_names_what_differs():
    frame = weights_frame({Series("a", "conv"): looks(0, 5), Series("b", "conv"): looks(3)})
    assert list(frame["label"].cat.categories) == ["a", "b"]
    mine = frame[(frame["label"] == "a") & (frame["step"] == 5)]
    assert mine["count"].sum() == pytest.approx(17)
    assert mine.loc[mine["bin"] == -1, ["count", "magnitude", "time"]].iloc[0].tolist() == [2, 0, 50]
    rest = mine[mine["bin"] >= 0]
    np.testing.assert_allclose(rest["magnitude"], BIN_CENTRES[rest["bin"]])
    assert list(weights_frame({Series("a", "x"): looks(1), Series("a", "y"): looks(1)})["label"].cat.categories) == ["x", "y"]
    both = {Series(run, tag): looks(1) for run in "ab" for tag in "xy"}
    assert list(weights_frame(both)["label"].cat.categories) == ["x · a", "y · a", "x · b", "y · b"]
    clash = {Series("b · c", "a"): looks(1), Series("c", "a · b"): looks(1), Series("d", "e"): looks(1)}
    assert len(set(weights_frame(clash)["label"])) == 3


def test_each_series_is_shown_at_its_last_look_up_to_a_step():
    frame = weights_frame({Series("a", "conv"): looks(0, 5, 9), Series("b", "conv"): looks(3, 8)})
    at = weights_at(frame, 8).groupby("label", observed=True)["step"].unique()
    assert {label: steps.tolist() for label, steps in at.items()} == {"a": [5], "b": [8]}
    assert set(weights_at(frame)["step"]) == {9, 8}
    assert set(weights_at(frame, 1)["label"]) == {"a"}
    assert weights_at(frame, -1).empty
    assert weights_at(weights_frame({})).empty


def test_an_empty_histogram_is_a_look_too():
    frame = weights_frame({Series("a", "conv"): [Look(4, 0.0, np.zeros(97), 0.0)]})
    assert frame[["step", "bin", "count"]].to_numpy().tolist() == [[4, -1, 0]]
