"""What a store promises, and the plain records it hands out.

The contract, for every back end:

- A *race* has *runs*, one a contender; both are made in one transaction, or not at all.
- One process owns a running run: the one that claimed it. Only the owner appends events; a finished run refuses.
- Events are append-only and come back in order of their cursor, which only grows; `events(run, after=cursor)` reads
  what is new and costs what is new. What `append` returned from is committed: killing anybody loses none of it.
- Commands travel the other way, in order, each handed to the owner once.
- A run belongs to one *attempt*; resuming starts the next one, and only its events are read from then on.
- Every method may be called from any thread or process; a connection is never used by two at once.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.events import FINISHED_STATES, Event, State


@dataclass(frozen=True)
class Process:
    """Who runs a run. A pid is recycled, a pid with its start time is not."""

    pid: int
    created: float  # seconds since the epoch, as the operating system reports it
    host: str


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


@dataclass(frozen=True)
class RaceInfo:
    """One race with its runs, in the order of the configuration."""

    id: str
    config: RaceConfig
    created: datetime  # UTC
    runs: tuple[RunInfo, ...]

    @property
    def title(self) -> str:
        """The given title, or data set, model and ratio."""
        config = self.config
        budget = f"ratio {config.pruning_ratio:g}" if config.macs_ratio is None else f"MACs -{config.macs_ratio:g}"
        return config.title or f"{config.data.folder or config.data.name} · {config.model} · {budget}"

    @property
    def is_finished(self) -> bool:
        """Whether no run can change any more."""
        return all(run.is_finished for run in self.runs)

    @property
    def state(self) -> State:
        """The race in one word: the liveliest state of its runs; among finished ones the worst."""
        states = {run.state for run in self.runs}
        order: tuple[State, ...] = ("running", "stopping", "paused", "queued", "failed", "stopped", "completed")
        return next(state for state in order if state in states)


@dataclass(frozen=True)
class StoredEvent:
    """An event with its place in the store."""

    cursor: int
    run_id: str
    time: float  # seconds since the epoch
    event: Event
