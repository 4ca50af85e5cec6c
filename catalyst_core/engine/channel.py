"""A worker's line to the store: a thread that commits its events, fetches its commands and keeps its heart beating.

Training never waits for the database: `emit` appends to a buffer, `commands` empties one, and the thread moves both
every quarter of a second, so a command acts within a second. While the store is away, what has to be safe is kept on
the run's own disk and sent later. While the disk is full, `commands` and `no_room` hold the training up.
"""

import contextlib
import faulthandler
import logging
import os
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

import psutil

from catalyst_core.engine.heartbeat import BEAT_SECONDS, log_tail, note_kills
from catalyst_core.engine.room import Room
from catalyst_core.engine.spool import Spool
from catalyst_core.errors import CatalystError, EngineError, NotFoundError, RunFinishedError, StoreError
from catalyst_core.events import Command, Event, Failed, Noted, StateChanged
from catalyst_core.store import RunInfo, Store, StoredCommand
from catalyst_core.store.sql import bytes_in

FLUSH_SECONDS = 0.25
THIN_SECONDS = 60.0  # between two thinnings of old looks at the filters
WAIT_SECONDS = 0.5  # between two looks for room
PATIENCE_SECONDS = 3600.0  # that an ended worker waits for its store; what it had to say is on the disk then
GUEST_SECONDS = 10.0  # that somebody else's process does
STALL_SECONDS = 900.0  # without a sign from the training: no step takes so long

log = logging.getLogger(__name__)


