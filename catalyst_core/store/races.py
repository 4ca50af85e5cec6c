"""Races: making, listing, renaming and deleting them, with their files."""

import secrets
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from catalyst_core.config import RaceConfig
from catalyst_core.errors import ConfigError, NotFoundError, shown
from catalyst_core.events import FINISHED_STATES
from catalyst_core.store.base import RaceInfo, RaceLine, RunInfo
from catalyst_core.store.core import HOLDS_A_SLOT, Database
from catalyst_core.store.queries import contender_config, race_info, race_line
from catalyst_core.store.schema import commands, events, races, runs

NEWEST_FIRST = (races.c.created.desc(), races.c.id)


class Races(Database):
    """The part of the store about whole races."""

    def create_race(self, config: RaceConfig, priority: int = 0) -> str:
        """A race and its queued runs, in one transaction. Returns the race's id. Raises ConfigError (see `set_priority`)."""
        race_id = secrets.token_hex(4)
        check_priority(priority)
        with self._write() as (connection, now):
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
                for position, contender in enumerate(config.contenders())
            ]
            connection.execute(insert(races).values(id=race_id, created=now, config=config.model_dump_json()))
            connection.execute(insert(runs), contenders)
        return race_id

    def races(self) -> list[RaceInfo]:
        """All races, newest first, with all that is known of their runs: `race_lines` is much cheaper."""
        with self._read() as connection:
            rows = connection.execute(select(races).order_by(*NEWEST_FIRST)).all()
            infos = defaultdict[str, list[RunInfo]](list)
            for run in self._runs(connection):
                infos[run.race_id].append(run)
        return [race_info(row, infos[row.id]) for row in rows]

    def race(self, race_id: str) -> RaceInfo:
        """One race, by its id or a prefix that only it has. Raises NotFoundError."""
        with self._read() as connection:
            named = select(races).where(races.c.id.startswith(race_id, autoescape=True)).limit(2)
            found = connection.execute(named).all() if race_id.isalnum() else []
            if len(found) != 1:
                raise NotFoundError(f"race {shown(race_id)}: {'several match' if found else 'none'} in {self.name}")
            return race_info(found[0], self._runs(connection, runs.c.race_id == found[0].id))

    def newest_race(self) -> RaceInfo | None:
        """The race that was made last; None in an empty store."""
        with self._read() as connection:
            row = connection.execute(select(races).order_by(*NEWEST_FIRST).limit(1)).first()
            return row and race_info(row, self._runs(connection, runs.c.race_id == row.id))

    def race_lines(self, limit: int | None = None) -> list[RaceLine]:
        """What a list of races shows, newest first, at most `limit` of them: no run is read, no configuration checked."""
        wanted = select(races).order_by(*NEWEST_FIRST).limit(limit)
        counted = select(runs.c.race_id, runs.c.state, func.count(), func.sum(runs.c.bytes))
        if limit is not None:
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
            found = self._runs(connection, runs.c.id == run_id)
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
        body = RaceConfig.build(**race.config.model_dump() | {"title": title.strip()}).model_dump_json()
        with self._write() as (connection, _):
            connection.execute(update(races).where(races.c.id == race.id).values(config=body))

    def delete_race(self, race_id: str) -> None:
        """Remove a finished race with its events and files, also dense networks that no other run shares.

        Others may read and write meanwhile. Raises ConfigError while one of its runs is live, NotFoundError.
        """
        race = self.race(race_id)
        with self._write() as (connection, _):
            mine = runs.c.race_id == race.id
            states = connection.execute(select(runs.c.id, runs.c.state).where(mine)).all()
            live = [run_id for run_id, state in states if state not in FINISHED_STATES]
            if live:
                raise ConfigError(f"race {race.id}: {len(live)} of its runs are not finished; stop it before deleting it")
            ids = [run_id for run_id, _ in states]
            for table in (events, commands):
                connection.execute(delete(table).where(table.c.run_id.in_(ids)))
            connection.execute(delete(runs).where(mine))
            if connection.execute(delete(races).where(races.c.id == race.id)).rowcount == 0:
                raise NotFoundError(f"race {race.id!r}: none in {self.name}")
        _remove(self.files / "runs" / run_id for run_id in ids)
        _remove(self._unshared(race))
        self._backend.shrink()

    def _unshared(self, race: RaceInfo) -> list[Path]:
        """The files of this deleted race's dense networks that no remaining run starts from."""
        with self._read() as connection:
            kept = connection.execute(select(runs.c.config).distinct()).scalars().all()
        keys = {run.config.dense_key() for run in race.runs} - {contender_config(text).dense_key() for text in kept}
        dense = self.files / "dense"
        return [dense / f"{key}{ending}" for key in keys for ending in (".pt", ".pt.lock", "")]


def check_priority(priority: int) -> None:
    """Raise ConfigError outside -100..100."""
    if not -100 <= priority <= 100:
        raise ConfigError(f"priority must be between -100 and 100, not {priority}")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
