"""The flow's phase portrait, and a population of filters under three regularizers, simulated and in closed form."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalyst_core import theory
from catalyst_core.figures import style, words
from catalyst_core.figures.scales import LogScale
from catalyst_core.figures.sheet import Panel, Plot, Sheet
from catalyst_core.figures.style import Theme
from catalyst_core.theory import Array, Paths, Population, Rule

SPAN = 2.0  # n and D run from 0 to here in the portrait
STARTS = 7  # flow lines from each edge of it
FLOOR = 1e-3  # magnitudes below this are drawn as pruned
DRAWN = 12  # filters of a population whose paths are drawn
TRACE, DOTS = 100, 14  # points of a path: of the simulation's line, of the closed form
POINTS, HEAD = 160, 32  # points of a flow line, and which of them gets the arrow head


@Plot
def plot_portrait(strength: float, ratio: float, pull: float, *, theme: Theme = "light") -> Sheet:
    """Flow lines of (n, D), the boundary D = r n between the two fates, the start D = c n and paths of four filters.

    Lines are closed forms; the dots on the four paths are proximal steps of a simulation.
    """
    sheet = Sheet(theme, height=430)
    panel = sheet.grid(1)[0]
    axis: dict[str, Any] = {"range": [0, SPAN]}
    sheet.axes(panel, axis | {"title": "filter magnitude n"}, axis | {"title": "catalyst variable D"}, name="flow")
    look = style.looks(["catalyst"], theme)["catalyst"]
    edge = (np.arange(STARTS) + 0.5) * SPAN / STARTS
    starts = [(SPAN, d) for d in edge] + [(n, SPAN) for n in edge]
    for name, colour, wanted in (("flows to preserved", look.colour, False), ("flows to pruned", sheet.paper.faint, True)):
        chosen = [one for one in starts if (one[1] / one[0] > theory.critical_ratio(strength, pull)) == wanted]
        _streams(sheet, panel, chosen, strength, pull, name=name, colour=colour)
    boundary = float(theory.critical_ratio(strength, pull))
    for name, slope, dash in (("boundary between the fates", boundary, "dash"), ("start, D = c n", ratio, "dot")):
        line = {"color": sheet.paper.ink, "width": 1.4, "dash": dash}
        reach = SPAN * min(1.0, 1 / slope)
        sheet.add(
            panel, type="scatter", mode="lines", name=name, x=[0.0, reach], y=[0.0, slope * reach], line=line, showlegend=True
        )
    _followed(sheet, panel, strength, ratio, pull)
    sheet.legend(["flows to preserved", "flows to pruned", "boundary between the fates", "start, D = c n", "simulated filter"])
    return sheet


def caption_portrait(strength: float, ratio: float, pull: float) -> str:
    """What becomes of a filter with these settings, and when."""
    boundary, when = float(theory.critical_ratio(strength, pull)), float(theory.decision_time(ratio, strength, pull))
    if np.isclose(ratio, boundary):
        return f"A filter that starts at D = {ratio:.3g} n sits on the boundary and stays undecided."
    fate = "pruned" if ratio > boundary else "preserved"
    return (
        f"A filter that starts at D = {ratio:.3g} n ends {fate} after t = {words.number(when, 3)}, whatever its magnitude: "
        f"the boundary is D = {'' if np.isclose(boundary, 1) else f'{boundary:.3g} '}n."
    )


@Plot
def plot_population(
    population: Population, paths: dict[Rule, Paths], exact: dict[Rule, Paths], *, theme: Theme = "light"
) -> Sheet:
    """Magnitude over time for some of the filters, a panel a regularizer: simulated (lines) and in closed form (dots)."""
    sheet = Sheet(theme, height=300)
    panels = sheet.grid(1, len(paths), gaps=(0, 0.06))
    chosen = np.unique(np.linspace(0, len(population.pulls) - 1, DRAWN).round().astype(int))
    highest = max(path.magnitudes[:, chosen].max() for path in paths.values())
    scale = LogScale.over(np.array([FLOOR, highest]), zeros=False)
    looks = style.looks(list(paths), theme)
    for panel, (rule, path) in zip(panels, paths.items(), strict=True):
        is_first = panel is panels[0]
        x = {"title": "time t", "range": [0, path.times[-1] * 1.02]}
        y = scale.axis("filter magnitude n" if is_first else "", labelled=is_first)
        sheet.axes(panel, x, y, name=looks[rule].title)
        sheet.note(panel, looks[rule].title, 0.5, 1.0, xanchor="center", yanchor="bottom", font={"color": looks[rule].colour})
        for kept, colour in ((True, looks[rule].colour), (False, sheet.paper.faint)):
            mine = chosen[path.kept[chosen] == kept]
            name = f"{looks[rule].title}, {'alive' if kept else 'pruned'}"
            _tracks(sheet, panel, *_drawable(path, mine, TRACE), name=name, colour=colour)
        _dots(sheet, panel, exact[rule], chosen, name=f"{looks[rule].title}, closed form")
    sheet.margin["t"] += 10
    return sheet


def caption_population(paths: dict[Rule, Paths], exact: dict[Rule, Paths]) -> str:
    """How far simulation and closed form are apart; the closed forms may be given at every k-th time of the simulation."""
    apart = {}
    for rule, path in paths.items():
        same = path.magnitudes[:: (len(path.times) - 1) // (len(exact[rule].times) - 1)]
        apart[rule] = np.abs(same - exact[rule].magnitudes).max() / path.magnitudes.max()
    parts = [f"{style.title(rule)} {words.number(100 * value)} %" for rule, value in apart.items()]
    return f"Lines: proximal steps. Dots: closed forms. Largest distance, of the largest magnitude: {words.listed(parts)}."


@Plot
def plot_fates(
    population: Population, paths: dict[Rule, Paths], *, strength: float, ratio: float, theme: Theme = "light"
) -> Sheet:
    """Every filter by its magnitude at the start and the task's pull on it: filled if it is alive at the end.

    The dashed line is where the fate changes if one waits for ever: g = lambda (c - 1/c) for Catalyst, which holds no
    magnitude; g = lambda / n for Group Lasso and, along its largest entry, about so for L1.
    """
    sheet = Sheet(theme, height=300)
    panels = sheet.grid(1, len(paths), gaps=(0, 0.06))
    start, looks = population.magnitudes, style.looks(list(paths), theme)
    scale = LogScale.over(start, zeros=False)
    reach = float(np.abs(population.pulls).max()) * 1.15
    for place, (panel, (rule, path)) in enumerate(zip(panels, paths.items(), strict=True)):
        x = scale.axis("magnitude at the start" if place == len(panels) // 2 else "", most=4)
        y = {"title": "" if place else "pull of the task g", "range": [-reach, reach], "showticklabels": not place}
        sheet.axes(panel, x, y, name=looks[rule].title)
        for kept in (True, False):
            mine = path.kept == kept
            sheet.add(
                panel,
                type="scatter",
                mode="markers",
                name=f"{looks[rule].title}, {'alive' if kept else 'pruned'}",
                x=start[mine],
                y=population.pulls[mine],
                marker={"symbol": "circle" if kept else "x-thin", "size": 7, "color": looks[rule].colour}
                | {"line": {"width": 0 if kept else 1.4, "color": sheet.paper.faint}},
                hovertemplate="n %{x:.2~g}, g %{y:.2~g}<extra>" + ("alive" if kept else "pruned") + "</extra>",
            )
        _boundary(sheet, panel, rule, scale, strength, ratio, reach)
        sheet.note(panel, looks[rule].title, 0.5, 1.0, xanchor="center", yanchor="bottom", font={"color": looks[rule].colour})
    sheet.margin["t"] += 10
    return sheet


def caption_fates(population: Population, paths: dict[Rule, Paths]) -> str:
    """How many filters are alive, and how much their magnitude at the start has to do with it."""
    ranks = population.magnitudes.argsort().argsort()
    parts = []
    for rule, path in paths.items():
        kept = path.kept
        undefined = kept.all() or not kept.any()
        tied = "–" if undefined else f"{np.corrcoef(ranks, kept)[0, 1]:+.2f}"
        parts.append(f"{style.title(rule)} {kept.sum()} of {kept.size} alive, correlation of magnitude with survival {tied}")
    return "; ".join(parts) + "."


def _streams(
    sheet: Sheet, panel: Panel, starts: list[tuple[float, float]], strength: float, pull: float, *, name: str, colour: str
) -> None:
    if not starts:
        return
    n, d = np.array(starts).T
    times = 4 / strength * np.linspace(0, 1, POINTS) ** 2
    path = theory.catalyst_flow(times, n, d, strength, pull)
    magnitudes, catalysts = path.magnitudes, np.asarray(path.catalysts)
    _tracks(sheet, panel, magnitudes, catalysts, name=name, colour=colour, legend=True)
    # A head takes its angle from the point before it, on the screen; that point itself has no size.
    x, y = (np.stack([values[HEAD - 1], values[HEAD]], axis=1).ravel() for values in (magnitudes, catalysts))
    heads = {"symbol": "arrow", "size": np.tile([0, 9], len(starts)), "color": colour, "angleref": "previous"}
    sheet.add(panel, type="scatter", mode="markers", name=f"{name}, direction", x=x, y=y, marker=heads, hoverinfo="skip")


def _followed(sheet: Sheet, panel: Panel, strength: float, ratio: float, pull: float) -> None:
    """Four filters of different magnitude that start at D = c n, by proximal steps."""
    sizes = np.linspace(0.25, 1, 4) * SPAN * min(1.0, 1 / ratio)
    population = Population(sizes[:, None], np.full(len(sizes), pull))
    path = theory.simulate("catalyst", population, strength=strength, ratio=ratio, time=4 / strength, steps=200)
    x, y = path.magnitudes[::5], np.asarray(path.catalysts)[::5]
    inside = (x <= SPAN) & (y <= SPAN)
    colour = style.looks(["catalyst"], sheet.theme)["catalyst"].colour
    dots = {"size": 6, "color": sheet.paper.paper, "line": {"width": 1.4, "color": colour}}
    x, y = x[inside], y[inside]
    sheet.add(panel, type="scatter", mode="markers", name="simulated filter", x=x, y=y, marker=dots, showlegend=True)


def _tracks(sheet: Sheet, panel: Panel, x: Array, y: Array, *, name: str, colour: str, legend: bool = False) -> None:
    """Many paths as one trace with gaps between them: x and y are (T, C)."""
    gap = np.full((1, y.shape[1]), np.nan)
    sheet.add(
        panel,
        type="scatter",
        mode="lines",
        name=name,
        x=np.vstack([x, gap]).T.ravel(),
        y=np.vstack([y, gap]).T.ravel(),
        line={"color": colour, "width": 1.3},
        showlegend=legend,
        hoverinfo="skip",
    )


def _dots(sheet: Sheet, panel: Panel, path: Paths, chosen: NDArray[np.int_], *, name: str) -> None:
    x, y = (values.ravel() for values in _drawable(path, chosen, DOTS))
    marker = {"size": 4, "color": sheet.paper.ink}
    sheet.add(panel, type="scatter", mode="markers", name=name, x=x, y=y, marker=marker, hoverinfo="skip")


def _drawable(path: Paths, chosen: NDArray[np.int_], points: int) -> tuple[Array, Array]:
    """(T, C) times and magnitudes at about `points` of the times, for a logarithmic axis: gone once below its end."""
    every = max(1, len(path.times) // points)
    magnitudes = path.magnitudes[::every, chosen]
    return np.broadcast_to(path.times[::every, None], magnitudes.shape), np.where(magnitudes > FLOOR, magnitudes, np.nan)


def _boundary(sheet: Sheet, panel: Panel, rule: Rule, scale: LogScale, strength: float, ratio: float, reach: float) -> None:
    if rule == "l1":
        return  # depends on every entry of a filter, not on its magnitude alone
    n = np.geomspace(10.0**scale.low, 10.0**scale.high, 60)
    g = np.full_like(n, theory.critical_pull(strength, ratio)) if rule == "catalyst" else strength / n
    inside = np.abs(g) <= reach
    line = {"color": sheet.paper.ink, "width": 1.4, "dash": "dash"}
    sheet.add(panel, type="scatter", mode="lines", name="boundary", x=n[inside], y=g[inside], line=line, hoverinfo="skip")
