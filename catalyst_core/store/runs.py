"""The life of a run: its heartbeat, its failure, its next attempt, its forks."""

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, literal, select, update

from catalyst_core.config import RaceConfig
from catalyst_core.errors import CheckpointError, ConfigError, shown
from catalyst_core.events import FINISHED_STATES, CheckpointKept, Command, Failed, event_from_json
from catalyst_core.store.base import RunInfo
from catalyst_core.store.log import Log, progress, visible, withdraw
from catalyst_core.store.queries import AGAIN, chunks, contender_config, race_config
from catalyst_core.store.schema import THINNED, clean, commands, events, races, runs

OF_A_WORKER = ("state", "finished", "failed")  # kinds of events about a process, not about what it trained
OF_THE_MOMENT = ("pause", "resume", "stop")  # commands that mean nothing to the next attempt


class Runs(Log):
    """The part of the store about single runs."""

    def beat(self, run_id: str, attempt: int | None = None, *, rss: int = 0, bytes: int = 0, note: str = "") -> None:
        """The owner is alive, takes `rss` bytes of memory, has `bytes` of files and waits for `note`. Raises as `append`."""
        with self._write() as (connection, now):
            self._live_row(connection, run_id, attempt)
            values = {"heartbeat": now, "rss": rss, "bytes": bytes, "note": note}
            connection.execute(update(runs).where(runs.c.id == run_id).values(**values))

    def fail(self, run: RunInfo, reason: str, log_tail: str) -> bool:
        """Record that the process behind `run` is gone. False when the run has moved on since `run` was read."""
        with self._write() as (connection, now):
            row = self._row(connection, run.id)
            seen = (run.attempt, run.process.pid if run.process else None)
            if row.state in FINISHED_STATES or (row.attempt, row.pid) != seen:
                return False
            failed = Failed(step=row.step, reason=clean(reason), log_tail=clean(log_tail))
            self._append(connection, row, [failed], now)
        return True

    def requeue(self, run_id: str) -> bool:
        """Let a failed or stopped run go on where it was, as its next attempt. False if it is in neither of these states.

        The cut that a stop had made is withdrawn. Commands that wait stay, but for those of the moment.
        """
        with self._write() as (connection, now):
            row = self._row(connection, run_id)
            if row.state not in ("failed", "stopped"):
                return False
            columns = AGAIN | {"queued": now + row.position * 1e-6, "attempt": row.attempt + 1}
            stopping = (events.c.kind == "state", events.c.body.contains('"state":"stopping"'))
            cut = connection.execute(select(func.min(events.c.cursor)).where(*visible(run_id), *stopping)).scalar()
            if cut is not None:
                withdraw(connection, run_id, events.c.cursor >= cut, events.c.kind.not_in(("checkpoint", "setting")))
                columns |= progress(connection, run_id) | {"revision": row.revision + 1}
            connection.execute(update(runs).where(runs.c.id == run_id).values(**columns))
            _forget(connection, run_id)
        return True

    def fork(self, run_id: str, checkpoint: str, variant: str) -> str:
        """A queued run that goes on from a kept checkpoint of `run_id`, in the same race, under the name `variant`.

        It has the source's past up to the checkpoint, whose file is the caller's to provide. Returns its id. Raises
        CheckpointError when there is no such checkpoint, ConfigError for a name that is taken or not allowed, NotFoundError.
        """
        with self._write() as (connection, now):
            source = self._row(connection, run_id)
            kept = _checkpoint(connection, run_id, checkpoint)
            siblings = connection.execute(select(runs).where(runs.c.race_id == source.race_id)).all()
            position = max(row.position for row in siblings) + 1
            columns = {
                "id": f"{source.race_id}-{position:02d}",
                "race_id": source.race_id,
                "position": position,
                "config": _renamed(connection, source, siblings, variant),
                "state": "queued",
                "queued": now + position * 1e-6,
                "priority": source.priority,
                "parent": run_id,
            }
            connection.execute(insert(runs).values(**columns))
            _copy(connection, run_id, columns["id"], kept)
            connection.execute(update(runs).where(runs.c.id == columns["id"]).values(**progress(connection, columns["id"])))
        return columns["id"]

    def thin(self, run_id: str, recent: int = 200) -> int:
        """Drop looks at the filters so that the gaps between them grow with their age; returns how many.

        The `recent` newest stay, and always the first, the one that the cut was made from, and those at a step where a stage
        began or a setting changed. Doing it again drops nothing more. Raises NotFoundError.
        """
        with self._read() as connection:
            self._row(connection, run_id)
            dropped = too_dense(connection, run_id, recent)
        removed = 0
        for part in chunks(dropped, 100):  # so that nobody has to wait long
            # The row stays with its key, or a resumed worker would say it again, at a later place.
            gone = update(events).where(events.c.cursor.in_(part), events.c.withdrawn == 0)
            with self._write() as (connection, _):
                removed += connection.execute(gone.values(withdrawn=THINNED, body="")).rowcount
        return removed


