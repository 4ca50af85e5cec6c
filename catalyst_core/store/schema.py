"""The tables."""

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

VERSION = 3

WITHDRAWN = 1  # values of events.withdrawn; 0 is visible
THINNED = 2  # only the key is left, so that saying it again does not bring it back


def clean(text: str) -> str:
    """Without NUL and halves of surrogate pairs, which databases refuse or cut at."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Plain(TypeDecorator[str]):
    """Text from anywhere, made safe for every back end on its way in."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


metadata = MetaData()

meta = Table("catalyst_meta", metadata, Column("key", String(40), primary_key=True), Column("value", String(200), nullable=False))

races = Table(
    "races",
    metadata,
    Column("id", Plain(40), primary_key=True),
    Column("created", Float, nullable=False, index=True),  # seconds since the epoch, as all times here
    Column("config", Text, nullable=False),
    Column("deleted", Float),  # when it was hidden: its files go a while later
)

runs = Table(
    "runs",
    metadata,
    Column("id", Plain(50), primary_key=True),
    Column("race_id", ForeignKey("races.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("config", Text, nullable=False),
    Column("state", String(10), nullable=False, index=True),
    Column("queued", Float, nullable=False),  # when it joined the queue: its order there, after priority
    Column("attempt", Integer, nullable=False, default=1),
    Column("stage", String(20), nullable=False, default=""),
    Column("step", Integer, nullable=False, default=0),
    Column("total_steps", Integer, nullable=False, default=0),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("accuracy", Float),
    Column("share_pruned", Float),
    Column("pid", Integer),
    Column("process_created", Float),
    Column("host", Plain(255)),
    Column("heartbeat", Float),
    Column("started", Float),
    Column("finished", Float),
    Column("reason", Plain(), nullable=False, default=""),
    Column("log_tail", Plain(), nullable=False, default=""),
    Column("ledger", Text),
    Column("priority", Integer, nullable=False, default=0, server_default="0"),
    Column("revision", Integer, nullable=False, default=0, server_default="0"),
    Column("boot", Plain(64)),
    Column("assigned", Float),  # when a worker was last started for it
    Column("bytes", BigInteger, nullable=False, default=0, server_default="0"),
    Column("rss", BigInteger, nullable=False, default=0, server_default="0"),
    Column("parent", Plain(50)),
    Column("note", Plain(), nullable=False, default="", server_default=""),
    Index("states_of_a_race", "race_id", "state", "bytes"),  # all that a list of races reads of its runs
)

events = Table(
    "events",
    metadata,
    Column("cursor", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),  # that said it
    Column("time", Float, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("step", Integer, nullable=False),
    Column("key", Plain(80)),
    Column("withdrawn", Integer, nullable=False, default=0),
    Column("body", Text, nullable=False),  # last: it is long, and what stands before it is read without it
    Index("visible_events_of_a_run", "run_id", "withdrawn", "cursor"),
    Index("keys_of_a_run", "run_id", "key", unique=True),
    sqlite_autoincrement=True,  # a cursor is never used twice, not even after a deletion
)

commands = Table(
    "commands",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("time", Float, nullable=False),
    Column("body", Text, nullable=False),
    Column("done", Integer, nullable=False, default=0),
    Index("commands_waiting", "run_id", "done", "id"),
)
