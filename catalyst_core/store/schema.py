"""The tables, and how an older store is brought up to date."""

from sqlalchemy import Column, Connection, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text, insert, select

from catalyst_core.errors import StoreError

VERSION = 1

metadata = MetaData()

meta = Table("catalyst_meta", metadata, Column("key", String(40), primary_key=True), Column("value", String(200), nullable=False))

races = Table(
    "races",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("created", Float, nullable=False),  # seconds since the epoch, as all times here
    Column("config", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(50), primary_key=True),
    Column("race_id", ForeignKey("races.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("config", Text, nullable=False),
    Column("state", String(10), nullable=False, index=True),
    Column("queued", Float, nullable=False),  # when it joined the queue: its order there
    Column("attempt", Integer, nullable=False, default=1),
    Column("stage", String(20), nullable=False, default=""),
    Column("step", Integer, nullable=False, default=0),
    Column("total_steps", Integer, nullable=False, default=0),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("accuracy", Float),
    Column("share_pruned", Float),
    Column("pid", Integer),
    Column("process_created", Float),
    Column("host", String(255)),
    Column("heartbeat", Float),
    Column("started", Float),
    Column("finished", Float),
    Column("reason", Text, nullable=False, default=""),
    Column("log_tail", Text, nullable=False, default=""),
    Column("ledger", Text),
)

events = Table(
    "events",
    metadata,
    Column("cursor", Integer, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("time", Float, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Index("events_of_a_run", "run_id", "attempt", "cursor"),
    sqlite_autoincrement=True,  # a cursor is never used twice, not even after a deletion
)

commands = Table(
    "commands",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("time", Float, nullable=False),
    Column("body", Text, nullable=False),
    Column("taken", Integer, nullable=False, default=0),
    Index("commands_waiting", "run_id", "taken", "id"),
)


def prepare(connection: Connection) -> None:
    """Create what is missing. Raises StoreError for a store that a newer Catalyst made."""
    metadata.create_all(connection)
    found = connection.execute(select(meta.c.value).where(meta.c.key == "schema")).scalar()
    if found is None:
        connection.execute(insert(meta).values(key="schema", value=str(VERSION)))
    elif int(found) > VERSION:
        raise StoreError(
            f"the store is of schema {found}, this Catalyst reads up to {VERSION}: update Catalyst or use another store"
        )
