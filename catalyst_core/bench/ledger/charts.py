"""Panels of lines or marks with error bars in two directions: what every figure of a ledger is drawn with."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from catalyst_core.figures.results import span
from catalyst_core.figures.sheet import HEAD, TOP, Panel, Sheet
from catalyst_core.figures.style import Look

NOTHING = "None of these methods has been raced yet."
DENSE = "dense network"
DODGE, WIDE_DODGE = 0.011, 0.035  # of an axis, between two methods; the second where no lines run between points
LEAST_SPAN = 0.1  # of the largest x, that an axis reaches over at least
TALL = 300  # pixels of a row of panels

Point = tuple[float, float, float | None, float | None]  # x, y, and their deviations; None where there is none


class Line(NamedTuple):
    """What is drawn of one contender."""

    look: Look
    points: Sequence[Point]
    is_curve: bool = False  # a line without marks


class Pane(NamedTuple):
    """One panel: its name, how its axes are titled, what is in it."""

    name: str
    x: dict[str, Any]
    y: str
    lines: Sequence[Line]
    dense: float | None = None  # a level that a dotted line shows
    is_dodged: bool = False  # contenders stand a little apart, as their x are the same
    cut: float | None = None  # an x where the filters go


def chart(panes: Sequence[Pane], *, heads: bool = False) -> go.Figure:
    """Two panels a row; `heads`: their names stand above them, and axes reach equally far. Without data the figure says so."""
    rows = -(-len(panes) // 2)
    sheet = Sheet("light", height=TALL * rows + 60)
    inner = sheet.height - TOP - sheet.margin["b"]
    lift = HEAD / inner if heads else 0.0
    panels = sheet.grid(rows, 2, gaps=(70 / inner + lift, 0.13))
    named: dict[str, None] = {}  # titles in the legend
    for panel, pane in zip(panels, panes, strict=False):
        ranges = _ranges(pane, [line for one in panes for line in one.lines] if heads else pane.lines)
        _draw(sheet, panel, pane, ranges, named)
        if heads:
            sheet.note(panel, pane.name, 0, 1, xanchor="left", yanchor="bottom", font={"size": 12})
    sheet.margin["t"] += HEAD if heads else 0
    sheet.layout["legend"] = {"y": 1 + lift}
    sheet.legend(list(named))
    if not named:
        sheet.empty(NOTHING)
    return sheet.figure()


def _draw(sheet: Sheet, panel: Panel, pane: Pane, ranges: tuple[dict[str, Any], dict[str, Any]], named: dict[str, None]) -> None:
    x, y = ranges
    sheet.axes(panel, x, y, name=pane.name)
    low, high = x["range"]
    if pane.dense is not None and pane.lines:
        level = Look(DENSE, sheet.paper.faint, "dot", "circle")
        _add(sheet, panel, Line(level, [(end, pane.dense, None, None) for end in (low, high)], True), 0.0, named)
    if pane.cut is not None:
        sheet.line(panel, x=(pane.cut, pane.cut), y=(0, 1), yref=f"{panel.y} domain", dash="dot")
        look = {"font": {"size": 10, "color": sheet.paper.faint}}
        sheet.note(panel, "cut", pane.cut, 0.02, xref=panel.x, xanchor="right", yanchor="bottom", xshift=-3, **look)
    dodge = DODGE if any(len(line.points) > 1 for line in pane.lines) else WIDE_DODGE
    for place, line in enumerate(pane.lines):
        aside = dodge * (high - low) * (place - (len(pane.lines) - 1) / 2) if pane.is_dodged else 0.0
        _add(sheet, panel, line, aside, named)


def _ranges(pane: Pane, lines: Sequence[Line]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both axes of a panel, around lines with their error bars."""
    points = [point for line in lines for point in line.points]
    across = [x + sign * (deviation or 0) for x, _, deviation, _ in points for sign in (-1, 1)]
    up = [y + sign * (deviation or 0) for _, y, _, deviation in points for sign in (-1, 1)]
    up += [pane.dense] if pane.dense is not None and points else []
    least, limits = LEAST_SPAN * max(across, default=1.0), (0, np.inf if points else 1)
    x = pane.x if "range" in pane.x else pane.x | span(pd.Series(across, dtype=float), least, limits)
    return x, {"title": pane.y} | span(pd.Series(up, dtype=float), 2, (0, 100))


def _add(sheet: Sheet, panel: Panel, line: Line, aside: float, named: dict[str, None]) -> None:
    look, ordered = line.look, sorted(line.points, key=lambda point: point[0])  # equal ones stay in their order
    x, y, dx, dy = (np.array(values, dtype=float) for values in zip(*ordered, strict=True))
    marks = {} if line.is_curve else {"marker": {"symbol": look.marker, "size": 8, "color": look.colour}}
    bars = {
        name: {"type": "data", "array": lengths, "thickness": 1, "width": 3}
        for name, lengths in (("error_x", dx), ("error_y", dy))
        if np.isfinite(lengths).any() and not line.is_curve
    }
    sheet.add(
        panel,
        type="scatter",
        mode="lines" if line.is_curve else "lines+markers" if len(x) > 1 else "markers",
        name=look.title,
        legendgroup=look.title,
        showlegend=look.title not in named,
        x=x + aside,
        y=y,
        line={"color": look.colour, "width": 1.4, "dash": look.dash},
        meta={"x_means": np.column_stack([x + aside, x]).tolist()} if aside else None,
        cliponaxis=False,
        **marks,
        **bars,
    )
    named[look.title] = None
