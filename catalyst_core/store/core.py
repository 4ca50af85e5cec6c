"""An opened database, and the looks at it that every part of the store shares."""

import os
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from catalyst_core.errors import NotFoundError, RunFinishedError, shown
from catalyst_core.events import FINISHED_STATES, State
from catalyst_core.store.base import RunInfo
from catalyst_core.store.connect import Backend, is_sqlite, resolve_url
from catalyst_core.store.migrations import is_ready, prepare
from catalyst_core.store.postgres import PostgresBackend
from catalyst_core.store.queries import run_info
from catalyst_core.store.schema import races, runs
from catalyst_core.store.sqlite import SqliteBackend

HOLDS_A_SLOT: tuple[State, ...] = ("running", "paused", "stopping")  # with "queued": all that are not finished
SEEN = runs.c.race_id.in_(select(races.c.id).where(races.c.deleted.is_(None)))  # runs of races that are not hidden
WATCHED = runs.c.config.startswith('{"data":{"name":"own"')  # runs without a worker: they hold no slot
IN_TURN = (runs.c.priority.desc(), runs.c.queued, runs.c.id)  # the order of the queue


class Database:
    """What the parts of a store are built on."""

    def __init__(self, url: str | None = None) -> None:
        """Open, and create or bring up to date what is there.

        Raises StoreError (not a URL, not writable, damaged, of a newer schema) or StoreUnavailableError (not reachable).
        """
        self.url = resolve_url(url)
        self._backend: Backend = SqliteBackend(self.url) if is_sqlite(self.url) else PostgresBackend(self.url)
        try:
            with self._read() as connection:
                self._backend.check(connection)
                ready = is_ready(connection, self.name)
            if not ready:
                with self._write() as (connection, _):
                    migrated = prepare(connection, self.name)
                if migrated:
                    self._backend.shrink()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def name(self) -> str:
        """The URL as people may see it; `url` has the password in it."""
        return self._backend.name

    @property
    def files(self) -> Path:
        """The folder of checkpoints, logs and dense networks: $CATALYST_FILES, else one that belongs to the database."""
        chosen = os.environ.get("CATALYST_FILES")
        return Path(chosen).expanduser().absolute() if chosen else self._backend.files

    def run_folder(self, run_id: str) -> Path:
        """Where one run keeps its files; made if missing. Raises NotFoundError for what cannot be a run's id."""
        if not re.fullmatch(r"[\w-]+", run_id):
            raise NotFoundError(f"run {shown(run_id)}: none in {self.name}")
        folder = self.files / "runs" / run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def now(self) -> float:
        """Seconds since the epoch by the database's clock, which every time in the store is of."""
        return self._backend.now()

    def close(self) -> None:
        """Let go of all connections."""
        self._backend.engine.dispose()

    def _read(self) -> AbstractContextManager[Connection]:
        return self._backend.read()

    def _write(self) -> AbstractContextManager[tuple[Connection, float]]:
        return self._backend.write()

    def _row(self, connection: Connection, run_id: str) -> Row[Any]:
        row = connection.execute(select(runs).where(runs.c.id == run_id, SEEN)).first()
        if row is None:
            raise NotFoundError(f"run {shown(run_id)}: none in {self.name}")
        return row

    def _live_row(self, connection: Connection, run_id: str, attempt: int | None = None) -> Row[Any]:
        row = self._row(connection, run_id)
        if attempt not in (None, row.attempt):
            raise RunFinishedError(f"run {run_id} is at attempt {row.attempt}, not {attempt}")
        if row.state in FINISHED_STATES:
            raise RunFinishedError(f"run {run_id} is {row.state}: it takes no more events")
        return row

    def _queue(self, connection: Connection) -> Sequence[Row[Any]]:
        columns = (runs.c.id, runs.c.pid, runs.c.host, runs.c.assigned)
        return connection.execute(select(*columns).where(runs.c.state == "queued").order_by(*IN_TURN)).all()

    def _runs(self, connection: Connection, *where: Any) -> list[RunInfo]:
        places = {row.id: place for place, row in enumerate(self._queue(connection), start=1)}
        rows = connection.execute(select(runs).where(*where).order_by(*IN_TURN)).all()
        return [run_info(row, places.get(row.id)) for row in rows]
