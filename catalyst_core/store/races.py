"""Races: making, listing, renaming and deleting them, with their files."""

import secrets
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from catalyst_core.config import RaceConfig
from catalyst_core.errors import ConfigError, NotFoundError, shown
from catalyst_core.events import FINISHED_STATES
from catalyst_core.store.base import Process, RaceInfo, RaceLine, RunInfo
from catalyst_core.store.core import HOLDS_A_SLOT, SEEN, Database
from catalyst_core.store.queries import contender_config, race_info, race_line
from catalyst_core.store.schema import commands, events, races, runs

NEWEST_FIRST = (races.c.created.desc(), races.c.id)
THERE = races.c.deleted.is_(None)
UNDO_SECONDS = 600.0  # that a deleted race can be restored


class Races(Database):
    """The part of the store about whole races."""

    def create_race(self, config: RaceConfig, priority: int = 0, owner: Process | None = None) -> str:
        """A race and its queued runs, in one transaction. Returns the race's id. Raises ConfigError (see `set_priority`).

        With an `owner` they are running from the start, and this process has them.
        """
        race_id = secrets.token_hex(4)
        check_priority(priority)
        with self._write() as (connection, now):
            claimed = identity(owner) | {"state": "running", "started": now, "heartbeat": now} if owner else {}
            contenders = [
                {
                    "id": f"{race_id}-{position:02d}",
                    "race_id": race_id,
                    "position": position,
                    "config": contender.model_dump_json(),
                    "state": "queued",
                    "queued": now + position * 1e-6,
                    "priority": priority,
                }
                | claimed
                for position, contender in enumerate(config.contenders())
            ]
            connection.execute(insert(races).values(id=race_id, created=now, config=config.model_dump_json()))
            connection.execute(insert(runs), contenders)
        return race_id

    def races(self) -> list[RaceInfo]:
        """All races, newest first, with all that is known of their runs: `race_lines` is much cheaper."""
        with self._read() as connection:
            rows = connection.execute(select(races).where(THERE).order_by(*NEWEST_FIRST)).all()
            infos = defaultdict[str, list[RunInfo]](list)
            for run in self._runs(connection):
                infos[run.race_id].append(run)
        return [race_info(row, infos[row.id]) for row in rows]

    def race(self, race_id: str, *, hidden: bool = False) -> RaceInfo:
        """One race, by its id or a prefix that only it has; with `hidden` also a deleted one. Raises NotFoundError."""
        with self._read() as connection:
            named = select(races).where(races.c.id.startswith(race_id, autoescape=True)).limit(2)
            named = named if hidden else named.where(THERE)
            found = connection.execute(named).all() if race_id.isalnum() else []
            if len(found) != 1:
                raise NotFoundError(f"race {shown(race_id)}: {'several match' if found else 'none'} in {self.name}")
            return race_info(found[0], self._runs(connection, runs.c.race_id == found[0].id))

    def newest_race(self) -> RaceInfo | None:
        """The race that was made last; None in an empty store."""
        with self._read() as connection:
            row = connection.execute(select(races).where(THERE).order_by(*NEWEST_FIRST).limit(1)).first()
            return row and race_info(row, self._runs(connection, runs.c.race_id == row.id))

    def race_lines(self, limit: int | None = None) -> list[RaceLine]:
        """What a list of races shows, newest first, at most `limit` of them: no run is read, no configuration checked."""
        return self._lines(select(races).where(THERE).order_by(*NEWEST_FIRST).limit(limit), counted_all=limit is None)

    def deleted_lines(self) -> list[RaceLine]:
        """The same of the races that are hidden: those that can still be restored, the last deleted first."""
        return self._lines(select(races).where(~THERE).order_by(races.c.deleted.desc()), counted_all=False)

    def _lines(self, wanted: Select[Any], *, counted_all: bool) -> list[RaceLine]:
        counted = select(runs.c.race_id, runs.c.state, func.count(), func.sum(runs.c.bytes))
        if not counted_all:
            counted = counted.where(runs.c.race_id.in_(select(wanted.subquery().c.id)))
        counts, sizes = defaultdict[str, Counter[Any]](Counter), Counter[str]()
        with self._read() as connection:
            rows = connection.execute(wanted).all()
            for race_id, state, number, size in connection.execute(counted.group_by(runs.c.race_id, runs.c.state)):
                counts[race_id][state] = number
                sizes[race_id] += int(size)
        return [race_line(row, counts[row.id], sizes[row.id]) for row in rows]

    def run(self, run_id: str) -> RunInfo:
        """One run. Raises NotFoundError."""
        with self._read() as connection:
            found = self._runs(connection, runs.c.id == run_id, SEEN)
        if not found:
            raise NotFoundError(f"run {shown(run_id)}: none in {self.name}")
        return found[0]

    def live_runs(self) -> list[RunInfo]:
        """Every run that is not finished, in the order of the queue."""
        with self._read() as connection:
            return self._runs(connection, runs.c.state.in_(("queued", *HOLDS_A_SLOT)))

    def rename(self, race_id: str, title: str) -> None:
        """Give a race another title (at most 120 characters). Raises ConfigError, NotFoundError."""
        race = self.race(race_id)
        body = RaceConfig.described(**race.config.model_dump() | {"title": title.strip()}).model_dump_json()
        with self._write() as (connection, _):
            connection.execute(update(races).where(races.c.id == race.id).values(config=body))

    def hide_race(self, race_id: str) -> None:
        """Delete a finished race so that `restore_race` brings it back, until it is purged.

        Raises ConfigError while one of its runs is live, NotFoundError.
        """
        race = self.race(race_id)
        with self._write() as (connection, now):
            _check_finished(connection, race.id)
            connection.execute(update(races).where(races.c.id == race.id, THERE).values(deleted=now))

    def restore_race(self, race_id: str) -> None:
        """Bring back a hidden race. Raises NotFoundError for one that was purged."""
        with self._write() as (connection, _):
            if connection.execute(update(races).where(races.c.id == race_id).values(deleted=None)).rowcount == 0:
                raise NotFoundError(f"race {shown(race_id)}: it was deleted for good, so it cannot be brought back")

    def purge(self, seconds: float = UNDO_SECONDS) -> int:
        """Remove the races that were hidden at least `seconds` ago, with their files; returns how many."""
        with self._read() as connection:
            hidden = connection.execute(select(races.c.id, races.c.deleted).where(~THERE)).all()
        if not hidden:
            return 0
        before = self.now() - seconds
        removed = [self._remove_race(race_id, races.c.deleted <= before) for race_id, deleted in hidden if deleted <= before]
        return sum(removed)

    def delete_race(self, race_id: str) -> None:
        """Remove a finished race, hidden or not, with its events and files, also dense networks that no other run shares.

        Others may read and write meanwhile. Raises ConfigError while one of its runs is live, NotFoundError.
        """
        race = self.race(race_id, hidden=True)
        if not self._remove_race(race.id):
            raise NotFoundError(f"race {race.id!r}: none in {self.name}")

    def _remove_race(self, race_id: str, *where: Any) -> bool:
        """Whether there was such a race to remove."""
        with self._write() as (connection, _):
            if connection.execute(select(races.c.id).where(races.c.id == race_id, *where)).first() is None:
                return False
            _check_finished(connection, race_id)
            mine = runs.c.race_id == race_id
            rows = connection.execute(select(runs.c.id, runs.c.config).where(mine)).all()
            ids = [row.id for row in rows]
            for table in (events, commands):
                connection.execute(delete(table).where(table.c.run_id.in_(ids)))
            connection.execute(delete(runs).where(mine))
            connection.execute(delete(races).where(races.c.id == race_id))
        remove(self.files / "runs" / run_id for run_id in ids)
        remove(self._unshared({contender_config(row.config).dense_key() for row in rows}))
        self._backend.shrink()
        return True

    def _unshared(self, keys: set[str]) -> list[Path]:
        """The files of those dense networks that no remaining run starts from."""
        with self._read() as connection:
            kept = connection.execute(select(runs.c.config).distinct()).scalars().all()
        keys = keys - {contender_config(text).dense_key() for text in kept}
        dense = self.files / "dense"
        return [dense / f"{key}{ending}" for key in keys for ending in (".pt", ".pt.lock", "")]


def _check_finished(connection: Connection, race_id: str) -> None:
    live = select(func.count()).where(runs.c.race_id == race_id, runs.c.state.not_in(FINISHED_STATES))
    if count := connection.execute(live).scalar_one():
        raise ConfigError(f"race {race_id}: {count} of its runs are not finished; stop it before deleting it")


def identity(process: Process) -> dict[str, Any]:
    """The columns of a run that say who has it."""
    return {"pid": process.pid, "process_created": process.created, "host": process.host, "boot": process.boot}


def check_priority(priority: int) -> None:
    """Raise ConfigError outside -100..100."""
    if not -100 <= priority <= 100:
        raise ConfigError(f"priority must be between -100 and 100, not {priority}")


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders, whether they are there or not."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
