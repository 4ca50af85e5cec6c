"""A sheet of panels to draw on: axes in a grid, traces, notes and lines, and what to say when there is nothing to draw."""

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, Generic, NamedTuple, ParamSpec

import pandas as pd
import plotly.graph_objects as go

from catalyst_core.figures import style
from catalyst_core.figures.style import Look, Paper, Theme

TOP, BOTTOM, LEFT, RIGHT = 14, 46, 58, 14  # pixels around the panels
LEGEND_LINE = 19  # pixels
HEAD = 20  # pixels above a row for its title

P = ParamSpec("P")


class Panel(NamedTuple):
    """One pair of axes, named as plotly names them."""

    x: str  # 'x', 'x2', ...
    y: str

    @property
    def keys(self) -> tuple[str, str]:
        """The layout's names: 'xaxis', 'yaxis2', ..."""
        return f"xaxis{self.x[1:]}", f"yaxis{self.y[1:]}"


class Sheet:
    """A figure while it is being drawn."""

    def __init__(self, theme: Theme, *, height: int, left: int = LEFT, bottom: int = BOTTOM) -> None:
        self.theme = theme
        self.paper: Paper = style.PAPERS[theme]
        self.data: list[dict[str, Any]] = []
        self.height = height
        self.layout: dict[str, Any] = {"annotations": [], "shapes": []}
        self.margin = {"l": left, "r": RIGHT, "t": TOP, "b": bottom}
        self.names: dict[str, str] = {}
        self.grid_of: list[Panel] = []

    def grid(self, rows: int, columns: int = 1, *, gaps: tuple[float, float] = (0.06, 0.12)) -> list[Panel]:
        """Panels row by row from the top; gaps are shares of the drawing's height and width."""
        panels = []
        tall, wide = ((1 - gap * (many - 1)) / many for gap, many in zip(gaps, (rows, columns), strict=True))
        for place in range(rows * columns):
            row, column = divmod(place, columns)
            number = str(place + 1) if place else ""
            panel = Panel(f"x{number}", f"y{number}")
            left, top = column * (wide + gaps[1]), 1 - row * (tall + gaps[0])
            self.layout[panel.keys[0]] = {"domain": [left, min(1.0, left + wide)], "anchor": panel.y}
            self.layout[panel.keys[1]] = {"domain": [max(0.0, top - tall), top], "anchor": panel.x}
            panels.append(panel)
        self.grid_of = panels
        return panels

    def rows(self, titles: Sequence[str]) -> list[Panel]:
        """Panels below each other, each with its title above it at the left; one bare panel if there is none."""
        if not titles:
            return self.grid(1)
        share = HEAD / (self.height - TOP - self.margin["b"])
        panels = self.grid(len(titles), gaps=(share, 0))
        for panel, title in zip(panels, titles, strict=True):
            self.note(panel, title, 0, 1, xanchor="left", yanchor="bottom")
        self.margin["t"] += HEAD - TOP // 2
        self.layout["legend"] = {"y": 1 + share}
        return panels

    def axes(self, panel: Panel, x: dict[str, Any], y: dict[str, Any], *, name: str = "") -> None:
        """Say how the axes of a panel look ('title' is plain text), and what the panel is called: else its y title."""
        self.names[panel.y] = name or y.get("title", "")
        for key, axis in zip(panel.keys, (x, y), strict=True):
            if "title" in axis:
                axis = axis | {"title": {"text": axis["title"]}}
            self.layout[key] |= axis

    def add(self, panel: Panel, **trace: Any) -> None:
        """Draw a trace (plotly's properties) on a panel."""
        self.data.append({"xaxis": panel.x, "yaxis": panel.y, "showlegend": False} | trace)

    def note(self, panel: Panel, text: str, x: float, y: float, **more: Any) -> None:
        """Text at a place of a panel, in shares of its width and height; nothing for an empty text."""
        if not text:
            return
        self.layout["annotations"].append(
            {"text": text, "x": x, "y": y, "xref": f"{panel.x} domain", "yref": f"{panel.y} domain", "showarrow": False}
            | {"font": {"size": 11}}
            | more
        )

    def title_y(self, text: str) -> None:
        """One title for the y axes of all panels."""
        place = {"x": 0, "y": 0.5, "xref": "paper", "yref": "paper", "xanchor": "center", "yanchor": "middle"}
        self.layout["annotations"].append(
            place | {"text": text, "textangle": -90, "xshift": 14 - self.margin["l"], "showarrow": False, "font": {"size": 12}}
        )

    def line(self, panel: Panel, *, x: tuple[Any, Any], y: tuple[Any, Any], xref: str = "", yref: str = "", **look: Any) -> None:
        """A straight line behind the traces, in data units unless a reference says otherwise."""
        drawn = {"color": self.paper.faint, "width": 1} | look
        ends = {"x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1]}
        refs = {"xref": xref or panel.x, "yref": yref or panel.y}
        self.layout["shapes"].append({"type": "line", "layer": "below", "line": drawn} | ends | refs)

    def empty(self, reason: str) -> None:
        """Say in the middle why there is nothing to see."""
        place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
        self.layout["annotations"].append(
            place | {"text": _wrapped(reason), "font": {"size": 13, "color": self.paper.faint}, "name": "reason"}
        )

    def legend(self, entries: Sequence[str]) -> None:
        """Leave room above for a legend of these entries; on a narrower screen plotly makes more itself."""
        _, lines = flow(entries, style.WIDTH - self.margin["l"] - RIGHT)
        self.margin["t"] += LEGEND_LINE * lines

    def spec(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Traces and layout, the template left out."""
        drawn = {trace["yaxis"] for trace in self.data}
        for panel in self.grid_of:
            if panel.y not in drawn:  # plotly leaves out the axes of a panel without a trace
                self.add(panel, type="scatter", x=[None], y=[None], hoverinfo="skip")
        size = {"margin": self.margin, "height": self.height + self.margin["t"] - TOP}
        return self.data, self.layout | size | {"meta": {"panels": self.names}}

    def figure(self) -> go.Figure:
        """The finished figure."""
        return style.figure(*self.spec(), theme=self.theme)


class Plot(Generic[P]):
    """Around a function that draws a sheet: called, it returns the figure; `sheet` draws without plotly's own objects.

    These check every property, which takes longer than the drawing itself: too long for a page that is drawn each second.
    """

    def __init__(self, draw: Callable[P, Sheet]) -> None:
        self.sheet = draw
        update_wrapper(self, draw)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> go.Figure:
        return self.sheet(*args, **kwargs).figure()


def thinned(frame: pd.DataFrame, most: int) -> tuple[pd.DataFrame, str]:
    """Every k-th row, so that at most `most` are left, and a sentence about that; '' where all are."""
    every = max(1, -(-len(frame) // most))
    return frame.iloc[::every], f"one channel in {every} is drawn" if every > 1 else ""


def flow(entries: Sequence[str], room: float) -> tuple[list[tuple[int, float]], int]:
    """Line and distance from the left (pixels) of every legend entry in a room of so many pixels; and how many lines."""
    places, line, used = [], 0, 0.0
    for entry in entries:
        wide = 46 + 6.2 * len(entry)
        if used and used + wide > room:
            line, used = line + 1, 0.0
        places.append((line, used))
        used += wide
    return places, line + 1 if entries else 0


def _wrapped(text: str, width: int = 60) -> str:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)


def shown(frame: pd.DataFrame, theme: Theme) -> dict[str, Look]:
    """The looks of the labels that a frame has rows of, in the order of the race.

    A frame of one race knows all of its labels (the categories of 'label'), so a contender keeps its look when others are
    filtered out.
    """
    column = frame["label"]
    known = list(column.cat.categories) if isinstance(column.dtype, pd.CategoricalDtype) else list(dict.fromkeys(column))
    present = set(column.unique())
    return {label: look for label, look in style.looks(known, theme).items() if label in present}
