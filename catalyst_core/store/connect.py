"""The database behind a store: where a URL points, what people may see of it, and what both back ends have in common.

`SqliteBackend` and `PostgresBackend`, in modules of their own, hold all that differs.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from catalyst_core.errors import StoreError, StoreUnavailableError
from catalyst_core.places import home

BUSY_SECONDS = 20  # how long a writer waits for another one
LONGEST = 400  # characters of what a database says
PRIVATE = re.compile("pass|pwd", re.IGNORECASE)  # names of parameters that are not shown

T = TypeVar("T")


def resolve_url(url: str | None) -> str:
    """The given URL or path, else $CATALYST_STORE, else `catalyst.db` in Catalyst's home; its password included.

    Raises StoreError, which shows no part of the URL that could be a password.
    """
    text = url or os.environ.get("CATALYST_STORE") or str(home() / "catalyst.db")
    if "://" not in text:
        text = f"sqlite:///{Path(text).expanduser().absolute()}"
    parsed = _parsed(text)
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return f"sqlite:///{Path(parsed.database).absolute()}"
    if backend == "postgresql" and parsed.database:
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    raise StoreError(
        f"store {readable(parsed)}: only SQLite and PostgreSQL are supported, "
        "as sqlite:///PATH, PATH or postgresql+psycopg://user:password@host/database"
    )


def _parsed(text: str) -> URL:
    scheme, _, rest = text.partition("://")
    try:
        if rest.count("@") > 1 and not scheme.startswith("sqlite"):
            raise ValueError
        return make_url(text)
    except (ArgumentError, ValueError):  # the rest of it may hold a password, wherever that went
        raise StoreError(
            f"store {scheme}://...: not a URL such as sqlite:///races.db or postgresql+psycopg://user:password@host/database; "
            "in a password write %40 for @, %2F for / and %3A for a colon"
        ) from None


def is_sqlite(url: str) -> bool:
    """Which back end a resolved URL is of."""
    return url.startswith("sqlite:")


def readable(url: URL) -> str:
    """A URL as people may see it: *** for every password in it."""
    shown = url.set(query={key: "***" if PRIVATE.search(key) else value for key, value in url.query.items()})
    text = shown.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")
    return re.sub(r"(?i)((?:pass|pwd)\w*(?:=|%3d))[^&\s]+", r"\1***", text)


class Backend(ABC):
    """One kind of database: its transactions, its clock, its size."""

    def __init__(self, url: str) -> None:
        self.parsed = make_url(url)
        self.name = readable(self.parsed)
        self.engine = self._engine()

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state of the database from begin to end."""
        return self._sentences(self._read())

    def write(self) -> AbstractContextManager[tuple[Connection, float]]:
        """A transaction, all of it or nothing, one at a time in the whole database; with the time by the database's clock."""
        return self._sentences(self._write())

    def check(self, connection: Connection) -> None:  # noqa: B027  # most have nothing to check
        """Raise StoreError for a database that cannot hold every text."""

    @property
    @abstractmethod
    def files(self) -> Path:
        """The folder for files, unless told otherwise."""

    @abstractmethod
    def now(self) -> float:
        """The database's clock, in seconds since the epoch."""

    @abstractmethod
    def size(self) -> int:
        """Bytes that the database takes."""

    @abstractmethod
    def shrink(self) -> None:
        """Give the room of deleted rows back to the disk, as far as possible now; the rest is used again by later rows."""

    @abstractmethod
    def _engine(self) -> Engine: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _write(self) -> AbstractContextManager[tuple[Connection, float]]: ...

    @abstractmethod
    def _may_come_back(self, error: DBAPIError) -> bool: ...

    @contextmanager
    def _sentences(self, transaction: AbstractContextManager[T]) -> Iterator[T]:
        """What the database says, as one line that names the store. No cause is kept: it could hold the password."""
        try:
            with transaction as opened:
                yield opened
        except DBAPIError as error:
            said = self._without_secrets(" ".join(str(error.orig).split()))[:LONGEST]
            kind = StoreUnavailableError if self._may_come_back(error) else StoreError
            raise kind(f"store {self.name}: {said}") from None
        except NoFreeConnection:
            raise StoreUnavailableError(f"store {self.name}: all connections of this process are in use") from None

    def _without_secrets(self, text: str) -> str:
        given = [value for key, value in self.parsed.query.items() if PRIVATE.search(key)]
        for secret in filter(None, [self.parsed.password, *map(str, given)]):
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
        return text
