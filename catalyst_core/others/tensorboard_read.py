"""Histograms out of TensorBoard's event files, one series a run and tag, each counted anew in the fixed bins of |w|.

Both kinds are read: `histo` as SummaryWriter.add_histogram of PyTorch writes it, and the (B, 3) tensors of tf.summary.histogram.
As in TensorBoard, a folder with event files is a run, its files in the order of their names; a record takes back those of its
series at the same or a later step, which a run that was killed and went on says again. Neither torch nor TensorFlow is imported.
"""

# B = buckets

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

import numpy as np

from catalyst_core.errors import DataError, shown
from catalyst_core.frames.weights import Look, Series, spread
from catalyst_core.others import check_installed, records
from catalyst_core.places import confined

MOST_FILES, MOST_SERIES = 1000, 2000
ALL_LOOKS, MOST_LOOKS, LEAST_LOOKS = 20_000, 400, 30  # kept of all series, and of one; of more, every second is dropped
MOST_BUCKETS = 100_000
BATCH = 8 * 2**20  # bytes of records whose checksums are looked at together
CHECKED = 2**18  # bytes of a record without histograms whose checksum is looked at: not those of large images
PLUGIN = "histograms"
LONGEST = 200  # characters of a name


@dataclass
class Found:
    """What event files hold."""

    looks: dict[Series, list[Look]] = field(default_factory=dict)
    files: int = 0
    left_out: int = 0  # histograms whose numbers make no sense: buckets that do not rise, counts below zero, NaN
    thinned: set[Series] = field(default_factory=set)  # those that had more looks than are kept

    def chosen(self, tags: Sequence[str] = (), runs: Sequence[str] = ()) -> dict[Series, list[Look]]:
        """The series whose tag and run match one of these patterns (`*` stands for anything); no patterns: all of them.

        Raises DataError where none does, or there is no histogram at all.
        """
        if not self.looks:
            files = "event file holds" if self.files == 1 else f"{self.files} event files hold"
            raise DataError(f"the {files} no histogram; SummaryWriter.add_histogram and tf.summary.histogram write them")
        found = {one: looks for one, looks in self.looks.items() if _matches(one.tag, tags) and _matches(one.run, runs)}
        if not found:
            known = ", ".join(dict.fromkeys(shown(one.tag) for one in self.looks))
            wanted = " and ".join(shown(", ".join(given)) for given in (tags, runs) if given)
            raise DataError(f"no histogram is called {wanted}; there are {known[:150]}{'...' if len(known) > 150 else ''}")
        return found


def read(place: Path, *, root: Path | None = None, named: str = "") -> Found:
    """All histograms of an event file, or of the event files in a folder and those below it.

    `root`: nothing outside of this folder is looked at; `named`: what the place is called in sentences. Raises ConfigError
    without TensorBoard, and DataError: nothing there, no event file, a damaged one, too many of them.
    """
    check_installed("tensorboard")
    named = named or str(place)
    found = Found()
    try:
        for run, path in event_files(place, root, named):
            with open(path, "rb") as file:
                _read_file(found, run, (file, path.name))
    except OSError as error:
        raise DataError(f"{shown(named)} cannot be read: {error.strerror or error}") from None
    if not found.files:
        raise DataError(f"{shown(named)} holds no event file: their names contain 'tfevents'")
    return found


def read_stream(file: IO[bytes], named: str) -> Found:
    """The histograms of one open event file, such as an upload. Raises ConfigError and DataError as `read` does."""
    check_installed("tensorboard")
    found = Found()
    _read_file(found, _readable(named), (file, named))
    return found


def event_files(place: Path, root: Path | None, named: str) -> list[tuple[str, Path]]:
    """Run and path of every event file at or below a place, those of a run in the order of their names."""
    top = _resolved(place, root, named)
    if place.is_file():
        return [(_readable(top.parent.name), _sound(place, root, place.name))]
    if not place.is_dir():
        raise DataError(f"there is no file or folder {shown(named)}")
    found = []
    for folder, below, names in os.walk(place):
        below.sort()
        run = Path(folder).relative_to(place).as_posix()
        run = _readable(top.name if run == "." else run)
        for name in sorted(name for name in names if "tfevents" in name and not name.endswith(".profile-empty")):
            found.append((run, _sound(Path(folder, name), root, name)))
            if len(found) > MOST_FILES:
                raise DataError(f"{shown(named)} holds more than {MOST_FILES} event files: name a folder below it")
    return found


def version_of(place: Path, root: Path | None = None, named: str = "") -> tuple[tuple[str, int, int], ...]:
    """What tells whether event files have changed: path, size and time of each. Raises DataError as `read` does."""
    try:
        known = [(str(path), path.stat()) for _, path in event_files(place, root, named or str(place))]
    except OSError as error:
        raise DataError(f"{shown(named)} cannot be read: {error.strerror or error}") from None
    return tuple((name, one.st_size, one.st_mtime_ns) for name, one in known)


