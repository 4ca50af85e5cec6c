"""What a store promises, and the plain records it hands out.

The contract, for every back end:

- A *race* has *runs*, one a contender; both are made in one transaction, or not at all. A fork adds a run later.
- One process owns a running run: the one that claimed it. Only the owner appends events; a finished run refuses.
- Events come back in order of their cursor, which only grows; `events(run, after=cursor)` reads what is new and costs
  what is new. What `append` returned from is committed: killing anybody loses none of it.
- An event with a key is stored once a run, however often it is said: a batch whose answer was lost is sent again, as a
  whole or with more behind it. Without a key it is stored each time.
- What is *visible* only grows, but for three things: a `RolledBack` event withdraws the keyed events behind its step, going
  on after a stop withdraws the cut that the stop had made, and thinning drops old looks at the filters. The first two raise
  the run's `revision`: whoever keeps a copy reads it anew then.
- A resumed run begins its next *attempt*, goes on where it was and refuses what an earlier attempt still sends.
- Commands travel the other way, in order. They wait until an `append` says up to which one they are done, in one
  transaction with the events that they led to.
- A deleted race is *hidden* for a while, in which it can be restored: no list and no lookup has it, and its runs are not
  found. Purging removes its rows and its files.
- A race that another store packed is adopted whole, or not at all; only a finished one, under an id that is free here.
- Times are the database's, so that machines with different clocks agree.
- A method may be called from any thread or process; a connection is never used by two at once.
- `StoreUnavailableError`: nothing was written, or (a lost answer) all of it; trying again later is safe for keyed events.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.events import FINISHED_STATES, Command, Event, State


@dataclass(frozen=True)
class Process:
    """Who runs a run. A pid is recycled, a pid with its start time is not; after a reboot none of them is left."""

    pid: int
    created: float  # seconds since the epoch, as the operating system reports it
    host: str
    boot: str = ""  # which start of the machine, where the operating system tells


@dataclass(frozen=True)
class RunInfo:
    """One contender as the store knows it: a line of the status list."""

    id: str
    race_id: str
    position: int  # order within the race
    config: ContenderConfig
    state: State
    queued: float  # seconds since the epoch: when it joined the queue
    place: int | None  # 1 = next, while queued; else None
    attempt: int
    stage: str  # '' before the first stage
    step: int
    total_steps: int  # 0 before it is known
    seconds: float  # training seconds so far
    accuracy: float | None  # latest on validation images, 0..1
    share_pruned: float | None  # 0..1
    process: Process | None
    heartbeat: datetime | None  # UTC
    started: datetime | None
    finished: datetime | None
    reason: str  # why it failed, one sentence; else ''
    log_tail: str
    ledger: dict[str, Any] | None
    priority: int  # the larger, the sooner
    revision: int  # grows whenever part of the visible past is withdrawn
    assigned: float | None  # seconds since the epoch: when a worker was last started for it
    parent: str | None  # the run that it was forked from
    bytes: int  # of its files, at the last beat
    rss: int  # bytes of memory of its worker, at the last beat
    note: str  # what its worker waits for: 'the disk is full'; else ''

    @property
    def is_finished(self) -> bool:
        """Completed, stopped or failed."""
        return self.state in FINISHED_STATES

    @property
    def label(self) -> str:
        """Method label, as in legends; the seed is `config.seed`."""
        return self.config.method.label

    @property
    def progress(self) -> float:
        """Share of the optimizer steps done, 0..1."""
        return 1.0 if self.state == "completed" else min(1.0, self.step / self.total_steps) if self.total_steps else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Remaining training seconds at the pace so far; None while unknown or when finished."""
        if self.is_finished or not self.step or not self.total_steps:
            return None
        return self.seconds / self.step * (self.total_steps - self.step)


def race_title(config: dict[str, Any]) -> str:
    """The given title of a race's configuration (as plain data), or its data set, network and budget."""
    data, macs = config["data"], config.get("macs_ratio")
    budget = f"ratio {config['pruning_ratio']:g}" if macs is None else f"MACs -{macs:g}"
    return config["title"] or f"{data['folder'] or data['name']} · {config['model']} · {budget}"


def overall_state(states: Iterable[State]) -> State:
    """The liveliest of the states of a race's runs; among finished ones the worst."""
    found = set(states)
    order: tuple[State, ...] = ("running", "stopping", "paused", "queued", "failed", "stopped", "completed")
    return next(state for state in order if state in found)


@dataclass(frozen=True)
class RaceInfo:
    """One race with its runs: those of the configuration in its order, then the forks."""

    id: str
    config: RaceConfig
    created: datetime  # UTC
    runs: tuple[RunInfo, ...]

    @property
    def title(self) -> str:
        """The given title, or data set, model and ratio."""
        return race_title(self.config.model_dump(include={"data", "model", "pruning_ratio", "macs_ratio", "title"}))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its runs, each once, in order: forks are not in `config`."""
        return tuple(dict.fromkeys(run.label for run in self.runs))

    @property
    def is_finished(self) -> bool:
        """Whether no run can change any more."""
        return all(run.is_finished for run in self.runs)

    @property
    def state(self) -> State:
        """The race in one word: the liveliest state of its runs; among finished ones the worst."""
        return overall_state(run.state for run in self.runs)


@dataclass(frozen=True)
class RaceLine:
    """A race in a list of races: what can be told without reading its runs one by one."""

    id: str
    title: str
    data: str  # the data set, or the image folder
    model: str
    methods: tuple[str, ...]  # their names, each once, in order
    created: datetime  # UTC
    counts: Counter[State]  # state -> runs in it
    bytes: int  # of the files of all runs
    deleted: datetime | None = None  # UTC: when it was hidden

    @property
    def contenders(self) -> int:
        """How many runs it has."""
        return self.counts.total()

    @property
    def state(self) -> State:
        """As `RaceInfo.state`."""
        return overall_state(self.counts)

    @property
    def is_finished(self) -> bool:
        """Whether no run can change any more."""
        return FINISHED_STATES.issuperset(self.counts)


@dataclass(frozen=True)
class StoredEvent:
    """An event with its place in the store."""

    cursor: int
    run_id: str
    time: float  # seconds since the epoch
    event: Event


@dataclass(frozen=True)
class StoredCommand:
    """A command that waits for its run's worker; ids grow."""

    id: int
    command: Command


@dataclass(frozen=True)
class Sizes:
    """Bytes that the store takes, and that are free on the disk of its files."""

    database: int
    files: int
    free: int
