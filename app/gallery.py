"""The figures of a live race: which ones, how large, and when each has to be drawn again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from app import live
from catalyst_core import figures, frames
from catalyst_core.figures.curves import Clock
from catalyst_core.figures.density import moments
from catalyst_core.figures.magnitudes import Arrangement
from catalyst_core.figures.sheet import Sheet
from catalyst_core.figures.style import Theme
from catalyst_core.frames import RaceView

MANY, AT_A_TIME = 10_000, 2  # of more filters than that, so many figures are drawn again at a tick
MOST_WALLS = 12  # choices of what to look at that are remembered for a race
MARKS = 500  # channels of the bias figure: each mark takes the browser a tenth of a millisecond
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


@dataclass
class Place:
    """A figure as it was drawn last, for everybody who looks at the same thing."""

    frame: Frame
    panel: live.Panel | None = None
    when: float = float("-inf")  # on the monotonic clock


class Wall:
    """The figures of one race for one choice of what to look at. Sessions share it, so ten viewers cost hardly more than one."""

    def __init__(self, sight: Sight) -> None:
        self.sight, self.lock = sight, threading.Lock()
        rows = [row | {"margins": FLIPS} if sight.second == "flips" and "margins" in row else row for row in ROWS]
        self.rows = [{name: Place(frame) for name, frame in row.items()} for row in rows]

    @property
    def is_complete(self) -> bool:
        """Whether every figure has been drawn."""
        return all(place.panel for row in self.rows for place in row.values())

    def draw(self, view: RaceView) -> None:
        """Draw again where something that a figure shows has changed.

        Of very many filters only some figures are drawn at a time, those first that have waited longest.
        """
        sight, late = self.sight, []
        for place in (place for row in self.rows for place in row.values()):
            frame = place.frame
            version = repr((view.race.id, view.race.state, sight.labels, sight.theme, frame.title, frame.state(view, sight)))
            if place.panel is None or place.panel.version != version:
                late.append((place, version))
        late.sort(key=lambda one: one[0].when)
        new = sum(place.panel is None for place, _ in late)
        for place, version in late[: max(new, AT_A_TIME) if _is_much(view, sight) else None]:
            # Not every figure depends on all of what somebody looks at: the curves are the same at every step.
            place.panel = view.once(version, partial(_panel, place.frame, view, sight, version))
            place.when = time.monotonic()


_WALLS: WeakKeyDictionary[RaceView, OrderedDict[Sight, Wall]] = WeakKeyDictionary()
_LOCK = threading.Lock()


def gallery(view: RaceView, sight: Sight) -> list[dict[str, live.Panel]]:
    """All figures, row by row."""
    with _LOCK:
        walls = _WALLS.setdefault(view, OrderedDict())
        wall = walls.pop(sight, None) or Wall(sight)
        walls[sight] = wall  # the last to go
        if len(walls) > MOST_WALLS:
            walls.popitem(last=False)
    # Where somebody else is drawing the next state, what there is will do.
    if wall.lock.acquire(blocking=not wall.is_complete):
        try:
            wall.draw(view)
        finally:
            wall.lock.release()
    return [{name: place.panel for name, place in row.items() if place.panel} for row in wall.rows]


def _is_much(view: RaceView, sight: Sight) -> bool:
    """Whether there is too much to draw all of it each second. What has ended, or is looked at in the past, is drawn at once."""
    filters = sum(len(record.measured[-1].magnitudes) for record in view.records.values() if record.measured)
    return filters > MANY and not view.race.is_finished and sight.step is None


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
    sheet = figures.plot_bias.sheet(frame, rho, theme=sight.theme, reason=frames.why_empty(view), marks=MARKS)
    return sheet, figures.caption_bias(frame, rho)


def _curves(view: RaceView, sight: Sight) -> Drawn:
    frame = _of_contenders(frames.curves_frame(view), view, sight)
    has_changes = any(record.changed for record in view.records.values())
    changes = _of_contenders(frames.changes_frame(view), view, sight) if has_changes else None
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
