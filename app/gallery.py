"""The figures of a live race: which ones, how large, and when each has to be drawn again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import live
from catalyst_core import figures, frames
from catalyst_core.figures.curves import Clock
from catalyst_core.figures.style import Theme
from catalyst_core.frames import RaceView

TALL = 460  # pixels: as high as the bias figure beside them

Second = Literal["margins", "flips"]


@dataclass(frozen=True)
class Sight:
    """What somebody chose to look at."""

    step: int | None  # None: the newest
    x: Clock
    second: Second
    labels: tuple[str, ...]
    theme: Theme


Drawn = tuple[go.Figure, str]
Draw = Callable[[RaceView, Sight], Drawn]


@dataclass(frozen=True)
class Frame:
    """One place of the gallery."""

    title: str
    span: int  # columns of six
    draw: Draw
    state: Callable[[RaceView, Sight], object]  # the figure is drawn again when this changes


def gallery(view: RaceView, sight: Sight) -> dict[str, live.Panel]:
    """All figures, drawn again only where something they show has changed since this session drew them last."""
    frames_ = FRAMES | {"margins": FLIPS} if sight.second == "flips" else FRAMES
    known: dict[str, live.Panel] = st.session_state.setdefault("_gallery", {})
    shared = (view.race.id, view.race.state, sight.labels, sight.theme)
    for name, frame in frames_.items():
        version = repr((shared, frame.title, frame.state(view, sight)))
        if name not in known or known[name].version != version:
            figure, caption = frame.draw(view, sight)
            known[name] = live.as_panel(figure, caption, version, span=frame.span, title=frame.title)
    return known


def _chosen(frame: pd.DataFrame, sight: Sight) -> pd.DataFrame:
    return frame[frame["label"].isin(sight.labels)]


def _filters(view: RaceView, sight: Sight) -> pd.DataFrame:
    """Every filter at the chosen step. Live: at the newest one, or, of a contender that was cut, at the moment of its cut."""
    return _chosen(frames.filters_frame(view, sight.step, until_cut=sight.step is None), sight)


def _looks(view: RaceView, sight: Sight) -> object:
    """How many measurements each run had made by the chosen step."""
    return [
        (run, record.info.revision, sum(sight.step is None or found.step <= sight.step for found in record.measured))
        for run, record in view.records.items()
    ]


def _magnitudes(view: RaceView, sight: Sight) -> Drawn:
    frame = _filters(view, sight)
    figure = figures.plot_magnitudes(frame, theme=sight.theme, reason=frames.why_empty(view), least=TALL)
    return figure, figures.caption_magnitudes(frame)


def _margins(view: RaceView, sight: Sight) -> Drawn:
    frame = _filters(view, sight)
    figure = figures.plot_margins(frame, theme=sight.theme, reason=frames.why_empty(view), least=TALL)
    return figure, figures.caption_margins(frame)


def _flips(view: RaceView, sight: Sight) -> Drawn:
    frame = frames.flip_frame(_filters(view, sight))
    return figures.plot_flip_curve(frame, theme=sight.theme), figures.caption_flip_curve(frame)


def _bias(view: RaceView, sight: Sight) -> Drawn:
    frame = _filters(view, sight)
    return figures.plot_bias(frame, theme=sight.theme, reason=frames.why_empty(view)), figures.caption_bias(frame)


def _curves(view: RaceView, sight: Sight) -> Drawn:
    frame, changes = _chosen(frames.curves_frame(view), sight), _chosen(frames.changes_frame(view), sight)
    figure = figures.plot_curves(frame, changes, x=sight.x, theme=sight.theme, reason=frames.why_empty(view))
    return figure, figures.caption_curves(frame)


def _logged(view: RaceView, sight: Sight) -> object:
    counts = [
        (run, record.info.revision, len(record.logged), len(record.evaluated), len(record.changed))
        for run, record in view.records.items()
    ]
    return sight.x, counts


def _phase(view: RaceView, sight: Sight) -> Drawn:
    frame = _filters(view, sight)
    return figures.plot_phase_plane(frame, theme=sight.theme), figures.caption_phase_plane(frame)


def _bifurcation(view: RaceView, sight: Sight) -> Drawn:
    frame = _chosen(frames.density_frame(view), sight)
    figure = figures.plot_bifurcation(frame, x=sight.x, theme=sight.theme, reason=frames.why_empty(view))
    return figure, figures.caption_bifurcation(frame)


def _measured(view: RaceView, sight: Sight) -> object:
    return sight.x, [(run, record.info.revision, len(record.measured)) for run, record in view.records.items()]


FRAMES: dict[str, Frame] = {
    "magnitudes": Frame("Filter magnitudes", 2, _magnitudes, _looks),
    "margins": Frame("Decision margins", 2, _margins, _looks),
    "bias": Frame("Bias against magnitude", 2, _bias, _looks),
    "curves": Frame("Training", 4, _curves, _logged),
    "phase": Frame("Phase plane", 2, _phase, _looks),
    "bifurcation": Frame("Bifurcation map", 6, _bifurcation, _measured),
}
FLIPS = Frame("Flip curve", 2, _flips, _looks)
