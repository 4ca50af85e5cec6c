"""The figures of weights read from TensorBoard, as files: with a slider over the steps where it is a page."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from catalyst_core.export.bundle import FileKind, figure_bytes
from catalyst_core.export.page import Spec, figure_page, plain, spec_of
from catalyst_core.export.steps import MOST, Picture, frames_of, with_slider
from catalyst_core.figures.sheet import Sheet
from catalyst_core.figures.style import Theme
from catalyst_core.figures.weight_map import caption_weight_map, plot_weight_map
from catalyst_core.figures.weights import caption_weights, plot_weights
from catalyst_core.figures.wire import PLAIN
from catalyst_core.frames.weights import weights_at

WeightFigure = Literal["rows", "overlay", "map"]


class Kind(NamedTuple):
    """One way to show the weights."""

    title: str
    text: str  # for a list to choose from
    draw: Callable[[pd.DataFrame, int | None, Theme], tuple[Sheet, str]]  # all looks, a step, a theme -> with a caption
    moves: bool  # whether it shows one moment


def _rows(frame: pd.DataFrame, step: int | None, theme: Theme) -> tuple[Sheet, str]:
    at = weights_at(frame, step)
    return plot_weights.sheet(at, theme=theme, over=frame), caption_weights(at, over=frame)


def _overlay(frame: pd.DataFrame, step: int | None, theme: Theme) -> tuple[Sheet, str]:
    at = weights_at(frame, step)
    return plot_weights.sheet(at, theme=theme, arrange="overlay", over=frame), caption_weights(at, over=frame)


def _map(frame: pd.DataFrame, step: int | None, theme: Theme) -> tuple[Sheet, str]:
    return plot_weight_map.sheet(frame, theme=theme), caption_weight_map(frame)


WEIGHT_FIGURES: dict[WeightFigure, Kind] = {
    "rows": Kind("Sizes of weights", "a histogram in a row each", _rows, True),
    "overlay": Kind("Sizes of weights, overlaid", "all histograms over each other", _overlay, True),
    "map": Kind("Sizes of weights over time", "a density over the steps in a row each", _map, False),
}


def weights_file(frame: pd.DataFrame, kind: FileKind, which: WeightFigure, step: int | None = None) -> bytes:
    """A `weights_frame` as one file that stands for itself, at each series' last look at or before `step` (None: the newest).

    A page of what shows one moment has a slider over the steps, which begins there.
    """
    shown = WEIGHT_FIGURES[which]
    name = f"weights_{which}"
    if kind == "html" and shown.moves:
        return figure_page(*stepped(frame, shown, step), title=shown.title, name=name).encode()
    sheet, caption = shown.draw(frame, step, "light")
    if kind == "html":
        return figure_page(spec_of(sheet.figure()), [caption], title=shown.title, name=name).encode()
    return figure_bytes(sheet.figure(), kind, name=name)


def stepped(frame: pd.DataFrame, kind: Kind, step: int | None) -> tuple[Spec, list[str]]:
    """The figure with a slider over some of the steps, on axes that do not move, and a caption a position."""
    first = "The last look of each" if step is None else f"Step {step}, or the last look before it"
    moments = {first: step} | {f"Step {one}": one for one in positions(frame, MOST - 1)}
    pictures = [_picture(words, *kind.draw(frame, one, "light")) for words, one in moments.items()]
    data, shown = frames_of(pictures)
    return Spec(data, with_slider(pictures[0].layout, pictures), shown), [picture.caption for picture in pictures]


def positions(frame: pd.DataFrame, most: int = MOST) -> list[int]:
    """At most `most` of the steps of a `weights_frame`, evenly, from where every series has been looked at."""
    if frame.empty:
        return []
    begin = frame.groupby("label", observed=True)["step"].min().max()
    steps = np.unique(frame["step"].to_numpy())
    steps = steps[steps >= begin]
    places = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))
    return [int(steps[place]) for place in places]


def _picture(words: str, sheet: Sheet, caption: str) -> Picture:
    data, layout = plain(sheet.spec())
    traces = {(trace["yaxis"], trace["type"], trace["name"], place): trace for place, trace in enumerate(data)}
    return Picture(words, caption, traces, layout | {"template": PLAIN[sheet.theme]})
