"""A race as its readers hold it: events read once by cursor, unpacked once, kept per run.

`RaceView.refresh()` costs what is new; of very many looks at very many filters a view keeps some. The tables beside this
module turn a view into tidy frames; each is built at most once per state of the view (see `RaceView.once`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from catalyst_core.events import (
    HISTOGRAM_BINS,
    HISTOGRAM_DECADES,
    CheckpointKept,
    Evaluated,
    Failed,
    FiltersMeasured,
    GroupsFound,
    Noted,
    Pruned,
    RolledBack,
    SettingChanged,
    StageStarted,
    StateChanged,
    StepLogged,
)
from catalyst_core.store.analyses import finished_results
from catalyst_core.store.base import RaceInfo, RunInfo, StoredEvent

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

BIN_EDGES = np.logspace(*HISTOGRAM_DECADES, HISTOGRAM_BINS + 1)  # (97,) magnitudes
BIN_CENTRES = np.sqrt(BIN_EDGES[:-1] * BIN_EDGES[1:])  # (96,)

LOOKS_BYTES = 32 * 2**20  # of the looks at the filters that a view keeps: of more, older ones are thinned out
LEAST_LOOKS = 40  # of each run, whatever they take
MOST_BUILT = 40  # tables and figures that a view remembers

# The numbers of a StepLogged, in the order that they are kept in.
LOGGED = ("step", "epoch", "seconds", "loss", "accuracy", "penalty", "strength", "learning_rate", "share_pruned")


class Reader(Protocol):
    """The part of a store that a view needs."""

    def race(self, race_id: str) -> RaceInfo:
        """The race, by its id or a prefix that only it has."""

    def events(self, run_id: str, after: int = 0) -> list[StoredEvent]:
        """The events of one run behind a cursor."""

    def race_events(self, race_id: str, after: int = 0) -> list[StoredEvent]:
        """The events of all runs of a race behind one cursor."""


class Measurement(NamedTuple):
    """One look at every filter, unpacked. C = channels of all groups, concatenated."""

    step: int
    stage: str
    magnitudes: FloatArray  # (C,)
    catalysts: FloatArray | None  # (C,)
    margins: FloatArray  # (C,)
    thresholds: tuple[float | None, ...]  # per group
    bins: np.ndarray  # occupied bins of the stored histogram, -1 for exact zeros
    counts: np.ndarray  # filters in each of them
    is_cut: bool

    @property
    def bytes(self) -> int:
        """What it takes in memory, about."""
        vectors = (self.magnitudes, self.catalysts, self.margins, self.bins, self.counts)
        return sum(vector.nbytes for vector in vectors if vector is not None)


def unpack(vector: bytes) -> FloatArray:
    """4 C bytes, little-endian float32 -> (C,), without a copy."""
    return np.frombuffer(vector, dtype="<f4")


def bin_of(magnitudes: np.ndarray, finer: int = 1) -> np.ndarray:
    """(C,) magnitudes -> (C,) index of their fixed logarithmic bin, -1 for exact zeros; outliers go to the end bins.

    `finer` divides every bin into so many.
    """
    low, high = HISTOGRAM_DECADES
    bins = finer * HISTOGRAM_BINS
    with np.errstate(divide="ignore"):
        place = (np.log10(magnitudes.astype(float)) - low) * (bins / (high - low))
    return np.where(magnitudes > 0, np.clip(np.nan_to_num(np.floor(place)), 0, bins - 1), -1).astype(int)


def _logged(event: StepLogged) -> tuple[float, ...]:
    return (
        event.step,
        event.epoch,
        event.seconds,
        event.loss,
        event.accuracy,
        event.penalty,
        event.strength,
        event.learning_rate,
        event.share_pruned,
    )


def _measurement(event: FiltersMeasured) -> Measurement:
    counts = np.asarray((event.zeros, *event.histogram))
    occupied = np.flatnonzero(counts)
    return Measurement(
        event.step,
        event.stage,
        unpack(event.magnitudes),
        None if event.catalysts is None else unpack(event.catalysts),
        unpack(event.margins),
        event.thresholds,
        occupied - 1,
        counts[occupied],
        event.decided,
    )


@dataclass
class RunRecord:
    """What the events of one run have said so far, over all its attempts: a resumed one goes on where it was."""

    info: RunInfo
    cursor: int = 0
    told: int = 0  # events
    groups: GroupsFound | None = None
    stage: StageStarted | None = None
    pruned: Pruned | None = None
    note: str = ""
    logged: list[tuple[float, ...]] = field(default_factory=list)  # LOGGED of every StepLogged
    logged_stages: list[str] = field(default_factory=list)
    evaluated: list[Evaluated] = field(default_factory=list)
    changed: list[tuple[float, SettingChanged | RolledBack]] = field(default_factory=list)  # with the time it was stored
    failed: list[Failed] = field(default_factory=list)  # also those that it has gone on after
    kept: dict[str, CheckpointKept] = field(default_factory=dict)  # by name, oldest first
    measured: list[Measurement] = field(default_factory=list)
    cut: int | None = None  # how many measurements there were when the cut was made
    initial: FloatArray | None = None  # (C,) magnitudes that the sparse stage (else the cut) began from
    _initial_is_final: bool = False

    def add(self, stored: StoredEvent) -> bool:
        """Take in one event; False if it was already there."""
        if stored.cursor <= self.cursor:
            return False
        self.cursor = stored.cursor
        self.told += 1
        match stored.event:
            case GroupsFound() as event:
                self.groups = event
            case StageStarted() as event:
                self.stage, self.note = event, event.note
            case StepLogged() as event:
                self.logged.append(_logged(event))
                self.logged_stages.append(event.stage)
            case Evaluated(split="validation") as event:
                self.evaluated.append(event)
            case FiltersMeasured() as event:
                self._measure(_measurement(event))
            case SettingChanged() | RolledBack() as event:
                self.changed.append((stored.time, event))
            case Failed() as event:
                self.failed.append(event)
            case CheckpointKept() as event:
                self.kept[event.name] = event
            case Noted() as event:
                self.note = event.text
            case StateChanged(state="running"):
                self.note = ""  # what it waited for has come
            case Pruned() as event:
                self.pruned = event
        return True

    def _measure(self, found: Measurement) -> None:
        self.measured.append(found)
        if found.is_cut:
            self.cut = len(self.measured)
        if not self._initial_is_final:
            self.initial = found.magnitudes
            self._initial_is_final = found.stage != "dense"

    def thin(self, most: int) -> None:
        """As often as there are more than `most` looks, drop every second of those that are not among the newest.

        The first one and the one that the cut was made from always stay.
        """
        while len(self.measured) > most:
            old = len(self.measured) - most // 4
            cut = None if self.cut is None else self.cut - 1
            places = [place for place in range(len(self.measured)) if place >= old or place % 2 == 0 or place == cut]
            self.measured = [self.measured[place] for place in places]
            if cut is not None:
                self.cut = places.index(cut) + 1

    def clock(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Epochs and training seconds at the given steps, interpolated between the logged ones."""
        known = np.array([(0.0, 0.0, 0.0), *(numbers[:3] for numbers in self.logged)])
        return np.interp(steps, known[:, 0], known[:, 1]), np.interp(steps, known[:, 0], known[:, 2])