class Channel:
    """Use as a context manager around the training; leaving it sends what is left, or keeps it for the next attempt."""

    patience = PATIENCE_SECONDS

    def __init__(self, store: Store, run: RunInfo) -> None:
        self._store, self._run = store, run
        self._folder = store.run_folder(run.id)
        self._spool = Spool(self._folder / "unsent.jsonl")
        self._buffer = deque(self._spool.load())
        self._inbox: deque[StoredCommand] = deque()
        self._fetched = self._handed = self._acted = self._told = 0  # ids of commands
        self._count = 0  # of the events that have no key of their own
        self._step, self._state = run.step, "running"
        self._flushing = threading.Lock()
        self._closing = threading.Event()
        self._away = False
        self._lost: CatalystError | None = None
        self._room = Room(store)
        self._sign = time.monotonic()
        self._me = psutil.Process()
        self._thread = threading.Thread(target=self._work, name="channel", daemon=True)

    def __enter__(self) -> Self:
        with contextlib.suppress(StoreError):  # away: the thread fetches them when it is back
            self._fetch()  # what was asked before it began acts from its first step on, however few there are
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        self._thread.join()
        if self._lost is None:
            self._acted = self._handed
            self._send_the_rest()

    # what the training calls

    def emit(self, event: Event) -> None:
        """Hand over an event. Raises RunFinishedError or NotFoundError once the run is no longer this worker's."""
        self._check()
        self._step = event.step
        if isinstance(event, StateChanged):
            self._state = event.state
        if not event.key:
            self._count += 1
            key = f"@{self._run.position}.{self._run.attempt}.{self._count}"  # a fork has its origin's past, and its keys
            event = event.model_copy(update={"key": key})
        self._buffer.append(event)

    def commands(self) -> list[Command]:
        """The commands that came since the last call; they are carried out before the next one. Waits for disk space.

        Raises as `emit`.
        """
        self._check()
        if self._room.lacking:
            self._wait_for_room()
        self._acted = self._handed
        new = [self._inbox.popleft() for _ in range(len(self._inbox))]
        if new:
            self._handed = new[-1].id
        return [sent.command for sent in new]

    def committed(self) -> None:
        """Return once everything emitted so far is in the store, or on this disk while the store is away. Raises as `emit`."""
        while True:
            self._check()
            try:
                if not self._away:
                    return self.flush()
            except (RunFinishedError, NotFoundError):
                raise
            except StoreError as error:
                log.warning("%s; keeping events here", error)
            try:
                return self._keep()
            except OSError as error:
                self.no_room(error)

    def no_room(self, error: OSError) -> None:
        """Return when it is worth trying again what a full disk refused. Raises as `emit`."""
        log.warning("%s; waiting for disk space", error)
        time.sleep(WAIT_SECONDS)
        self._wait_for_room()

    # what the thread does

    def flush(self) -> None:
        """Commit what was handed over so far, and which commands are done. What could not be committed stays in the buffer."""
        with self._flushing:
            acted = self._acted  # first: what they led to is in the buffer by now
            events = list(self._buffer)
            if events or acted > self._told:
                self._store.append(self._run.id, events, self._run.attempt, done=acted)
                self._told = acted
                for _ in events:
                    self._buffer.popleft()
                self._spool.clear()

    def _keep(self) -> None:
        with self._flushing:
            self._spool.keep(list(self._buffer))

    def _work(self) -> None:
        next_beat, next_thinning = 0.0, time.monotonic() + THIN_SECONDS
        while not self._closing.wait(FLUSH_SECONDS):
            try:
                self._room.look()
                self.flush()
                self._fetch()
                if time.monotonic() >= next_beat:
                    self._beat()
                    next_beat = time.monotonic() + BEAT_SECONDS
                if time.monotonic() >= next_thinning:
                    self._store.thin(self._run.id)
                    next_thinning = time.monotonic() + THIN_SECONDS
                self._away = False
            except (RunFinishedError, NotFoundError) as error:
                self._lost = error
                return
            except StoreError as error:
                if not self._away:
                    log.warning("%s; trying again", error)
                self._away = True
            except Exception as error:  # without this thread nobody would hear of the training any more
                log.exception("the line to the store broke")
                self._lost = EngineError(f"its line to the store broke ({type(error).__name__}: {error})")
                return
            self._notice_a_stall()

    def _fetch(self) -> None:
        for sent in self._store.commands(self._run.id, self._fetched):
            self._inbox.append(sent)
            self._fetched = sent.id

    def _beat(self) -> None:
        taken, rss = bytes_in(self._folder), self._me.memory_info().rss
        with contextlib.suppress(OSError):  # a full disk
            note_kills(self._folder)
        self._store.beat(self._run.id, self._run.attempt, rss=rss, bytes=taken, note=self._room.lacking)

    def _check(self) -> None:
        self._sign = time.monotonic()
        if self._lost is not None:
            raise self._lost

    def _wait_for_room(self) -> None:
        """Tell why nothing goes on, as far as that can be told now, and wait."""
        self._room.refused()
        before = self._state
        self.emit(StateChanged(step=self._step, state="paused"))
        self.emit(Noted(step=self._step, text=self._room.lacking))
        while self._room.lacking:
            self._check()
            time.sleep(WAIT_SECONDS)
        self.emit(StateChanged(step=self._step, state=before))

    def _send_the_rest(self) -> None:
        """The training has ended, well or not: keep trying as long as the store may come back."""
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            try:
                self.flush()
                break
            except (RunFinishedError, NotFoundError) as error:
                self._lost = error
                break
            except StoreError as error:
                log.warning("%s; trying again", error)
                with contextlib.suppress(OSError):
                    self._keep()
                time.sleep(WAIT_SECONDS)

    def _notice_a_stall(self) -> None:
        silent = time.monotonic() - self._sign
        if silent < STALL_SECONDS:
            return
        faulthandler.dump_traceback(all_threads=True)
        reason = f"it hung: no step for {silent:.0f} s"
        failed = Failed(step=self._step, reason=reason, log_tail=log_tail(self._store, self._run.id))
        try:
            self._store.append(self._run.id, [*self._buffer, failed], self._run.attempt)
        finally:
            os._exit(1)


class Guest(Channel):
    """The same for a process that is somebody else's: it is never held up, never ended, and not kept waiting at its end."""

    patience = GUEST_SECONDS

    @property
    def waiting(self) -> int:
        """Events that the store does not have yet."""
        return len(self._buffer)

    @property
    def has_news(self) -> bool:
        """Whether `commands` would return some."""
        return bool(self._inbox)

    def _wait_for_room(self) -> None:
        """What it has to say waits; it does not."""

    def _notice_a_stall(self) -> None:
        """Nobody knows how long it may think."""
