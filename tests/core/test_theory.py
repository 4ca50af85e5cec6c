"""The simulated flow against its closed forms, and the closed forms against the differential equation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalyst_core import theory
from catalyst_core.errors import ConfigError

ratios = st.floats(0.1, 0.9) | st.floats(1.1, 5)
strengths = st.floats(0.1, 5)
sizes = st.floats(1e-3, 1e3)


@given(n=sizes, ratio=ratios, strength=strengths)
def test_the_end_of_the_free_flow(n, ratio, strength):
    """c < 1 ends preserved at sqrt(1 - c^2) n; c > 1 ends pruned with D = sqrt(c^2 - 1) n; at artanh(min(c, 1/c)) / lambda."""
    end = theory.decision_time(ratio, strength)
    np.testing.assert_allclose(end, np.arctanh(min(ratio, 1 / ratio)) / strength, rtol=1e-9)
    path = theory.catalyst_flow([0.0, 0.5 * end, 2 * end], n, ratio * n, strength)
    magnitudes, catalysts = path.magnitudes[:, 0], path.catalysts[:, 0]
    np.testing.assert_allclose(magnitudes[:2] ** 2 - catalysts[:2] ** 2, (1 - ratio**2) * n**2, rtol=1e-7)
    if ratio < 1:
        assert catalysts[2] == 0
        np.testing.assert_allclose(magnitudes[2], np.sqrt(1 - ratio**2) * n, rtol=1e-7)
    else:
        assert magnitudes[2] == 0
        np.testing.assert_allclose(catalysts[2], np.sqrt(ratio**2 - 1) * n, rtol=1e-7)


@given(n=st.floats(0.1, 10), ratio=ratios, strength=strengths, pull=st.floats(-2, 2))
def test_the_closed_form_solves_the_flow(n, ratio, strength, pull):
    """Its numerical derivative before the decision is the right-hand side."""
    end = float(theory.decision_time(ratio, strength, pull))
    if not np.isfinite(end) or end < 1e-2:
        return
    middle, width = 0.5 * end, 1e-5 * end
    path = theory.catalyst_flow([middle - width, middle, middle + width], n, ratio * n, strength, pull)
    dn, dd = theory.flow(path.magnitudes[1], path.catalysts[1], strength, pull)
    scale = n * (1 + ratio) * (strength + abs(pull))
    np.testing.assert_allclose(np.diff(path.magnitudes[::2], axis=0)[0] / (2 * width), dn, atol=1e-4 * scale, rtol=1e-4)
    np.testing.assert_allclose(np.diff(path.catalysts[::2], axis=0)[0] / (2 * width), dd, atol=1e-4 * scale, rtol=1e-4)


@given(strength=strengths, pull=st.floats(-3, 3))
def test_two_forms_of_the_criterion_agree(strength, pull):
    ratio = float(theory.critical_ratio(strength, pull))
    np.testing.assert_allclose(theory.critical_pull(strength, ratio), pull, atol=1e-9)


@given(n=sizes, ratio=ratios, step=st.floats(0.001, 0.2), count=st.integers(0, 8))
def test_discrete_steps_have_a_closed_form(n, ratio, step, count):
    expected_n, expected_d = theory.discrete_path(n, ratio * n, step, count)
    if min(theory.discrete_path(n, ratio * n, step, k)[which] for k in range(count + 1) for which in (0, 1)) <= 1e-6 * n:
        return  # one of them has reached zero: the formula no longer applies
    population = theory.Population(np.full((1, 1), n), np.zeros(1))
    path = theory.simulate("catalyst", population, strength=step * max(count, 1), ratio=ratio, time=1.0, steps=max(count, 1))
    np.testing.assert_allclose(path.magnitudes[count, 0], expected_n, rtol=1e-9)
    np.testing.assert_allclose(path.catalysts[count, 0], expected_d, rtol=1e-9)


@pytest.mark.parametrize("rule", theory.RULES)
@pytest.mark.parametrize("pull", [0.0, 0.4, -0.4])
def test_the_simulation_converges_to_the_closed_form(rule, pull):
    """First order in the step: a tenth of the step, about a tenth of the error."""
    population = theory.draw_population(40, pull=pull, spread=0.3, seed=3)
    errors = []
    for steps in (200, 2000):
        path = theory.simulate(rule, population, strength=0.5, ratio=1.3, time=2.0, steps=steps)
        exact = theory.closed_form(rule, path.times, population, strength=0.5, ratio=1.3)
        errors.append(np.abs(path.magnitudes - exact.magnitudes).max() / exact.magnitudes.max())
    assert errors[0] < 0.02
    assert errors[1] < 0.2 * errors[0]


def test_catalyst_sees_no_magnitude_and_group_lasso_sees_little_else():
    population = theory.draw_population(200, seed=1)
    options = {"strength": 0.5, "time": 30.0, "steps": 6000}
    kept = {rule: theory.simulate(rule, population, ratio=1.2, **options).kept for rule in ("catalyst", "group_lasso")}
    np.testing.assert_array_equal(kept["catalyst"], population.pulls > theory.critical_pull(0.5, 1.2))
    # Group Lasso keeps the filters whose pull times magnitude is above lambda.
    np.testing.assert_array_equal(kept["group_lasso"], population.pulls * population.magnitudes > 0.5)


@given(factor=st.floats(0.01, 100))
@settings(max_examples=25)
def test_rescaling_every_filter_changes_no_fate(factor):
    population = theory.draw_population(30, seed=2)
    scaled = theory.Population(population.filters * factor, population.pulls)
    fates = [theory.simulate("catalyst", one, strength=1.0, ratio=1.1, time=4.0).kept for one in (population, scaled)]
    np.testing.assert_array_equal(*fates)


def test_a_step_that_is_too_large_is_one_sentence():
    with pytest.raises(ConfigError, match="between 0 and 1"):
        theory.simulate("catalyst", theory.draw_population(), strength=5.0, time=10.0, steps=10)
    with pytest.raises(ConfigError, match="at least 2 filters"):
        theory.draw_population(1)
