"""Weights by their size over time, from TensorBoard's histograms: the bifurcation map of single weights, a row a series."""

import numpy as np
import pandas as pd

from catalyst_core.events import HISTOGRAM_BINS
from catalyst_core.figures import words
from catalyst_core.figures.density import FULL, STOPS, moments
from catalyst_core.figures.sheet import Panel, Plot, Sheet
from catalyst_core.figures.style import Look, Theme, mix
from catalyst_core.figures.weights import AXIS, NOTHING, WHAT, Axis, looks_of, ours_sentence, say, unsure_sentence
from catalyst_core.frames.columns import split
from catalyst_core.frames.view import BIN_EDGES

ROW = 98  # pixels a series


@Plot
def plot_weight_map(frame: pd.DataFrame, *, theme: Theme = "light", reason: str = NOTHING) -> Sheet:
    """Weights in each fixed bin of |w| over the steps, a row a series of a `weights_frame`; what is smaller at the foot.

    Cells are counts; the colour says which share of the series' weights they are.
    """
    looks, left_out = looks_of(frame, theme)
    axis = Axis.over(frame, looks, foot=0.12)
    sheet = Sheet(theme, height=max(300, 70 + ROW * len(looks)), left=68)
    panels = sheet.rows([look.title for look in looks.values()])
    reach = _reach(frame["step"].to_numpy())
    parts = split(frame)
    for panel, (label, look) in zip(panels, looks.items(), strict=False):
        last = panel is panels[-1]
        across = {"range": reach} | ({"title": "steps"} if last else {"showticklabels": False, "matches": panels[-1].x})
        sheet.axes(panel, across, axis.x(most=4) | {"showgrid": False}, name=look.title)
        _map(sheet, panel, parts[label], look, (axis, reach))
    if looks:
        sheet.title_y(AXIS)
        say(sheet, left_out or f"colour: 0 to {100 * FULL:.0f} % of the weights, square-root scale")
    else:
        sheet.axes(panels[0], {"title": "steps", "range": reach}, axis.x(AXIS))
        sheet.empty(reason)
    return sheet


def caption_weight_map(frame: pd.DataFrame) -> str:
    """What is counted, and over which steps."""
    looks, _ = looks_of(frame, "light")
    if not looks:
        return NOTHING
    axis = Axis.over(frame, looks)
    parts = split(frame)
    told = [f"{look.title} {parts[label]['step'].nunique()} looks" for label, look in looks.items()]
    said = f"Over the steps: {WHAT}; at the foot what is {axis.below}. {words.listed(told)}."
    return said + unsure_sentence(parts, looks) + ours_sentence(frame)


def _reach(steps: np.ndarray) -> list[float]:
    """From the first to the last step, and half a column more on both sides."""
    known = np.unique(steps) if len(steps) else np.array([0, 1])
    half = float(np.median(np.diff(known))) / 2 if len(known) > 1 else 0.5
    return [float(known[0]) - half, float(known[-1]) + half]


def _map(sheet: Sheet, panel: Panel, frame: pd.DataFrame, look: Look, axes: tuple[Axis, list[float]]) -> None:
    axis, reach = axes
    drawn = frame[frame["step"].isin(moments(frame["step"].to_numpy(), 0))]
    steps, column = np.unique(drawn["step"].to_numpy(), return_inverse=True)
    counts = np.zeros((HISTOGRAM_BINS + 1, len(steps)))
    np.add.at(counts, (drawn["bin"].to_numpy() + 1, column), drawn["count"].to_numpy())
    foot = counts[: 1 + axis.low].sum(axis=0, keepdims=True)
    dark = mix(look.colour, sheet.paper.ink, 0.45)
    shades = [
        mix(sheet.paper.paper, look.colour, 2 * p) if p <= 0.5 else mix(look.colour, dark, 2 * p - 1) for p in np.sqrt(STOPS)
    ]
    common = {"type": "heatmap", "name": look.title, "x": steps.astype(float), "showscale": False, "zmin": 0}
    common |= {"zmax": FULL * max(1.0, float(counts.sum(axis=0).max(initial=1)))}
    common |= {"colorscale": list(map(list, zip(STOPS, shades, strict=True)))}
    end = f" at step %{{x:.0f}}<extra>{look.title}</extra>"
    small = {"y": np.array(axis.scale.zero_span), "z": foot, "hovertemplate": f"%{{z:.4~g}} weights {axis.below}<br>{end}"}
    sheet.add(panel, **common, **small, meta=axis.scale.meaning("y"))
    rows = {"y": BIN_EDGES[axis.low : axis.high + 1], "z": counts[1 + axis.low : 1 + axis.high]}
    sheet.add(panel, **common, **rows, hovertemplate="%{z:.4~g} weights near |w| = %{y:.2~g}<br>" + end)
    # Printed, a panel reaches as far as its last heat map: this one, of two columns, is empty and as long for each series.
    halves = reach[0] + (reach[1] - reach[0]) * np.array([0.25, 0.75])
    sheet.add(panel, **common | {"x": halves}, y=np.array(axis.scale.zero_span), z=np.full((1, 2), np.nan))
