"""Races that travel: packing one into a file, and adopting one that another store packed."""

import json
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, insert, select

from catalyst_core.errors import ArchiveError, StoreError
from catalyst_core.events import BEFORE_THE_CUT, CheckpointKept
from catalyst_core.store.archive import FORMAT, Archive, Contents, PackedRace, PackedRun, write
from catalyst_core.store.base import RaceInfo, RunInfo
from catalyst_core.store.log import Log, event_values, events_query
from catalyst_core.store.queries import chunks
from catalyst_core.store.races import Races, remove
from catalyst_core.store.runs import too_dense
from catalyst_core.store.schema import VERSION, events, meta, races, runs

NETWORKS = ("pruned", "dense", "checkpoints")  # the kinds of files that a race is packed with


class Archives(Races, Log):
    """The part of the store about races as files."""

    def packed(self, race_id: str, provenance: dict[str, Any]) -> PackedRace:
        """What race.json of a finished race says. Raises ArchiveError for one that is going on, NotFoundError."""
        race = self.race(race_id)
        if not race.is_finished:
            raise ArchiveError(f"race {race.id} is {race.state}: only a finished race can be packed; stop it before")
        return PackedRace(
            format=FORMAT,
            schema_number=VERSION,
            race=race.id,
            created=race.created.timestamp(),
            config=race.config,
            runs=tuple(_packed_run(run) for run in race.runs),
            provenance=provenance,
        )

    def pack(
        self, race: PackedRace, file: IO[bytes], *, new_id: str = "", looks: int | None = None, without: Collection[str] = ()
    ) -> None:
        """Write a race of this store as one file, under another id if one is given, without some of the NETWORKS.

        `looks`: the measurements of filters are thinned as `thin` does with so many recent ones. Raises ArchiveError.
        """
        target = race.renamed(new_id) if new_id else race
        new = {old.id: named.id for old, named in zip(race.runs, target.runs, strict=True)}
        info = self.race(race.race)
        write(file, target, self._lines_of(info, new, looks), self._files_of(info, new, without))

    def adopt(self, source: Path | IO[bytes]) -> str:
        """Take in a packed race, all of it or nothing; returns its id.

        Raises ArchiveError for a damaged or foreign file and for an id that is there already, StoreError.
        """
        with Archive(source) as archive:
            found = archive.read()
            self._adopt(archive, found, "")
        return found.race.race

    def adopt_first(self, source: Path, key: str) -> bool:
        """The same once, into a store that has no race and never had one since somebody asked under this key."""
        if not self._is_first(key):
            return False
        with Archive(source) as archive:
            return self._adopt(archive, archive.read(), key)

    def dense_network(self, run: RunInfo) -> Path | None:
        """The network that a run began with: the one that contenders share, else the one that its race was adopted with.

        What others trained never becomes the shared one: races of this store must not depend on it. Raises NotFoundError.
        """
        key = run.config.dense_key()
        mine = [one.id for one in self.race(run.race_id).runs if one.config.dense_key() == key]
        places = [self.files / "dense" / f"{key}.pt", *(self.files / "runs" / one / "dense.pt" for one in mine)]
        return next((place for place in places if place.is_file()), None)

    def _files_of(self, race: RaceInfo, new: dict[str, str], without: Collection[str]) -> dict[str, Path]:
        """Name in the archive -> file, of those that are there."""
        found: dict[str, Path] = {}
        dense: dict[Path, str] = {}
        kept = self._last_cuts(race.id) if "checkpoints" not in without else {}
        for run in race.runs:
            folder, place = self.files / "runs" / run.id, f"files/{new[run.id]}"
            if "pruned" not in without:
                found[f"{place}/pruned.pt"] = folder / "pruned.pt"
            if "dense" not in without and (network := self.dense_network(run)):
                dense.setdefault(network, f"{place}/dense.pt")
            if name := kept.get(run.id):
                found[f"{place}/checkpoints/{name}.pt"] = folder / "checkpoints" / f"{name}.pt"
        found |= {name: network for network, name in dense.items()}
        return {name: path for name, path in found.items() if path.is_file()}

    def _last_cuts(self, race_id: str) -> dict[str, str]:
        """Run id -> name of the checkpoint that was kept before the cut."""
        kept = [(one.run_id, one.event) for one in self.race_events(race_id, kinds=["checkpoint"])]
        return {run: one.name for run, one in kept if isinstance(one, CheckpointKept) and one.reason == BEFORE_THE_CUT}

    def _lines_of(self, race: RaceInfo, new: dict[str, str], looks: int | None) -> Iterator[tuple[str, float, str]]:
        """Run, time and body of each visible event, in order."""
        mine = events.c.run_id.in_(list(new))
        with self._read() as connection:
            dropped = set() if looks is None else {one for run in race.runs for one in too_dense(connection, run.id, looks)}
            for row in connection.execute(events_query(mine, 0, None)):
                if row.cursor not in dropped:
                    yield new[row.run_id], row.time, row.body

    def _is_first(self, key: str) -> bool:
        """Whether nothing was adopted under this key and there is no race. It is remembered if there is one."""
        with self._read() as connection:
            if _remembers(connection, key):
                return False
            if not _has_races(connection):
                return True
        with self._write() as (connection, _):
            if not _remembers(connection, key):
                connection.execute(insert(meta).values(key=key, value="there was a race"))
        return False

    def _adopt(self, archive: Archive, found: Contents, key: str) -> bool:
        """Files first, into a folder that nobody looks into; then rows and names in one transaction."""
        ids = [run.id for run in found.race.runs]
        moved: list[Path] = []
        try:
            self.files.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".adopted-", dir=self.files) as folder:
                sizes = dict.fromkeys(ids, 0)
                for name, (run_id, path) in found.files.items():
                    sizes[run_id] += archive.extract(name, Path(folder, run_id, path))
                with self._write() as (connection, _):
                    if key and (_remembers(connection, key) or _has_races(connection)):
                        return False
                    _check_free(connection, found.race.race)
                    _insert(connection, found, sizes)
                    if key:
                        connection.execute(insert(meta).values(key=key, value=found.race.race))
                    moved += self._moved(Path(folder), ids)
        except BaseException as error:
            remove(moved)
            if isinstance(error, OSError):
                raise StoreError(f"store {self.files}: cannot be written ({error.strerror})") from None
            raise
        return True

    def _moved(self, folder: Path, ids: list[str]) -> Iterator[Path]:
        """The folders of these runs, each as it comes to its place."""
        for run_id in ids:
            target = self.files / "runs" / run_id
            remove([target])  # no such run is in the store: it is a rest of one
            target.parent.mkdir(parents=True, exist_ok=True)
            if (folder / run_id).is_dir():
                (folder / run_id).rename(target)
                yield target


