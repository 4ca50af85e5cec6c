"""The store on a SQL database (SQLite in WAL mode). The contract is the docstring of `base`."""

import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from catalyst_core.config import RaceConfig
from catalyst_core.errors import ConfigError, NotFoundError, RunFinishedError
from catalyst_core.events import FINISHED_STATES, Command, Event, Failed, State, event_from_json
from catalyst_core.store.base import Process, RaceInfo, RunInfo, StoredEvent
from catalyst_core.store.connect import connect, database_path, resolve_url, transaction
from catalyst_core.store.queries import FRESH, columns_after, run_info, utc
from catalyst_core.store.schema import commands, events, prepare, races, runs

HOLDS_A_SLOT: tuple[State, ...] = ("running", "paused", "stopping")


class SqlStore:
    """Races, their runs, events and commands in one database; artifacts in the folder `files` beside it."""

    def __init__(self, url: str | None = None) -> None:
        """Open, and create what is missing. Raises StoreError (not a URL, not writable, of a newer schema)."""
        self.url = resolve_url(url)
        self._engine = connect(self.url)
        with transaction(self._engine, write=True) as connection:
            prepare(connection)

    @property
    def files(self) -> Path:
        """The folder of checkpoints, logs and dense networks."""
        path = database_path(self.url)
        return path.with_name(f"{path.stem}-files")

    def run_folder(self, run_id: str) -> Path:
        """Where one run keeps its files; made if missing."""
        folder = self.files / "runs" / run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    # Races

    def create_race(self, config: RaceConfig) -> str:
        """A race and its queued runs, in one transaction. Returns the race's id."""
        race_id, now = secrets.token_hex(4), time.time()
        contenders = [
            {
                "id": f"{race_id}-{position:02d}",
                "race_id": race_id,
                "position": position,
                "config": contender.model_dump_json(),
                "state": "queued",
                "queued": now + position * 1e-6,
            }
            for position, contender in enumerate(config.contenders())
        ]
        with transaction(self._engine, write=True) as connection:
            connection.execute(insert(races).values(id=race_id, created=now, config=config.model_dump_json()))
            connection.execute(insert(runs), contenders)
        return race_id

    def races(self) -> list[RaceInfo]:
        """All races, newest first."""
        with transaction(self._engine, write=False) as connection:
            rows = connection.execute(select(races).order_by(races.c.created.desc(), races.c.id)).all()
            infos = self._runs(connection)
        return [self._race(row, infos) for row in rows]

    def race(self, race_id: str) -> RaceInfo:
        """One race, by its id or a prefix that only it has. Raises NotFoundError."""
        with transaction(self._engine, write=False) as connection:
            found = connection.execute(select(races).where(races.c.id.startswith(race_id, autoescape=True)).limit(2)).all()
            if not race_id or len(found) != 1:
                raise NotFoundError(f"race {race_id!r}: {'several match' if found else 'none'} in {self.url}")
            return self._race(found[0], self._runs(connection, runs.c.race_id == found[0].id))

    def rename(self, race_id: str, title: str) -> None:
        """Give a race another title (at most 120 characters). Raises ConfigError, NotFoundError."""
        config = self.race(race_id).config.model_dump() | {"title": title.strip()}
        body = RaceConfig.build(**config).model_dump_json()
        with transaction(self._engine, write=True) as connection:
            connection.execute(update(races).where(races.c.id == race_id).values(config=body))

    def delete_race(self, race_id: str) -> None:
        """Remove a finished race with its events and files. Raises ConfigError while a run is live, NotFoundError."""
        race = self.race(race_id)
        with transaction(self._engine, write=True) as connection:
            mine = runs.c.race_id == race.id
            live = connection.execute(select(func.count()).where(mine, runs.c.state.not_in(FINISHED_STATES))).scalar()
            if live:
                raise ConfigError(f"race {race.id}: {live} of its runs are not finished; stop it before deleting it")
            ids = select(runs.c.id).where(mine)
            for table in (events, commands):
                connection.execute(delete(table).where(table.c.run_id.in_(ids)))
            connection.execute(delete(runs).where(mine))
            connection.execute(delete(races).where(races.c.id == race.id))
        for run in race.runs:
            shutil.rmtree(self.files / "runs" / run.id, ignore_errors=True)

    def run(self, run_id: str) -> RunInfo:
        """One run. Raises NotFoundError."""
        with transaction(self._engine, write=False) as connection:
            found = self._runs(connection, runs.c.id == run_id)
        if not found:
            raise NotFoundError(f"run {run_id!r}: none in {self.url}")
        return found[0]

    def live_runs(self) -> list[RunInfo]:
        """Every run that is not finished, in the order of the queue."""
        with transaction(self._engine, write=False) as connection:
            return self._runs(connection, runs.c.state.not_in(FINISHED_STATES))

    # The owner of a run

    def claim(self, run_id: str, process: Process, slots: int) -> int:
        """Join the queue as `process`; become the owner if fewer than `slots` runs are going on and it is this one's turn.

        Returns 0 once the run is yours, else its place in the queue (1 = next). Raises RunFinishedError when it was
        stopped while it waited, or when another live process has it.
        """
        now = time.time()
        identity = {"pid": process.pid, "process_created": process.created, "host": process.host, "heartbeat": now}
        with transaction(self._engine, write=True) as connection:
            row = self._row(connection, run_id)
            taken = row.pid is not None and (row.pid, row.process_created, row.host) != (
                process.pid,
                process.created,
                process.host,
            )
            if row.state != "queued" or taken:
                raise RunFinishedError(f"run {run_id} is {row.state}{' and has another worker' if taken else ''}")
            place = self._places(connection)[run_id]
            busy = connection.execute(select(func.count()).where(runs.c.state.in_(HOLDS_A_SLOT))).scalar() or 0
            mine = place <= slots - busy
            started = {"state": "running", "started": now} if mine else {}
            connection.execute(update(runs).where(runs.c.id == run_id).values(**identity, **started))
        return 0 if mine else place

    def append(self, run_id: str, new: Sequence[Event], attempt: int | None = None) -> int:
        """Commit events and what they say about the run. Returns the last cursor.

        `attempt` is the one the caller claimed. Raises RunFinishedError when the run has ended or is another attempt by
        now, NotFoundError when it was deleted.
        """
        now = time.time()
        with transaction(self._engine, write=True) as connection:
            return self._append(connection, self._live_row(connection, run_id, attempt), new, now)

    def beat(self, run_id: str, attempt: int | None = None) -> None:
        """The owner is alive. Raises as `append`."""
        with transaction(self._engine, write=True) as connection:
            self._live_row(connection, run_id, attempt)
            connection.execute(update(runs).where(runs.c.id == run_id).values(heartbeat=time.time()))

    def take_commands(self, run_id: str) -> list[Command]:
        """The commands sent since the last call, in order; each is handed out once."""
        waiting = select(commands).where(commands.c.run_id == run_id, commands.c.taken == 0).order_by(commands.c.id)
        with transaction(self._engine, write=False) as connection:
            if connection.execute(waiting.limit(1)).first() is None:
                return []
        with transaction(self._engine, write=True) as connection:
            rows = connection.execute(waiting).all()
            connection.execute(update(commands).where(commands.c.id.in_([row.id for row in rows])).values(taken=1))
        return [Command.model_validate_json(row.body) for row in rows]

    # Everybody else

    def send(self, run_id: str, command: Command) -> None:
        """Leave a command for the owner. A queued run is stopped at once. Raises RunFinishedError, NotFoundError."""
        now = time.time()
        with transaction(self._engine, write=True) as connection:
            row = self._live_row(connection, run_id)
            if command.name == "stop" and row.state == "queued":
                connection.execute(update(runs).where(runs.c.id == run_id).values(state="stopped", finished=now))
            else:
                connection.execute(insert(commands).values(run_id=run_id, time=now, body=command.model_dump_json()))

    def fail(self, run: RunInfo, reason: str, log_tail: str) -> bool:
        """Record that the process behind `run` is gone. False when the run has moved on since `run` was read."""
        with transaction(self._engine, write=True) as connection:
            row = self._row(connection, run.id)
            seen = (run.attempt, run.process.pid if run.process else None)
            if row.state in FINISHED_STATES or (row.attempt, row.pid) != seen:
                return False
            self._append(connection, row, [Failed(step=row.step, reason=reason, log_tail=log_tail)], time.time())
        return True

    def requeue(self, run_id: str) -> bool:
        """Start the next attempt of a failed or stopped run. False if it is not in one of these states."""
        with transaction(self._engine, write=True) as connection:
            row = self._row(connection, run_id)
            if row.state not in ("failed", "stopped"):
                return False
            again = {**FRESH, "state": "queued", "queued": time.time() + row.position * 1e-6, "attempt": row.attempt + 1}
            connection.execute(update(runs).where(runs.c.id == run_id).values(**again))
            connection.execute(update(commands).where(commands.c.run_id == run_id).values(taken=1))
        return True

    def events(self, run_id: str, after: int = 0, kinds: Iterable[str] | None = None) -> list[StoredEvent]:
        """The events of a run's current attempt behind the cursor `after`, in order; `kinds` names the wanted ones."""
        return self._events(runs.c.id == run_id, after, kinds)

    def race_events(self, race_id: str, after: int = 0, kinds: Iterable[str] | None = None) -> list[StoredEvent]:
        """The same for all runs of a race, on one cursor."""
        return self._events(runs.c.race_id == race_id, after, kinds)

    def size_bytes(self) -> int:
        """Bytes on disk: the database and the folder of files."""
        path = database_path(self.url)
        parts = [path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")), *self.files.rglob("*")]
        return sum(part.stat().st_size for part in parts if part.is_file())

    # Inside a transaction

    def _events(self, which: Any, after: int, kinds: Iterable[str] | None) -> list[StoredEvent]:
        query = select(events).join(runs, (runs.c.id == events.c.run_id) & (runs.c.attempt == events.c.attempt))
        query = query.where(which, events.c.cursor > after).order_by(events.c.cursor)
        if kinds is not None:
            query = query.where(events.c.kind.in_(list(kinds)))
        with transaction(self._engine, write=False) as connection:
            rows = connection.execute(query).all()
        return [StoredEvent(row.cursor, row.run_id, row.time, event_from_json(row.body)) for row in rows]

    def _append(self, connection: Connection, row: Row[Any], new: Sequence[Event], now: float) -> int:
        rows = [
            {"run_id": row.id, "attempt": row.attempt, "time": now, "kind": event.kind, "body": event.model_dump_json()}
            for event in new
        ]
        if rows:
            connection.execute(insert(events), rows)
            values = columns_after(new, now) | {"heartbeat": now}
            connection.execute(update(runs).where(runs.c.id == row.id).values(**values))
        return connection.execute(select(func.max(events.c.cursor)).where(events.c.run_id == row.id)).scalar() or 0

    def _row(self, connection: Connection, run_id: str) -> Row[Any]:
        row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
        if row is None:
            raise NotFoundError(f"run {run_id!r}: none in {self.url}")
        return row

    def _live_row(self, connection: Connection, run_id: str, attempt: int | None = None) -> Row[Any]:
        row = self._row(connection, run_id)
        if attempt not in (None, row.attempt):
            raise RunFinishedError(f"run {run_id} is at attempt {row.attempt}, not {attempt}")
        if row.state in FINISHED_STATES:
            raise RunFinishedError(f"run {run_id} is {row.state}: it takes no more events or commands")
        return row

    def _places(self, connection: Connection) -> dict[str, int]:
        query = select(runs.c.id).where(runs.c.state == "queued").order_by(runs.c.queued, runs.c.id)
        return {run_id: place for place, run_id in enumerate(connection.execute(query).scalars(), start=1)}

    def _runs(self, connection: Connection, *where: Any) -> list[RunInfo]:
        places = self._places(connection)
        rows = connection.execute(select(runs).where(*where).order_by(runs.c.queued, runs.c.position)).all()
        return [run_info(row, places.get(row.id)) for row in rows]

    def _race(self, row: Row[Any], infos: Iterable[RunInfo]) -> RaceInfo:
        mine = sorted((run for run in infos if run.race_id == row.id), key=lambda run: run.position)
        created = utc(row.created)
        assert created is not None
        return RaceInfo(row.id, RaceConfig.model_validate_json(row.config), created, tuple(mine))
