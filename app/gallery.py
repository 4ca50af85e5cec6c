"""The figures of a live race: which ones, how large, and when each has to be drawn again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from app import live
from catalyst_core import figures, frames
from catalyst_core.figures.curves import Clock
from catalyst_core.figures.density import moments
from catalyst_core.figures.magnitudes import Arrangement
from catalyst_core.figures.sheet import Sheet
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
    arrange: Arrangement
    labels: tuple[str, ...]
    layers: tuple[str, ...]  # filter groups; none: all of them
    theme: Theme


Drawn = tuple[Sheet, str]
Draw = Callable[[RaceView, Sight], Drawn]


@dataclass(frozen=True)
class Frame:
    """One place of the gallery."""

    title: str
    span: int  # columns of six
    draw: Draw
    state: Callable[[RaceView, Sight], object]  # the figure is drawn again when this changes


def gallery(view: RaceView, sight: Sight) -> list[dict[str, live.Panel]]:
    """All figures, row by row, drawn again only where something they show has changed.

    A session keeps what it drew last; sessions that look at the same thing share it.
    """
    known: dict[str, live.Panel] = st.session_state.setdefault("_gallery", {})
    rows = [row | {"margins": FLIPS} if sight.second == "flips" and "margins" in row else row for row in ROWS]
    for name, frame in (item for row in rows for item in row.items()):
        version = repr((view.race.id, view.race.state, sight.labels, sight.theme, frame.title, frame.state(view, sight)))
        if name not in known or known[name].version != version:
            known[name] = view.once(version, lambda frame=frame, version=version: _panel(frame, view, sight, version))
    return [{name: known[name] for name in row} for row in rows]


def _panel(frame: Frame, view: RaceView, sight: Sight, version: str) -> live.Panel:
    sheet, caption = frame.draw(view, sight)
    return live.as_panel(sheet, caption, version, span=frame.span, title=frame.title)


def _of_contenders(frame: pd.DataFrame, view: RaceView, sight: Sight) -> pd.DataFrame:
    return frame if len(sight.labels) == len(view.labels) else frame[frame["label"].isin(sight.labels)]


def _filters(view: RaceView, sight: Sight) -> pd.DataFrame:
    """The chosen filters at the chosen step. Live: at the newest one, or, of a contender that was cut, at its cut."""
    return view.once(("chosen", sight.step, sight.labels, sight.layers), lambda: _chosen(view, sight))


def _chosen(view: RaceView, sight: Sight) -> pd.DataFrame:
    frame = _of_contenders(frames.filters_frame(view, sight.step, until_cut=sight.step is None), view, sight)
    return frame[frame["group"].isin(sight.layers)] if sight.layers else frame


def _looks(view: RaceView, sight: Sight) -> object:
    """Which look at its filters each run is shown at."""
    looks = [frames.look(record, sight.step, until_cut=sight.step is None) for record in view.records.values()]
    return sight.layers, [(found[0].info.id, found[0].info.revision, found[1].step, found[1].is_cut) for found in looks if found]


def _arranged(view: RaceView, sight: Sight) -> object:
    return sight.arrange, _looks(view, sight)


def _magnitudes(view: RaceView, sight: Sight) -> Drawn:
    frame = _filters(view, sight)
    settings = {"theme": sight.theme, "arrange": sight.arrange, "least": TALL}
    return figures.plot_magnitudes.sheet(frame, **settings, reason=frames.why_empty(view)), figures.caption_magnitudes(frame)


def _margins(view: RaceView, sight: Sight) -> Drawn:
    frame = _filters(view, sight)
    gaps = frames.gap_frame(frame)
    sheet = figures.plot_margins.sheet(frame, gaps, theme=sight.theme, reason=frames.why_empty(view), least=TALL)
    return sheet, figures.caption_margins(frame, gaps)


def _flips(view: RaceView, sight: Sight) -> Drawn:
    frame = frames.flip_frame(_filters(view, sight))
    return figures.plot_flip_curve.sheet(frame, theme=sight.theme), figures.caption_flip_curve(frame)


def _bias(view: RaceView, sight: Sight) -> Drawn:
    frame = _filters(view, sight)
    rho = frames.correlation_frame(frame)
    sheet = figures.plot_bias.sheet(frame, rho, theme=sight.theme, reason=frames.why_empty(view))
    return sheet, figures.caption_bias(frame, rho)


def _curves(view: RaceView, sight: Sight) -> Drawn:
    frame, changes = (_of_contenders(one(view), view, sight) for one in (frames.curves_frame, frames.changes_frame))
    sheet = figures.plot_curves.sheet(frame, changes, x=sight.x, theme=sight.theme, reason=frames.why_empty(view))
    return sheet, figures.caption_curves(frame)


def _logged(view: RaceView, sight: Sight) -> object:
    counts = [
        (run, record.info.revision, len(record.logged), len(record.evaluated), len(record.changed))
        for run, record in view.records.items()
    ]
    return sight.x, counts


def _phase(view: RaceView, sight: Sight) -> Drawn:
    frame = _filters(view, sight)
    return figures.plot_phase_plane.sheet(frame, theme=sight.theme), figures.caption_phase_plane(frame)


def _bifurcation(view: RaceView, sight: Sight) -> Drawn:
    frame = _of_contenders(frames.density_frame(view), view, sight)
    sheet = figures.plot_bifurcation.sheet(frame, x=sight.x, theme=sight.theme, reason=frames.why_empty(view))
    return sheet, figures.caption_bifurcation(frame)


def _measured(view: RaceView, sight: Sight) -> object:
    """Where the map of each run ends: of many looks not every one is drawn."""
    channels = max((sum(record.groups.sizes) for record in view.records.values() if record.groups), default=0)
    drawn = moments(np.array(frames.steps(view)), channels)
    return sight.x, len(drawn), [(run, record.info.revision, len(record.measured) > 0) for run, record in view.records.items()]


# A row is sent to the browser as a whole, and only when something in it is new.
ROWS: tuple[dict[str, Frame], ...] = (
    {
        "magnitudes": Frame("Filter magnitudes", 2, _magnitudes, _arranged),
        "margins": Frame("Decision margins", 2, _margins, _looks),
        "bias": Frame("Bias against magnitude", 2, _bias, _looks),
    },
    {
        "curves": Frame("Training", 4, _curves, _logged),
        "phase": Frame("Phase plane", 2, _phase, _looks),
    },
    {"bifurcation": Frame("Bifurcation map", 6, _bifurcation, _measured)},
)
FLIPS = Frame("Flip curve", 2, _flips, _looks)