class RaceView:
    """One race, read incrementally. Safe to refresh from several threads, and as often as one likes."""

    def __init__(self, store: Reader, race_id: str) -> None:
        """Look at a race. Raises NotFoundError. Nothing but the race's own row is read before the first `refresh`."""
        self._store = store
        self._lock = threading.RLock()
        self._cursor = 0
        self._built: dict[Any, Any] = {}
        self.race: RaceInfo = store.race(race_id)
        self.records: dict[str, RunRecord] = {run.id: RunRecord(run) for run in self.race.runs}

    def results(self, kind: str) -> dict[str, dict[str, Any]]:
        """Run id -> result of its finished analysis of this kind ('budgets', 'rescale'), of a store that keeps files."""
        files = getattr(self._store, "files", None)
        return {} if files is None else finished_results(files, self.race.runs, kind)

    @property
    def told(self) -> int:
        """How many events there are."""
        return sum(record.told for record in self.records.values())

    @property
    def labels(self) -> tuple[str, ...]:
        """The contenders' labels in the order of the race, each once; forks come last."""
        return self.race.labels

    def refresh(self) -> int:
        """Read what is new; returns how many events that was. A run part of whose past was withdrawn is read anew.

        Raises what the store does, and then holds what it held before.
        """
        with self._lock:
            race = self._store.race(self.race.id)
            new = self._adopt(race)
            found = self._store.race_events(race.id, after=self._cursor)
            for stored in found:
                if stored.run_id in self.records:
                    new += self.records[stored.run_id].add(stored)
            if found:
                self._cursor = found[-1].cursor
                self._thin()
            if new or race != self.race:
                self._built = {}
            self.race = race
            return new

    def _adopt(self, race: RaceInfo) -> int:
        """Take over the runs' rows. The race's cursor may be past the first events of a fork, so these are read apart."""
        new = 0
        for run in race.runs:
            record = self.records.get(run.id)
            if record is None or record.info.revision != run.revision:
                record = RunRecord(run)
                new += sum(record.add(stored) for stored in self._store.events(run.id))
                self.records[run.id] = record
            record.info = run
        return new

    def _thin(self) -> None:
        """Bound the memory of what is kept of the filters, evenly over the runs."""
        for record in self.records.values():
            if record.measured:
                record.thin(max(LEAST_LOOKS, LOOKS_BYTES // len(self.records) // record.measured[-1].bytes))

    def once(self, key: Any, build: Callable[[], Any]) -> Any:
        """What `build` returned for this key since the last refresh that brought something; the oldest are forgotten."""
        with self._lock:
            if key not in self._built:
                made = build()
                while len(self._built) >= MOST_BUILT:
                    del self._built[next(iter(self._built))]
                self._built[key] = made
            return self._built[key]
