"""A race as one file: a zip with race.json, events.jsonl and, below files/, the networks that its runs left.

Whoever made such a file is not trusted: sizes are checked before anything is inflated, names against one pattern, the
configuration and every event by the models that write them. The files are stored, never opened here.
"""

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.errors import SHOWN, ArchiveError, ConfigError, shown
from catalyst_core.events import HISTOGRAM_BINS, CheckpointKept, Event, FiltersMeasured, GroupsFound, Stage
from catalyst_core.store.schema import VERSION

FORMAT, FIRST_SCHEMA = "catalyst race", 3
RACE_JSON, EVENTS_JSONL = "race.json", "events.jsonl"
MIB = 2**20
MOST_BYTES = {RACE_JSON: 8 * MIB, EVENTS_JSONL: 512 * MIB}  # uncompressed
MOST_OF_A_FILE, MOST_OF_ALL = 1024 * MIB, 4096 * MIB
MOST_TIMES = 200  # that a part may shrink: text shrinks a tenth of that, weights hardly
MOST_PARTS = 2000
LONGEST_LINE = 64 * MIB
CHUNK = 2**20
RACE_ID = r"^[a-z0-9]{4,32}$"
FILE = re.compile(
    r"files/(?P<run>[a-z0-9]{4,32}-\d{2,4})/(?P<path>(?:pruned|dense|checkpoints/(?P<checkpoint>[\w-]{1,80}))\.pt)", re.ASCII
)
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError, ValueError, OverflowError)

Time = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]  # seconds since the epoch
Count = Annotated[int, Field(ge=0, lt=2**31)]
Figure = bool | int | float | str | None
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class PackedRun(_Part):
    """A finished run as it stands in the store, without the process that trained it."""

    id: str
    position: int = Field(ge=0, le=9999)
    config: ContenderConfig
    state: Literal["completed", "stopped", "failed"]
    queued: Time
    attempt: Count
    stage: Stage | Literal[""]
    step: Count
    total_steps: Count
    seconds: float = Field(ge=0, allow_inf_nan=False)
    accuracy: Share | None
    share_pruned: Share | None
    started: Time | None
    finished: Time | None
    reason: str = Field(max_length=4000)
    log_tail: str = Field(max_length=100_000)
    ledger: dict[str, Figure | dict[str, Figure]] | None
    revision: Count
    parent: str | None


class PackedRace(_Part):
    """What race.json holds."""

    format: Literal["catalyst race"]
    schema_number: int
    race: str = Field(pattern=RACE_ID)
    created: Time
    config: RaceConfig
    runs: tuple[PackedRun, ...] = Field(min_length=1, max_length=1000)
    provenance: dict[str, Any]

    def renamed(self, race_id: str) -> Self:
        """The same under another id. Raises ArchiveError for what cannot be one."""
        if not re.fullmatch(RACE_ID, race_id):
            raise ArchiveError(f"race id {shown(race_id)}: give 4 to 32 of the letters a to z and digits")
        new = {run.id: f"{race_id}-{run.position:02d}" for run in self.runs}
        runs = tuple(run.model_copy(update={"id": new[run.id], "parent": new.get(run.parent or "")}) for run in self.runs)
        return self.model_copy(update={"race": race_id, "runs": runs})


class PackedEvent(_Part):
    """A line of events.jsonl; kind, step and key are in the body."""

    run: str
    time: Time
    body: Annotated[Event, Field(discriminator="kind")]


@dataclass(frozen=True)
class Contents:
    """All of an archive but its files."""

    race: PackedRace
    events: list[PackedEvent]  # in order
    files: dict[str, tuple[str, str]]  # name of a member -> run id, path in the folder of the run