def _packed_run(run: RunInfo) -> PackedRun:
    same = {name: getattr(run, name) for name in PackedRun.model_fields}
    times = {name: getattr(run, name) and getattr(run, name).timestamp() for name in ("started", "finished")}
    return PackedRun(**same | times)


def _remembers(connection: Connection, key: str) -> bool:
    return connection.execute(select(meta.c.value).where(meta.c.key == key)).first() is not None


def _has_races(connection: Connection) -> bool:
    return connection.execute(select(races.c.id).limit(1)).first() is not None


def _check_free(connection: Connection, race_id: str) -> None:
    """Raise ArchiveError where the store has a race of this id, hidden or not."""
    row = connection.execute(select(races.c.deleted).where(races.c.id == race_id)).first()
    if row is not None:
        where = "is in the store already" if row.deleted is None else "was deleted from the store a moment ago: undo that"
        raise ArchiveError(f"race {race_id} {where}; to take it in once more, delete it for good first")


def _insert(connection: Connection, found: Contents, sizes: dict[str, int]) -> None:
    race = found.race
    connection.execute(insert(races).values(id=race.race, created=race.created, config=race.config.model_dump_json()))
    connection.execute(insert(runs), [_row(race, run, sizes[run.id]) for run in race.runs])
    attempts = {run.id: run.attempt for run in race.runs}
    for part in chunks(found.events):
        connection.execute(insert(events), [event_values(one.run, attempts[one.run], one.body, one.time) for one in part])


def _row(race: PackedRace, run: PackedRun, size: int) -> dict[str, Any]:
    ledger = None if run.ledger is None else json.dumps(run.ledger)
    written = {"race_id": race.race, "config": run.config.model_dump_json(), "ledger": ledger, "bytes": size}
    return run.model_dump(exclude={"config", "ledger"}) | written
