"""The five closed forms of docs/mathematics.md, as properties of the steps that training takes."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from catalyst_core.regularizers import build_regularizer
from tests.core.made import catalyst_with, group_of

sizes = st.floats(1e-3, 1e3)
steps = st.floats(0.02, 0.45)


def run(reg, size, count, grow=None):
    """`count` steps of size t; `grow` multiplies the filters before each, as a task would. Yields (n, D) after each."""
    for _ in range(count):
        if grow is not None:
            reg.groups[0].scale_(grow)
        reg.step(size)
        yield reg.groups[0].magnitudes().numpy(), reg.catalysts[0].numpy()


@given(n=sizes, u=st.floats(0.01, 3), t=steps)
@settings(deadline=None, max_examples=50)
def test_bifurcation(n, u, t):
    """Ratios above 1 end pruned, ratios below 1 end preserved, both exactly."""
    reg = catalyst_with([n, n], [n * np.exp(u), n * np.exp(-u)])
    for _ in run(reg, t, 2000):
        if reg.undecided == 0:
            break
    magnitudes, catalysts = reg.measure().magnitudes, reg.measure().catalysts
    assert magnitudes[0] == 0 < catalysts[0]
    assert catalysts[1] == 0 < magnitudes[1]
    assert reg.undecided == 0


@given(scales=st.lists(sizes, min_size=2, max_size=8), ratio=st.floats(0.2, 0.95) | st.floats(1.05, 5), t=steps)
@settings(deadline=None, max_examples=50)
def test_zero_bias(scales, ratio, t):
    """Filters that start at one ratio have one fate, in the same step, whatever their magnitudes."""
    n = np.array([*scales, 1e4])
    d = np.append(ratio * n[:-1], 1e-3)  # the last one keeps the group alive
    reg = catalyst_with(n, d)
    ends = np.zeros(len(n), dtype=int)
    for index, (magnitudes, catalysts) in enumerate(run(reg, t, 400)):
        ends[(ends == 0) & (magnitudes * catalysts == 0)] = index + 1
        if ends.all():
            break
    fates = magnitudes[:-1] == 0
    assert (fates == (ratio > 1)).all()
    # Rounding may decide on which side of a step an end falls that comes exactly at its edge.
    assert np.ptp(ends[:-1]) <= 1


@given(n=sizes, c=st.floats(0.1, 0.9) | st.floats(1.1, 5))
@settings(deadline=None, max_examples=30)
def test_conserved_quantity(n, c):
    """As the step goes to zero: n^2 - D^2 is constant, and the end comes after artanh(min(c, 1 / c)) / lambda."""
    t = 2e-3
    reg = catalyst_with([n, 1e4], [c * n, 1e-3])
    end = int(np.ceil(np.arctanh(min(c, 1 / c)) / t))
    taken = 0
    for magnitudes, catalysts in run(reg, t, int(1.05 * end) + 10):
        taken += 1
        if magnitudes[0] * catalysts[0] == 0:
            break
    assert taken == pytest.approx(end, rel=0.02, abs=3)
    left = magnitudes[0] if c < 1 else catalysts[0]
    assert left == pytest.approx(np.sqrt(abs(1 - c**2)) * n, rel=5e-3)


@given(n=sizes, c=st.floats(0.05, 20), t=steps, count=st.integers(1, 12))
@settings(deadline=None)
def test_discrete_steps_are_exact(n, c, t, count):
    """n + D falls by 1 - t and n - D grows by 1 + t in every step until one of them is zero; its sign never changes."""
    assume(abs(c - 1) > 1e-6)
    reg = catalyst_with([n, 1e4], [c * n, 1e-3])
    for index, (magnitudes, catalysts) in enumerate(run(reg, t, count)):
        total, difference = (n + c * n) * (1 - t) ** (index + 1), (n - c * n) * (1 + t) ** (index + 1)
        if total <= abs(difference):
            break
        assert magnitudes[0] + catalysts[0] == pytest.approx(total, rel=1e-9)
        assert magnitudes[0] - catalysts[0] == pytest.approx(difference, rel=1e-9, abs=1e-12 * n)
        assert np.sign(magnitudes[0] - catalysts[0]) == np.sign(1 - c)


@given(c=st.floats(0.5, 2), strength=st.floats(0.5, 2), excess=st.floats(0.1, 1), above=st.booleans())
@settings(deadline=None, max_examples=30)
def test_criterion(c, strength, excess, above):
    """With a constant pull g a filter is pruned exactly when g < lambda (c - 1 / c)."""
    rate = 0.01
    pull = strength * (c - 1 / c) + (excess if above else -excess)
    # The grown step multiplies by exp(rate * g) first, which moves u by -rate * g.
    reg = catalyst_with([1.0, 1.0], [c, 1e-9], strength=strength)
    grow = torch.tensor([np.exp(rate * pull), 1.0], dtype=torch.float64)
    for magnitudes, catalysts in run(reg, rate, 2000, grow):
        if magnitudes[0] * catalysts[0] == 0:
            break
    assert (magnitudes[0] > 0) == above


@given(n=sizes, c=st.floats(0.02, 50), t=st.floats(0.001, 0.999), count=st.integers(1, 20))
@settings(deadline=None)
def test_no_step_below_one_turns_the_sign_of_n_minus_d(n, c, t, count):
    """For 0 < t < 1, steps of any size: sign(n - D) is what it was, until one of the two is zero, and never the opposite."""
    assume(abs(c - 1) > 1e-6)
    reg = catalyst_with([n, 1e4], [c * n, 1e-3])
    for magnitudes, catalysts in run(reg, t, count):
        assert np.sign(magnitudes[0] - catalysts[0]) == np.sign(1 - c)


@given(
    n=st.lists(sizes, min_size=2, max_size=10),
    powers=st.lists(st.integers(-20, 20), min_size=10, max_size=10),
    t=st.floats(0.02, 0.45),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=30)
def test_trajectories_scale_with_powers_of_two_bit_for_bit(n, powers, t, seed):
    """Filters times 2^k, D times 2^k: every later n and D is times 2^k too, to the last bit, budget and settling included."""
    scales = 2.0 ** np.array(powers[: len(n)])
    rng = np.random.default_rng(seed)
    pulls = [torch.from_numpy(np.exp(0.05 * rng.standard_normal(len(n)))) for _ in range(30)]
    plain, scaled = (
        build_regularizer("catalyst", [group_of(values)], pruning_ratio=0.5, total_steps=30, every=1, strength=1.0)
        for values in (np.array(n), np.array(n) * scales)
    )
    for pull in pulls:
        for reg in (plain, scaled):
            reg.groups[0].scale_(pull)
            reg.step(t)
        np.testing.assert_array_equal(scaled.measure().magnitudes, plain.measure().magnitudes * scales)
        np.testing.assert_array_equal(scaled.measure().catalysts, plain.measure().catalysts * scales)
    np.testing.assert_array_equal(scaled.measure().kept, plain.measure().kept)


@given(n=sizes, c=st.floats(0.02, 0.98) | st.floats(1.02, 50), t=st.floats(0.01, 0.95))
@settings(deadline=None, max_examples=100)
def test_the_number_of_steps_to_the_end_is_exact(n, c, t):
    """|n - D| / (n + D) grows by (1 + t) / (1 - t) a step: the end comes after ceil(artanh(min(c, 1 / c)) / artanh(t)) steps."""
    exact = np.arctanh(min(c, 1 / c)) / np.arctanh(t)
    assume(abs(exact - round(exact)) > 1e-6)  # rounding decides an end that falls on the edge of a step
    reg = catalyst_with([n, 1e4], [c * n, 1e-4])
    taken = 0
    for magnitudes, catalysts in run(reg, t, 2 + int(np.ceil(exact))):
        taken += 1
        if magnitudes[0] * catalysts[0] == 0:
            break
    assert taken == np.ceil(exact)
    assert (magnitudes[0] == 0) == (c > 1)


@given(n=sizes, c=st.floats(0.05, 0.95) | st.floats(1.05, 20), strength=st.floats(0.2, 5))
@settings(deadline=None, max_examples=30)
def test_the_time_of_the_bifurcation(n, c, strength):
    """In the limit of small steps the end comes at the time artanh(min(c, 1 / c)) / lambda, for filters of any size."""
    times = []
    for rate in (4e-3 / strength, 2e-3 / strength):
        reg = catalyst_with([n, 1e4], [c * n, 1e-6], strength=strength)
        taken = 0
        for magnitudes, catalysts in run(reg, rate, 3000):
            taken += 1
            if magnitudes[0] * catalysts[0] == 0:
                break
        times.append(taken * rate)
    exact = np.arctanh(min(c, 1 / c)) / strength
    for time, rate in zip(times, (4e-3 / strength, 2e-3 / strength), strict=True):
        assert time == pytest.approx(exact, abs=2 * rate)
