"""A zip with an image folder, taken in below the data root: all of it or nothing.

What is written lies in a hidden folder until all of it is there and a race could read it. Files with the name of an image
that hold none are left out, too.
"""

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from catalyst_core.data.beside import placed
from catalyst_core.data.images import inspect
from catalyst_core.data.listing import Layout, layout, names
from catalyst_core.engine import room
from catalyst_core.errors import DataError, shown
from catalyst_core.figures.words import size
from catalyst_core.places import data_root
from catalyst_core.store import Store
from catalyst_core.unzipped import Zipped

NAME = re.compile(r"\w([\w .+-]{0,78}[\w+-])?")
SCRATCH, NOTE = ".unpack-", ".unpacked.json"  # a folder that is being filled; what is kept with one that is there
BLOCK = 4096  # bytes that the smallest file takes on most disks
NAMED = 5  # damaged images, at most


@dataclass(frozen=True)
class Unpacked:
    """What came of a zip."""

    folder: str  # below the data root
    classes: int
    images: int
    bytes: int  # on the disk
    left_out: int  # files that are no images by their names, or belong to no class
    damaged: int  # files with the name of an image that hold none; left out
    damaged_names: tuple[str, ...]  # the first few
    beside: tuple[str, ...] = ()  # sentences: what was taken in and belongs to no class of a race

    @property
    def told(self) -> str:
        """All of it, in words."""
        said = [f"{self.folder}: {self.images:,} images of {self.classes} classes ({size(self.bytes)})"]
        if self.left_out:
            said.append(f"left out: {self.left_out} other files")
        if self.damaged:
            more = ", ..." if self.damaged > len(self.damaged_names) else ""
            said.append(f"left out, as damaged: {self.damaged} ({', '.join(self.damaged_names)}{more})")
        return "; ".join((*said, *self.beside))


def unpack(store: Store, source: Path | IO[bytes], folder: str) -> Unpacked:
    """Take the images of a zip in as a new folder below the data root.

    Raises DataError: a name that cannot be one or is taken, a zip that is damaged, too large or not to be trusted, classes
    that no race could read, no room.
    """
    if not NAME.fullmatch(folder):
        raise DataError(f"folder {shown(folder)}: give 1 to 80 letters, digits, spaces and . + - _, a letter or digit first")
    root = data_root()
    with _writing(folder), _opened(source) as (stream, name), _alone(root):
        if (root / folder).exists() or (root / folder).is_symlink():
            raise DataError(f"there is a {shown(folder)} below the data root already; nothing is overwritten: give another name")
        with Zipped(stream, name) as images:
            _check_room(store, root, sum(_on_disk(part.file_size) for part in images.parts.values()))
            scratch = root / f"{SCRATCH}{secrets.token_hex(8)}"
            try:
                found = _fill(scratch, images, folder)
                scratch.rename(root / folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return found


def taken() -> int:
    """Bytes that all folders take that came from a zip."""
    return sum(_noted(note) for note in data_root().glob(f"*/{NOTE}"))


def _noted(note: Path) -> int:
    try:
        return int(json.loads(note.read_text(encoding="utf-8"))["bytes"])
    except (OSError, ValueError, KeyError, TypeError):  # somebody's own file of that name
        return 0


def _fill(scratch: Path, images: Zipped, folder: str) -> Unpacked:
    damaged, total = list[Path](), 0
    for path in images.parts:
        target = scratch / path
        target.parent.mkdir(parents=True, exist_ok=True)
        images.extract(path, target)
        if inspect(target) is None:
            target.unlink()
            damaged.append(target)
        else:
            total += _on_disk(target.stat().st_size)
    found = _layout(scratch, folder, damaged)
    (scratch / NOTE).write_text(json.dumps({"bytes": total}), encoding="utf-8")
    count, first = len(images.parts) - len(damaged), tuple(placed(path) for path in damaged[:NAMED])
    return Unpacked(folder, len(found.classes), count, total, images.left_out, len(damaged), first, found.left_out)


def _layout(scratch: Path, folder: str, damaged: list[Path]) -> Layout:
    """What is left without the damaged ones, which may be why it is refused."""
    try:
        return layout(scratch.name, folder)
    except DataError as error:
        if not damaged:
            raise
        raise DataError(f"{error} (left out, as damaged: {len(damaged)}, {names(damaged)})") from None


def _check_room(store: Store, root: Path, need: int) -> None:
    if reason := room.lacking(root, need + room.START_FREE):
        raise DataError(f"no disk space: {reason}")
    there, limit = store.size_bytes() + taken(), room.limit_mib()
    if there + need > limit * room.MIB:
        raise DataError(
            f"no disk space: races and unpacked images take {there // room.MIB} MiB and may take {limit}, these need "
            f"{need // room.MIB}: delete some, or set CATALYST_DISK_MB higher"
        )


def _on_disk(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


@contextlib.contextmanager
def _opened(source: Path | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
    """The file and what it is called."""
    if not isinstance(source, Path):
        yield source, str(getattr(source, "name", "") or "of the upload")
        return
    try:
        stream = source.open("rb")
    except OSError as error:
        raise DataError(f"zip {shown(source.name)}: cannot be read ({error.strerror})") from None
    with stream:
        yield stream, source.name


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Nobody else unpacks meanwhile, or the room would be given twice. What one that was killed left behind goes."""
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / ".unpack.lock", timeout=0):
            for left in root.glob(f"{SCRATCH}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except Timeout:
        raise DataError("another zip is being unpacked: try again when it is done") from None


@contextlib.contextmanager
def _writing(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"folder {shown(folder)}: cannot be written ({error.strerror or error})") from None
