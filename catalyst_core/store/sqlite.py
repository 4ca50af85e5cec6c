"""SQLite: one file in WAL mode, read while it is written; its clock is this machine's."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from catalyst_core.errors import StoreError
from catalyst_core.store.connect import BUSY_SECONDS, Backend

PATIENCE = 2.0  # seconds that shrinking waits for others
MAY_COME_BACK = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_NOMEM")


class SqliteBackend(Backend):
    """The default: no server, any number of processes on one machine."""

    @property
    def path(self) -> Path:
        """The database's file."""
        return Path(self.parsed.database or "")

    @property
    def files(self) -> Path:
        """Beside the database."""
        return self.path.with_name(f"{self.path.stem}-files")

    def now(self) -> float:
        """This machine's clock."""
        return time.time()

    def size(self) -> int:
        """The file with its write-ahead log."""
        total = 0
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                total += self.path.with_name(self.path.name + suffix).stat().st_size
        return total

    def shrink(self) -> None:
        """Cut the free pages off the file, and the log to nothing. An old file is rewritten once, to be able to."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, PATIENCE, isolation_level=None)) as own:
            if own.execute("PRAGMA auto_vacuum").fetchone() == (0,):
                own.executescript("PRAGMA auto_vacuum=INCREMENTAL; VACUUM")
            own.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")

    def _engine(self) -> Engine:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A file that is there is not opened: closing it would take SQLite's locks from other stores of this process.
            if not (self.path.is_file() and os.access(self.path, os.W_OK)):
                with open(self.path, "ab"):
                    pass
        except OSError as error:
            raise StoreError(f"store {self.name}: cannot be written ({error.strerror})") from None
        engine = create_engine(self.parsed, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None}, hide_parameters=True)
        event.listen(engine, "connect", _configure)
        return engine

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._begun("BEGIN") as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[tuple[Connection, float]]:
        with self._begun("BEGIN IMMEDIATE") as connection:  # the lock at once, so that it cannot be lost half-way
            yield connection, time.time()

    @contextmanager
    def _begun(self, how: str) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            connection.exec_driver_sql(how)
            try:
                yield connection
            except BaseException:
                with suppress(DBAPIError):  # the disk may be full, and then SQLite has rolled back already
                    connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def _may_come_back(self, error: DBAPIError) -> bool:
        return getattr(error.orig, "sqlite_errorname", "").startswith(MAY_COME_BACK)


def _configure(connection, _record) -> None:  # type: ignore[no-untyped-def]  # the DB-API's own objects
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:  # of several that open a new file at once, SQLite lets only one change the mode, and the others do not wait
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    # A worker's checkpoint relies on what it had committed before: that has to survive a power cut as well.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
