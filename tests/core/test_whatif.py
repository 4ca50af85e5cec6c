"""Another budget by arithmetic: places, counts and ratios against what one would do by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalyst_core import whatif

SIZES = [4, 6, 3]


def by_hand(groups, standings):
    """Channels of each group sorted by Python: smallest standing first, of equal ones the later channel."""
    place = [0] * len(groups)
    for group in set(groups):
        members = [channel for channel, one in enumerate(groups) if one == group]
        for number, channel in enumerate(sorted(members, key=lambda one: (*(key[one] for key in standings), -one))):
            place[channel] = number
    return place


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-2, 2)), min_size=13, max_size=13))
def test_places_are_those_of_a_sort_by_hand(standings):
    groups = np.repeat([0, 1, 2], SIZES)
    first, second = zip(*standings, strict=True)
    assert whatif.places(groups, (first, second)).tolist() == by_hand(groups.tolist(), (first, second))


@given(st.tuples(*(st.integers(0, size - 1) for size in SIZES)), st.floats(0, 1), st.floats(0, 1))
def test_counts_are_the_run_s_own_at_its_ratio_and_never_fall(own, one, other):
    ratio = sum(own) / sum(SIZES)
    assert whatif.counts(SIZES, own, ratio).tolist() == list(own)
    few, many = (whatif.counts(SIZES, own, value) for value in sorted((one, other)))
    assert (few <= many).all()
    assert (many < SIZES).all()


def test_a_uniform_run_gives_in_every_group_alike():
    assert whatif.counts([32, 64, 64], [16, 32, 32], 0.9).tolist() == [29, 58, 58]
    assert whatif.counts([32, 64, 64], [0, 0, 0], 0.25).tolist() == [8, 16, 16]


@pytest.mark.parametrize("own", [0.05, 0.5, 0.96, 0.99])
def test_a_dozen_ratios_rise_around_the_run_s_own(own):
    found = whatif.around(own)
    assert own in found
    assert found == sorted(set(found))
    assert 0 < found[0] < 1
    assert len(found) == (12 if own < whatif.MOST else 4)
