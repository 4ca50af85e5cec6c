"""The opening of a database: empty, of this schema, of an older one, or damaged.

A migration is plain SQL of its time: it must not follow the tables of `schema` when they change again.
"""

import json
from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select

from catalyst_core.errors import StoreError
from catalyst_core.store.schema import VERSION, meta, metadata


def is_ready(connection: Connection, name: str) -> bool:
    """Whether the database is of this schema. Raises StoreError for a newer or damaged one, which is left alone."""
    found = set(inspect(connection).get_table_names()) & set(metadata.tables)
    if not found:
        return False
    if meta.name not in found:
        raise StoreError(f"store {name}: has tables called {_listed(found)}, but they are not Catalyst's; use another database")
    version = _version(connection)
    if version is not None and version > VERSION:
        raise StoreError(
            f"store {name}: it is of schema {version}, this Catalyst reads up to {VERSION}: update Catalyst or use another store"
        )
    missing = set(metadata.tables) - found
    if missing or version is None or version < 1:
        said = f"its tables {_listed(missing)} are missing" if missing else "it does not say of which schema it is"
        raise StoreError(f"store {name}: damaged, {said}; use a copy of it or another store")
    return version == VERSION


def prepare(connection: Connection, name: str) -> bool:
    """Create the tables, or bring them up to date step by step: True then. Raises StoreError as `is_ready`."""
    if is_ready(connection, name):
        return False
    if inspect(connection).has_table(meta.name):
        found = _version(connection)
        assert found is not None
        for version in range(found, VERSION):
            MIGRATIONS[version](connection)
        connection.execute(meta.update().where(meta.c.key == "schema").values(value=str(VERSION)))
        return True
    metadata.create_all(connection)
    connection.execute(insert(meta).values(key="schema", value=str(VERSION)))
    return False


SECOND = """
ALTER TABLE runs ADD COLUMN priority INTEGER DEFAULT '0' NOT NULL;
ALTER TABLE runs ADD COLUMN revision INTEGER DEFAULT '0' NOT NULL;
ALTER TABLE runs ADD COLUMN boot VARCHAR(64);
ALTER TABLE runs ADD COLUMN assigned FLOAT;
ALTER TABLE runs ADD COLUMN bytes BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE runs ADD COLUMN rss BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE runs ADD COLUMN parent VARCHAR(50);
ALTER TABLE runs ADD COLUMN note VARCHAR DEFAULT '' NOT NULL;
DROP INDEX ix_runs_race_id;
CREATE INDEX states_of_a_race ON runs (race_id, state, bytes);
CREATE INDEX ix_races_created ON races (created);
ALTER TABLE commands RENAME COLUMN taken TO done;
DROP INDEX events_of_a_run;
ALTER TABLE events RENAME TO events_1;
CREATE TABLE events (
    cursor INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    run_id VARCHAR(50) NOT NULL,
    attempt INTEGER NOT NULL,
    time FLOAT NOT NULL,
    kind VARCHAR(20) NOT NULL,
    step INTEGER NOT NULL,
    "key" VARCHAR(80),
    withdrawn INTEGER NOT NULL,
    body TEXT NOT NULL,
    FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO events (cursor, run_id, attempt, time, kind, step, withdrawn, body)
    SELECT cursor, run_id, events_1.attempt, time, kind, CAST(substr(body, 9, 12) AS INTEGER),
        events_1.attempt <> runs.attempt, body
    FROM events_1 JOIN runs ON runs.id = run_id ORDER BY cursor;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'events_1') WHERE name = 'events';
DROP TABLE events_1;
CREATE INDEX visible_events_of_a_run ON events (run_id, withdrawn, cursor);
CREATE UNIQUE INDEX keys_of_a_run ON events (run_id, "key")
"""


def _to_second(connection: Connection) -> None:
    """SQLite, as all stores of the first schema: steps and keys of events, and what schedules and watches runs."""
    for statement in SECOND.split(";"):
        connection.exec_driver_sql(statement)
    odd = connection.exec_driver_sql("""SELECT cursor, body FROM events WHERE body NOT LIKE '{"step":%'""").all()
    for cursor, body in odd:
        connection.exec_driver_sql("UPDATE events SET step = ? WHERE cursor = ?", (_step(body), cursor))


def _step(body: str) -> int:
    try:
        return int(json.loads(body)["step"])
    except (ValueError, KeyError, TypeError):
        return 0


def _to_third(connection: Connection) -> None:
    """A deletion that can be undone."""
    connection.exec_driver_sql("ALTER TABLE races ADD COLUMN deleted FLOAT")


MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: _to_second, 2: _to_third}  # from this schema to the next


def _version(connection: Connection) -> int | None:
    found = connection.execute(select(meta.c.value).where(meta.c.key == "schema")).scalar()
    return int(found) if found is not None and found.isdecimal() else None


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
