"""A worker's line to the store: a thread that commits its events, fetches its commands and keeps its heart beating.

Training never waits for the database: `emit` appends to a buffer, `commands` empties one, and the thread moves both
every quarter of a second, so a command acts within a second and a killed worker loses at most what was not committed.
"""

import logging
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

from catalyst_core.engine.heartbeat import BEAT_SECONDS
from catalyst_core.errors import CatalystError, NotFoundError, RunFinishedError, StoreError
from catalyst_core.events import Command, Event
from catalyst_core.store import RunInfo, Store

FLUSH_SECONDS = 0.25

log = logging.getLogger(__name__)


class Channel:
    """Use as a context manager around the training; leaving it commits what is left."""

    def __init__(self, store: Store, run: RunInfo) -> None:
        self._store = store
        self._run = run
        self._buffer: deque[Event] = deque()
        self._inbox: deque[Command] = deque()
        self._taken = 0
        self._flushing = threading.Lock()
        self._closing = threading.Event()
        self._lost: CatalystError | None = None
        self._thread = threading.Thread(target=self._work, name="channel", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        self._thread.join()
        if self._lost is None:
            self.flush()

    def emit(self, event: Event) -> None:
        """Hand over an event. Raises RunFinishedError or NotFoundError once the run is no longer this worker's."""
        self._check()
        self._buffer.append(event)

    def commands(self) -> list[Command]:
        """The commands that came since the last call. Raises as `emit`."""
        self._check()
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def flush(self) -> None:
        """Commit what was handed over so far. What could not be committed stays in the buffer."""
        with self._flushing:
            events = list(self._buffer)
            if events:
                self._store.append(self._run.id, events, self._run.attempt, done=self._taken)
                for _ in events:
                    self._buffer.popleft()

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _work(self) -> None:
        next_beat = 0.0
        while not self._closing.wait(FLUSH_SECONDS):
            try:
                self.flush()
                for sent in self._store.commands(self._run.id, self._taken):
                    self._inbox.append(sent.command)
                    self._taken = sent.id
                if time.monotonic() >= next_beat:
                    self._store.beat(self._run.id, self._run.attempt)
                    next_beat = time.monotonic() + BEAT_SECONDS
            except (RunFinishedError, NotFoundError) as error:
                self._lost = error
                return
            except StoreError as error:
                log.warning("%s; trying again", error)