def _resolved(path: Path, root: Path | None, named: str) -> Path:
    outside = "leads out of the data root; only what is below it is read"
    return confined(path, root and root.resolve(), lambda why: DataError(f"{shown(named)} {why}"), outside)


def _sound(path: Path, root: Path | None, named: str) -> Path:
    """A file that may be opened: of a pipe there is no end, and a link may lead anywhere."""
    file = _resolved(path, root, named)
    if not file.is_file():
        raise DataError(f"{shown(named)} is not a file that can be read")
    return file


def _read_file(found: Found, run: str, source: tuple[IO[bytes], str]) -> None:
    """Add the histograms of an open file, with its name."""
    file, named = source
    found.files += 1
    tags: dict[str, str] = {}  # of tensors: tag -> plugin, which only the first of a tag names
    batch: list[tuple[records.Record, Any]] = []
    size = 0
    for record in records.records(file, named):
        event = _event(record, named)
        values = [one for one in event.summary.value if _is_histogram(one, tags)]
        if values or len(record.content) <= CHECKED:
            batch.append((record, (event.step, event.wall_time, values)))
            size = max(size, len(record.content))
        if size * len(batch) > BATCH:
            _take(found, run, named, batch)
            batch, size = [], 0
    _take(found, run, named, batch)


def _event(record: records.Record, named: str) -> Any:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    try:
        return Event.FromString(record.content)
    except DecodeError:
        records.check([record], named)
        raise DataError(f"{shown(named)} is damaged: a record in it is no event of TensorBoard's") from None


def _is_histogram(value: Any, tags: dict[str, str]) -> bool:
    kind = value.WhichOneof("value")
    if kind == "tensor" and value.tag not in tags:
        tags[value.tag] = value.metadata.plugin_data.plugin_name
    return kind == "histo" or (kind == "tensor" and tags[value.tag] == PLUGIN)


def _take(found: Found, run: str, named: str, batch: Sequence[tuple[records.Record, Any]]) -> None:
    """The looks of a batch of records, once their checksums are right."""
    records.check([record for record, _ in batch], named)
    for _, (step, time, values) in batch:
        for value in values:
            buckets = _buckets(value)
            if buckets is None:
                found.left_out += 1
            else:
                _add(found, Series(run, _readable(value.tag)), Look(step, time, *spread(*buckets)))


def _add(found: Found, series: Series, look: Look) -> None:
    looks = found.looks.setdefault(series, [])
    if len(found.looks) > MOST_SERIES:
        raise DataError(f"there are more than {MOST_SERIES} histograms of different names: name a folder below this one")
    while looks and looks[-1].step >= look.step:
        looks.pop()
    looks.append(look)
    if len(looks) > min(MOST_LOOKS, max(LEAST_LOOKS, ALL_LOOKS // len(found.looks))):
        del looks[1:-1:2]
        found.thinned.add(series)


Buckets = tuple[np.ndarray, np.ndarray, np.ndarray]  # (B,) lower limits, upper limits, counts


def _buckets(value: Any) -> Buckets | None:
    """The buckets of a histogram that hold something, or None where they make no sense."""
    found = _of_histo(value.histo) if value.WhichOneof("value") == "histo" else _of_tensor(value.tensor)
    if found is None:
        return None
    left, right, counts = (one[found[2] != 0] for one in found)
    if not all(np.isfinite(one).all() for one in (left, right, counts)) or (counts < 0).any():
        return None
    return None if (right < left).any() or (left[1:] < right[:-1]).any() else (left, right, counts)


def _of_histo(histo: Any) -> Buckets | None:
    """As TensorBoard shows them: the outermost buckets end at the smallest and the largest number that was seen."""
    counts, limits = np.array(histo.bucket, dtype=float), np.array(histo.bucket_limit, dtype=float)
    if len(counts) != len(limits) or len(counts) > MOST_BUCKETS or (np.diff(limits) < 0).any():
        return None
    left, right = np.concatenate([limits[:1], limits[:-1]]), limits.copy()
    some = np.flatnonzero(counts)
    if some.size and np.isfinite([histo.min, histo.max]).all():
        first, last = some[0], some[-1]
        left[first] = min(histo.min, right[first])
        right[last] = max(left[last], min(histo.max, right[last]))
    return left, right, counts


def _of_tensor(tensor: Any) -> Buckets | None:
    from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT

    kinds = {DT_FLOAT: ("<f4", "float_val"), DT_DOUBLE: ("<f8", "double_val")}
    if tensor.dtype not in kinds:
        return None
    kind, name = kinds[tensor.dtype]
    content = tensor.tensor_content
    if len(content) % np.dtype(kind).itemsize:
        return None
    numbers = np.frombuffer(content, dtype=kind) if content else np.array(getattr(tensor, name))
    if [one.size for one in tensor.tensor_shape.dim] != [len(numbers) // 3, 3] or len(numbers) > 3 * MOST_BUCKETS:
        return None
    left, right, counts = numbers.astype(float).reshape(-1, 3).T
    return left, right, counts


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _readable(name: str) -> str:
    """A name as it may be shown: what cannot be seen is spelled out, and it is no longer than it need be."""
    text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in name)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
