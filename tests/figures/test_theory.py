"""The figures of the theory: what they draw is what the flow does."""

import numpy as np
import pytest

from catalyst_core import theory
from catalyst_core.figures import theory as figures


@pytest.fixture(scope="module")
def simulated():
    population = theory.draw_population(40, seed=4)
    paths = {rule: theory.simulate(rule, population, strength=0.8, ratio=1.2, time=4.0) for rule in theory.RULES}
    exact = {rule: theory.closed_form(rule, path.times, population, strength=0.8, ratio=1.2) for rule, path in paths.items()}
    return population, paths, exact


def traces(figure, name):
    return [trace for trace in figure.data if (trace.name or "").endswith(name)]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("pull", [-0.5, 0.0, 0.8])
def test_no_flow_line_crosses_the_boundary(theme, pull):
    figure = figures.plot_portrait(1.5, 1.1, pull, theme=theme)
    boundary = float(theory.critical_ratio(1.5, pull))
    for name, above in (("flows to preserved", False), ("flows to pruned", True)):
        (trace,) = traces(figure, name)
        n, d = np.asarray(trace.x, float), np.asarray(trace.y, float)
        inside = np.isfinite(n)
        side = d[inside] - boundary * n[inside]
        assert (side >= -1e-9).all() if above else (side <= 1e-9).all()


def test_the_caption_tells_fate_and_time():
    assert "ends preserved after t = 0.549," in figures.caption_portrait(1.0, 0.5, 0.0)
    assert "ends pruned after t = 0.549," in figures.caption_portrait(1.0, 2.0, 0.0)
    assert "stays undecided" in figures.caption_portrait(1.0, 1.0, 0.0)


def test_simulation_and_closed_form_are_drawn_together(simulated):
    population, paths, exact = simulated
    figure = figures.plot_population(population, paths, exact)
    for rule, title in (("catalyst", "Catalyst"), ("l1", "L1"), ("group_lasso", "Group Lasso")):
        alive, gone = (traces(figure, f"{title}, {fate}")[0] for fate in ("alive", "pruned"))
        (dots,) = traces(figure, f"{title}, closed form")
        for drawn, source in ((alive, paths), (gone, paths), (dots, exact)):
            shown = np.asarray(drawn.y, float)
            shown = shown[np.isfinite(shown)]
            assert shown.size
            assert np.isin(shown, source[rule].magnitudes).all()
    assert figures.caption_population(paths, exact).startswith("Lines: proximal steps. Dots: closed forms.")


def test_fates_show_every_filter_once(simulated):
    population, paths, _ = simulated
    figure = figures.plot_fates(population, paths, strength=0.8, ratio=1.2)
    for title in ("Catalyst", "L1", "Group Lasso"):
        drawn = [len(traces(figure, f"{title}, {fate}")[0].x) for fate in ("alive", "pruned")]
        assert sum(drawn) == 40
    level = np.unique(np.round(np.asarray(traces(figure, "boundary")[0].y, float), 12))
    assert level == pytest.approx([theory.critical_pull(0.8, 1.2)])
    assert "of 40 alive" in figures.caption_fates(population, paths)


def test_one_fate_has_no_correlation(simulated):
    population, *_ = simulated
    path = theory.Paths(np.array([0.0, 1.0]), np.ones((2, 40)), None)
    assert "survival –" in figures.caption_fates(population, {"l1": path})
