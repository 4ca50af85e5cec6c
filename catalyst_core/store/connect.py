"""Opening a store: from a URL to a SQLAlchemy engine with SQLite's settings, and errors as sentences."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from catalyst_core.config import home
from catalyst_core.errors import StoreError

BUSY_SECONDS = 20  # how long a writer waits for another one


def resolve_url(url: str | None) -> str:
    """The given URL or path, else $CATALYST_STORE, else `catalyst.db` in Catalyst's home. Raises StoreError."""
    text = url or os.environ.get("CATALYST_STORE") or str(home() / "catalyst.db")
    if "://" not in text:
        text = f"sqlite:///{Path(text).expanduser().absolute()}"
    try:
        parsed = make_url(text)
    except ArgumentError:
        raise StoreError(f"store {text!r} is not a URL such as sqlite:///races.db, nor a path") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise StoreError(f"store {text!r}: only SQLite files are supported, as sqlite:///PATH or PATH")
    return f"sqlite:///{Path(parsed.database).absolute()}"


def connect(url: str) -> Engine:
    """An engine for a resolved URL; makes the folder. Raises StoreError where it cannot be written."""
    path = database_path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab"):
            pass
    except OSError as error:
        raise StoreError(f"store {path}: cannot be written ({error.strerror})") from None
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})
    event.listen(engine, "connect", _configure)
    return engine


def database_path(url: str) -> Path:
    """Where a resolved SQLite URL points."""
    return Path(make_url(url).database or "")


def _configure(connection, _record) -> None:  # type: ignore[no-untyped-def]  # the DB-API's own objects
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
    """One transaction: all of it or nothing. A writer takes the lock at once, so that it cannot lose it half-way."""
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
    except DatabaseError as error:
        raise StoreError(f"store {database_path(str(engine.url))}: {error.orig}") from error