class Archive:
    """A packed race that is open for reading; everything about it is checked by `read`."""

    def __init__(self, source: Path | IO[bytes]) -> None:
        """Open it. Raises ArchiveError for what is no such file, or too large."""
        self.name = source.name if isinstance(source, Path) else str(getattr(source, "name", "") or "of the upload")
        try:
            self._zip = zipfile.ZipFile(source)
        except OSError as error:
            raise ArchiveError(f"race file {shown(self.name)}: cannot be read ({error.strerror})") from None
        except DAMAGED:
            raise self._refused("it is not a packed race, or only a part of one") from None
        self._parts = {part.filename: part for part in self._zip.infolist()}
        self._check_parts()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def total(self) -> int:
        """Bytes that its parts take when they are inflated."""
        return sum(part.file_size for part in self._parts.values())

    def read(self) -> Contents:
        """The race and its events, all checked. Raises ArchiveError."""
        with self._sentences():
            race = PackedRace.model_validate_json(self._zip.read(RACE_JSON))
        self._check_race(race)
        ids = {run.id for run in race.runs}
        with self._sentences():
            events = list(self._events(ids))
        kept = {(one.run, one.body.name) for one in events if isinstance(one.body, CheckpointKept)}
        files = {}
        for name, part in [(name, part) for name in self._parts if (part := FILE.fullmatch(name))]:
            if part["run"] not in ids or (part["checkpoint"] and (part["run"], part["checkpoint"]) not in kept):
                raise self._refused(f"{shown(name)} belongs to no contender of it")
            files[name] = part["run"], part["path"]
        return Contents(race, events, files)

    def extract(self, name: str, target: Path) -> int:
        """Write one member to `target`; returns its bytes. Raises ArchiveError, OSError."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._zip.open(name) as source, open(target, "xb") as file:
            while chunk := self._chunk(source):
                file.write(chunk)
        return self._parts[name].file_size

    def _chunk(self, source: IO[bytes]) -> bytes:
        with self._sentences():
            return source.read(CHUNK)

    def _events(self, ids: set[str]) -> Iterator[PackedEvent]:
        sizes: dict[str, tuple[int, ...]] = {}
        with self._zip.open(EVENTS_JSONL) as lines:
            while line := lines.readline(LONGEST_LINE):
                one = PackedEvent.model_validate_json(line)
                if one.run not in ids or not 0 <= one.body.step < 2**31:
                    raise self._refused("it has an event of no contender, or of no step")
                if isinstance(one.body, GroupsFound):
                    sizes[one.run] = one.body.sizes if len(one.body.names) == len(one.body.sizes) else ()
                if isinstance(one.body, FiltersMeasured) and not _fits(one.body, sizes.get(one.run, ())):
                    raise self._refused(f"a measurement of {one.run} at step {one.body.step} does not fit its groups of channels")
                yield one

    def _check_parts(self) -> None:
        """Names and sizes, before anything is inflated."""
        parts = self._zip.infolist()
        if len(parts) > MOST_PARTS or len(self._parts) < len(parts):
            raise self._refused(f"it has more than {MOST_PARTS} parts, or one of them twice")
        if missing := {RACE_JSON, EVENTS_JSONL} - set(self._parts):
            raise self._refused(f"it is not a packed race: {sorted(missing)[0]} is missing")
        for part in parts:
            if part.filename not in MOST_BYTES and not FILE.fullmatch(part.filename):
                raise self._refused(f"it has a part that no packed race has: {shown(part.filename)}")
            most = MOST_BYTES.get(part.filename, MOST_OF_A_FILE)
            if part.file_size > most or part.file_size > MOST_TIMES * max(part.compress_size, CHUNK // MOST_TIMES):
                raise self._refused(f"{shown(part.filename)} would take {part.file_size // MIB} MiB, more than it may")
        if self.total > MOST_OF_ALL:
            raise self._refused(f"it would take {self.total // MIB} MiB, at most {MOST_OF_ALL // MIB} are allowed")

    def _check_race(self, race: PackedRace) -> None:
        """What the fields of a race have to do with each other."""
        if race.schema_number > VERSION:
            raise self._refused(f"it is of schema {race.schema_number}, this Catalyst reads up to {VERSION}: update Catalyst")
        if race.schema_number < FIRST_SCHEMA:
            raise self._refused(f"it is of schema {race.schema_number}; packed races begin with {FIRST_SCHEMA}")
        ids = [run.id for run in race.runs]
        if ids != [f"{race.race}-{run.position:02d}" for run in race.runs] or len(set(ids)) < len(ids):
            raise self._refused("the ids of its contenders are not those of its race")
        if any(run.parent not in (None, *ids) for run in race.runs):
            raise self._refused("a contender was forked from one that is not in it")
        try:
            RaceConfig.described(**race.config.model_dump())
        except ConfigError as error:
            raise self._refused(str(error)) from None

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Whatever is wrong inside, in one sentence."""
        try:
            yield
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = shown(".".join(str(part) for part in first["loc"]))
            raise self._refused(f"it is damaged at {where}: {first['msg'][:SHOWN]}") from None
        except DAMAGED:
            raise self._refused("it is damaged, or only a part of one") from None

    def _refused(self, why: str) -> ArchiveError:
        return ArchiveError(f"race file {shown(self.name)}: {why}")


def _fits(look: FiltersMeasured, sizes: tuple[int, ...]) -> bool:
    """Whether a look at the filters is one at groups of these sizes."""
    vectors = [look.magnitudes, look.margins, *([look.catalysts] if look.catalysts is not None else [])]
    lengths = {len(vector) for vector in vectors}
    return lengths == {4 * sum(sizes)} and len(look.thresholds) == len(sizes) and len(look.histogram) == HISTOGRAM_BINS


def write(file: IO[bytes], race: PackedRace, lines: Iterator[tuple[str, float, str]], files: dict[str, Path]) -> None:
    """The archive of a race; `lines`: run, time and body of each event, `files`: name of a member -> what it holds."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        zipped.writestr(RACE_JSON, race.model_dump_json(indent=1))
        with zipped.open(EVENTS_JSONL, "w") as events:
            for run, time, body in lines:
                events.write(f'{{"run":{json.dumps(run)},"time":{time!r},"body":{body}}}\n'.encode())
        for name, path in files.items():
            zipped.write(path, name)
