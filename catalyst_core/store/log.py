"""What a run says and is told: its events, which come back by cursor, and the commands for its worker."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from catalyst_core.errors import RunFinishedError
from catalyst_core.events import FINISHED_STATES, Command, Event, RolledBack, SettingChanged, event_from_json
from catalyst_core.store.base import StoredCommand, StoredEvent
from catalyst_core.store.core import Database
from catalyst_core.store.queries import chunks, columns_after
from catalyst_core.store.schema import WITHDRAWN, commands, events, runs

STAGED = ("stage", "step", "evaluated", "filters", "checkpoint", "rollback")  # kinds of events that name their stage


class Log(Database):
    """The part of the store about events and commands."""

    def append(self, run_id: str, new: Sequence[Event], attempt: int | None = None, done: int = 0) -> int:
        """Commit events, what they say about the run, and that its commands up to the id `done` are done, all at once.

        `attempt` is the one the caller claimed. Returns the run's last cursor. A batch may be sent again after a
        StoreUnavailableError: events whose key is there already are skipped. Raises RunFinishedError when the run has ended or
        is another attempt by now, NotFoundError when it was deleted.
        """
        with self._write() as (connection, now):
            row = self._live_row(connection, run_id, attempt)
            if done:
                up_to = (commands.c.run_id == run_id, commands.c.done == 0, commands.c.id <= done)
                connection.execute(update(commands).where(*up_to).values(done=1))
            self._append(connection, row, new, now)
            return connection.execute(select(func.max(events.c.cursor)).where(*visible(run_id))).scalar() or 0

    def events(self, run_id: str, after: int = 0, kinds: Iterable[str] | None = None) -> list[StoredEvent]:
        """The visible events of a run behind the cursor `after`, in order; `kinds` names the wanted ones."""
        return self._events(events_query(events.c.run_id == run_id, after, kinds))

    def race_events(self, race_id: str, after: int = 0, kinds: Iterable[str] | None = None) -> list[StoredEvent]:
        """The same for all runs of a race, on one cursor."""
        mine = events.c.run_id.in_(select(runs.c.id).where(runs.c.race_id == race_id))
        return self._events(events_query(mine, after, kinds))

    def settings(self, run_id: str) -> list[SettingChanged]:
        """The changes of settings that count for this run, in order."""
        return [one.event for one in self.events(run_id, kinds=["setting"]) if isinstance(one.event, SettingChanged)]

    def commands(self, run_id: str, after: int = 0) -> list[StoredCommand]:
        """The commands behind the id `after` that are not done, in order."""
        waiting = (commands.c.run_id == run_id, commands.c.done == 0, commands.c.id > after)
        with self._read() as connection:
            rows = connection.execute(select(commands.c.id, commands.c.body).where(*waiting).order_by(commands.c.id)).all()
        return [StoredCommand(row.id, Command.model_validate_json(row.body)) for row in rows]

    def send(self, run_id: str, command: Command) -> None:
        """Leave a command for the owner. A queued run is stopped at once. Raises RunFinishedError, NotFoundError."""
        with self._write() as (connection, now):
            row = self._row(connection, run_id)
            if row.state in FINISHED_STATES:
                raise RunFinishedError(f"run {run_id} is {row.state}: it takes no more commands")
            if command.name == "stop" and row.state == "queued":
                connection.execute(update(runs).where(runs.c.id == run_id).values(state="stopped", finished=now))
            else:
                connection.execute(insert(commands).values(run_id=run_id, time=now, body=command.model_dump_json()))

    # Inside a transaction

    def _events(self, query: Select[Any]) -> list[StoredEvent]:
        with self._read() as connection:
            rows = connection.execute(query).all()
        return [StoredEvent(row.cursor, row.run_id, row.time, event_from_json(row.body)) for row in rows]

    def _append(self, connection: Connection, row: Row[Any], new: Sequence[Event], now: float) -> None:
        columns = {"step": row.step, "revision": row.revision, "heartbeat": now}
        for part in _parts(_without_the_past(connection, row.id, new)):
            fresh = _unsaid(connection, row.id, part)
            for event in fresh:
                if isinstance(event, RolledBack):
                    behind = (events.c.key.is_not(None), events.c.step > event.step, events.c.kind != "setting")
                    withdraw(connection, row.id, *behind)
                    columns |= progress(connection, row.id) | {"step": event.step, "revision": columns["revision"] + 1}
                columns |= columns_after(event, now)
                columns["step"] = max(columns["step"], event.step)
            if fresh:
                connection.execute(insert(events), [event_values(row.id, row.attempt, event, now) for event in fresh])
        if new:
            connection.execute(update(runs).where(runs.c.id == row.id).values(**columns))


def visible(run_id: str) -> tuple[Any, ...]:
    """The condition for the visible events of a run."""
    return events.c.run_id == run_id, events.c.withdrawn == 0


def events_query(which: Any, after: int, kinds: Iterable[str] | None) -> Select[Any]:
    """Visible events behind a cursor, in order: reads their index from there on."""
    columns = (events.c.cursor, events.c.run_id, events.c.time, events.c.body)
    query = select(*columns).where(which, events.c.withdrawn == 0, events.c.cursor > after).order_by(events.c.cursor)
    return query if kinds is None else query.where(events.c.kind.in_(list(kinds)))


def withdraw(connection: Connection, run_id: str, *which: Any) -> None:
    """Make events of a run invisible, and free their keys: what replaces them may say the same again."""
    mine = (events.c.run_id == run_id, events.c.withdrawn != WITHDRAWN)
    connection.execute(update(events).where(*mine, *which).values(withdrawn=WITHDRAWN, key=None))


def progress(connection: Connection, run_id: str) -> dict[str, Any]:
    """How far the visible events say that a run came: the columns of its row."""
    columns = {"stage": "", "step": 0, "total_steps": 0, "seconds": 0.0, "accuracy": None, "share_pruned": None}
    said = [
        _last(connection, run_id, events.c.kind == "step"),
        _last(connection, run_id, events.c.kind == "evaluated", events.c.body.contains('"split":"validation"')),
        _last(connection, run_id, events.c.kind == "stage"),
    ]
    for event in filter(None, said):
        columns |= columns_after(event, 0.0)
    latest = _last(connection, run_id, events.c.kind.in_(STAGED))
    return columns | ({"stage": latest.stage, "step": latest.step} if latest else {})  # type: ignore[union-attr]  # STAGED


def _last(connection: Connection, run_id: str, *which: Any) -> Event | None:
    query = select(events.c.body).where(*visible(run_id), *which).order_by(events.c.cursor.desc()).limit(1)
    body = connection.execute(query).scalar()
    return None if body is None else event_from_json(body)


def _without_the_past(connection: Connection, run_id: str, new: Sequence[Event]) -> list[Event]:
    """`new` without what is sent again from before a roll-back that is stored: it was withdrawn then, or is there still."""
    known = _known(connection, run_id, [event.key for event in new if isinstance(event, RolledBack)])
    past = max((place for place, event in enumerate(new) if event.key in known and isinstance(event, RolledBack)), default=0)
    return [event for place, event in enumerate(new) if place >= past or not event.key]


def _parts(new: Sequence[Event]) -> Iterator[list[Event]]:
    """The events in order, each roll-back by itself: it frees keys for those behind it."""
    part: list[Event] = []
    for event in new:
        if isinstance(event, RolledBack):
            yield part
            yield [event]
            part = []
        else:
            part.append(event)
    yield part


def _unsaid(connection: Connection, run_id: str, part: Sequence[Event]) -> list[Event]:
    """The events without a key, and the first of each key that the run does not have."""
    known = _known(connection, run_id, [event.key for event in part])
    fresh: list[Event] = []
    for event in part:
        if event.key not in known:
            fresh.append(event)
            known |= {event.key} - {""}
    return fresh


def _known(connection: Connection, run_id: str, keys: Iterable[str]) -> set[str]:
    """Which of these keys the run has."""
    found: set[str] = set()
    for asked in chunks([key for key in keys if key]):
        query = select(events.c.key).where(events.c.run_id == run_id, events.c.key.in_(asked))
        found.update(connection.execute(query).scalars())
    return found


def event_values(run_id: str, attempt: int, event: Event, time: float) -> dict[str, Any]:
    """The row of an event that this attempt of a run said at this time."""
    return {
        "run_id": run_id,
        "attempt": attempt,
        "time": time,
        "kind": event.kind,
        "step": event.step,
        "key": event.key or None,
        "body": event.model_dump_json(),
    }
