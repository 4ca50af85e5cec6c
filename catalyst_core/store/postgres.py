"""PostgreSQL: one server for many machines, whose clock counts for all of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from catalyst_core.errors import StoreError
from catalyst_core.places import home
from catalyst_core.store.connect import BUSY_SECONDS, Backend
from catalyst_core.store.schema import metadata

CONNECT_SECONDS = 5
IDLE_SECONDS = 10  # a client that stops in the middle of a transaction loses it, and with it its lock
LOCK = 0x0CA7A175  # of all writers; any constant that other users of the database do not take
# Classes and codes of SQLSTATE: connection, sign-in, no such database, resources, operator, system, deadlocks, idle
# too long, lock not free, a standby that took over.
MAY_COME_BACK = ("08", "28", "3D000", "53", "57", "58", "40", "25P03", "55P03", "25006")
NETWORK = {  # seconds after which a server that vanished without a word is noticed, and no statement prepared on the server
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "client_encoding": "utf8",
    "prepare_threshold": None,  # a plan made for any cursor would read the whole table
}


class PostgresBackend(Backend):
    """All writers take one lock: cursors become visible in order, and the queue is exact, as in SQLite."""

    def check(self, connection: Connection) -> None:
        """Raise StoreError for an encoding that has not every letter."""
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding not in ("UTF8", "SQL_ASCII"):
            raise StoreError(f"store {self.name}: its encoding is {encoding}; make a database with ENCODING 'UTF8' and use that")

    @property
    def files(self) -> Path:
        """In Catalyst's home: of this machine, unless $CATALYST_FILES names a folder that all of them share."""
        host = self.parsed.host or self.parsed.query.get("host") or "localhost"
        return home() / f"{re.sub(r'[^A-Za-z0-9.]+', '_', f'{host}-{self.parsed.database}').strip('.')}-files"

    def now(self) -> float:
        """The server's clock."""
        with self.read() as connection:
            return connection.execute(text("SELECT extract(epoch FROM clock_timestamp())::float8")).scalar_one()

    def size(self) -> int:
        """Catalyst's tables with their indexes."""
        each = text("SELECT coalesce(pg_total_relation_size(to_regclass(:name)), 0)")
        with self.read() as connection:
            return sum(connection.execute(each, {"name": name}).scalar_one() for name in metadata.tables)

    def shrink(self) -> None:
        """VACUUM the tables."""
        with suppress(DBAPIError), self.engine.connect() as connection:
            settled = connection.execution_options(isolation_level="AUTOCOMMIT")
            settled.exec_driver_sql(f"VACUUM {', '.join(metadata.tables)}")

    def _engine(self) -> Engine:
        engine = create_engine(self.parsed, connect_args=NETWORK, pool_pre_ping=True, hide_parameters=True)
        event.listen(engine, "connect", _configure)
        return engine

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _write(self) -> Iterator[tuple[Connection, float]]:
        locked = text("SELECT pg_advisory_xact_lock(:lock), extract(epoch FROM clock_timestamp())::float8")
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="READ COMMITTED")  # each statement sees what came before the lock
            with connection.begin():
                now = connection.execute(locked, {"lock": LOCK}).one()[1]
                yield connection, now

    def _may_come_back(self, error: DBAPIError) -> bool:
        state = getattr(error.orig, "sqlstate", None)
        return error.connection_invalidated or state is None or state.startswith(MAY_COME_BACK)


def _configure(connection, _record) -> None:  # type: ignore[no-untyped-def]  # the DB-API's own objects
    connection.autocommit = True
    connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    connection.autocommit = False