def _forget(connection: Connection, run_id: str) -> None:
    waiting = select(commands.c.id, commands.c.body).where(commands.c.run_id == run_id, commands.c.done == 0)
    rows = connection.execute(waiting).all()
    stale = [row.id for row in rows if Command.model_validate_json(row.body).name in OF_THE_MOMENT]
    connection.execute(update(commands).where(commands.c.id.in_(stale)).values(done=1))


def _checkpoint(connection: Connection, run_id: str, name: str) -> int:
    """The cursor of the visible event that kept this checkpoint last."""
    query = select(events.c.cursor, events.c.body).where(*visible(run_id), events.c.kind == "checkpoint")
    cursors = {}
    for cursor, body in connection.execute(query.order_by(events.c.cursor)):
        kept = event_from_json(body)
        assert isinstance(kept, CheckpointKept)
        cursors[kept.name] = cursor
    if name not in cursors:
        raise CheckpointError(f"run {run_id} kept no checkpoint {shown(name)}; it has: {', '.join(cursors) or 'none'}")
    return cursors[name]


def _renamed(connection: Connection, source: Row[Any], siblings: Any, variant: str) -> str:
    """The source's configuration under another name, checked as a race of its own would be."""
    config = contender_config(source.config)
    stored = connection.execute(select(races.c.config).where(races.c.id == source.race_id)).scalar_one()
    method = config.method.model_dump() | {"variant": variant}
    checked = RaceConfig.build(**race_config(stored).model_dump() | {"methods": (method,)})
    renamed = config.model_copy(update={"method": checked.methods[0]})
    if any(contender_config(row.config).label == renamed.label for row in siblings):
        raise ConfigError(f"race {source.race_id} has a contender {renamed.label!r} already: give the fork another name")
    return renamed.model_dump_json()


def _copy(connection: Connection, source: str, target: str, last: int) -> None:
    same = [events.c.time, events.c.kind, events.c.step, events.c.key, events.c.withdrawn, events.c.body]
    past = and_(*visible(source), events.c.cursor <= last, events.c.kind.not_in(OF_A_WORKER))
    chosen = select(literal(target), literal(1), *same).where(past).order_by(events.c.cursor)
    connection.execute(insert(events).from_select([events.c.run_id, events.c.attempt, *same], chosen))


def _steps(run_id: str, kinds: tuple[str, ...]) -> Select[Any]:
    query = select(events.c.cursor, events.c.step).where(*visible(run_id), events.c.kind.in_(kinds))
    return query.order_by(events.c.step, events.c.cursor)


def too_dense(connection: Connection, run_id: str, recent: int) -> list[int]:
    """The cursors of the looks at the filters that `thin` drops."""
    looks = connection.execute(_steps(run_id, ("filters",))).all()
    marked = {step for _, step in connection.execute(_steps(run_id, ("stage", "setting")))}
    always = {cursor for cursor, step in looks if step in marked}
    dropped = _dropped(looks, always, recent)
    while found := _decided(connection, dropped):
        always |= found
        dropped = _dropped(looks, always, recent)
    return dropped


def _decided(connection: Connection, cursors: list[int]) -> set[int]:
    """Which of these looks a cut was made from."""
    found: set[int] = set()
    for part in chunks(cursors):
        query = select(events.c.cursor).where(events.c.cursor.in_(part), events.c.body.contains('"decided":true'))
        found.update(connection.execute(query).scalars())
    return found


def _dropped(looks: Any, always: set[int], recent: int) -> list[int]:
    """The cursors of the (cursor, step) in `looks`, in order, that thinning leaves out."""
    dropped: list[int] = []
    last = None
    for place, (cursor, step) in enumerate(looks):
        is_recent = place >= len(looks) - max(1, recent)
        is_due = last is None or step - last >= (looks[-1].step - step) / max(1, recent)
        if is_recent or is_due or cursor in always:
            last = step
        else:
            dropped.append(cursor)
    return dropped
