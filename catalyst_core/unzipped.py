"""The images of a zip from somebody who is not trusted: names, kinds and sizes of all its parts, checked before one is inflated.

Only images are ever inflated: what is hidden, a zip inside the zip and every other file are left out and counted.
"""

import re
import shutil
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from catalyst_core.config.base import TURNING
from catalyst_core.data.beside import SUFFIXES, is_visible
from catalyst_core.errors import DataError, shown
from catalyst_core.store.archive import CHUNK, DAMAGED, MIB, MOST_TIMES

MOST_IMAGES = 200_000
MOST_OF_A_FILE, MOST_OF_ALL = 256 * MIB, 8192 * MIB  # inflated
MOST_OF_LIST = 24 * MIB  # the list of its parts, which zipfile holds in memory many times its size
LONGEST_NAME, DEEPEST = 200, 8  # bytes a name, names a path
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)  # of compression
DRIVE = re.compile("[A-Za-z]:")


class Zipped:
    """A zip that is open for reading. `parts`: where each image goes; `left_out`: how many files are no images by name."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        """Check all of it but the content. Raises DataError."""
        self.name = name
        size = stream.seek(0, 2)
        with self._sentences():
            self._zip = zipfile.ZipFile(_ShortList(stream, self._refused))  # type: ignore[arg-type]
        found = [(part, self._path(part)) for part in self._zip.infolist()]
        files = [(part, path) for part, path in found if not part.is_dir()]
        images = [(part, path) for part, path in files if _is_image(path)]
        self._check_parts([part for part, _ in images], size)
        self._check_names([path for _, path in images])
        around = _around([path for _, path in images])
        self.parts = {PurePosixPath(*path.parts[around:]): part for part, path in images if len(path.parts) > around + 1}
        self.left_out = len(files) - len(self.parts)
        if not self.parts:
            raise self._refused("it needs one folder a class, with images in it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def extract(self, path: PurePosixPath, target: Path) -> None:
        """Write one image to `target`, which must not be there. Raises DataError, OSError."""
        with self._sentences(), self._zip.open(self.parts[path]) as source, open(target, "xb") as file:
            shutil.copyfileobj(source, file, CHUNK)

    def _path(self, part: zipfile.ZipInfo) -> PurePosixPath:
        """Where a part wants to go, whatever system it was packed on: below the folder, or the zip is refused."""
        said = shown(part.orig_filename)
        if part.flag_bits & 0x1:
            raise self._refused(f"{said} is encrypted: pack it without a password")
        if stat.S_IFMT(part.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self._refused(f"{said} is a link or a device, not a file")
        name = part.orig_filename.replace("\\", "/")
        names = [one for one in name.split("/") if one not in ("", ".")]
        if name.startswith("/") or ".." in names or any(DRIVE.match(one) for one in names):
            raise self._refused(f"{said} leads out of the folder: only names below it are taken")
        if any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") or one in TURNING for one in name):
            raise self._refused(f"{said} has a character that cannot be seen")
        if len(names) > DEEPEST or any(len(one.encode()) > LONGEST_NAME for one in names):
            raise self._refused(f"{said} is too long: at most {LONGEST_NAME} bytes a name, {DEEPEST} names below each other")
        return PurePosixPath(*names)

    def _check_parts(self, parts: list[zipfile.ZipInfo], size: int) -> None:
        if len(parts) > MOST_IMAGES:
            raise self._refused(f"it holds {len(parts)} images, at most {MOST_IMAGES} are taken")
        for part in parts:
            if part.compress_type not in METHODS:
                raise self._refused(
                    f"{shown(part.filename)} is compressed by a method (number {part.compress_type}) that is not read: pack it "
                    "as an ordinary zip"
                )
            most = min(MOST_OF_A_FILE, MOST_TIMES * max(part.compress_size, CHUNK // MOST_TIMES))
            if part.file_size > most:
                raise self._refused(f"{shown(part.filename)} would take {part.file_size // MIB} MiB, more than an image may")
        total = sum(part.file_size for part in parts)
        if total > min(MOST_OF_ALL, MOST_TIMES * size):
            raise self._refused(f"it would take {total // MIB} MiB, more than a zip of its size may")
        if sum(part.compress_size for part in parts) > size:
            raise self._refused("its parts overlap each other")

    def _check_names(self, paths: list[PurePosixPath]) -> None:
        """Names that are there twice, as a file and a folder, or differ in a way that some systems do not see."""
        folders = {parent for path in paths for parent in path.parents}
        known: set[PurePosixPath] = set()
        for path in paths:
            if path in known or path in folders:
                again = "twice" if path in known else "as a file and as a folder"
                raise self._refused(f"it has {shown(str(path))} {again}")
            known.add(path)
        spelled: dict[str, PurePosixPath] = {}
        for path in known | folders:
            other = spelled.setdefault(unicodedata.normalize("NFC", str(path)).casefold(), path)
            if other != path:
                first, second = sorted((str(other), str(path)))
                raise self._refused(f"{shown(first)} and {shown(second)} are one name on some machines")

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except DAMAGED:
            raise self._refused("it is no zip, damaged, or only a part of one") from None

    def _refused(self, why: str) -> DataError:
        return DataError(f"zip {shown(self.name)}: {why}")


class _ShortList:
    """The same stream, that does not hand out a list of parts which is too long: zipfile reads it in one piece."""

    def __init__(self, stream: IO[bytes], refused: Callable[[str], DataError]) -> None:
        self._stream, self._refused = stream, refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, count: int = -1) -> bytes:
        """As the stream does."""
        if count > MOST_OF_LIST:
            raise self._refused(f"the list of its parts takes {count // MIB} MiB, at most {MOST_OF_LIST // MIB} are read")
        return self._stream.read(count)


def _is_image(path: PurePosixPath) -> bool:
    return all(map(is_visible, path.parts)) and path.suffix.lower() in SUFFIXES


def _around(paths: list[PurePosixPath]) -> int:
    """How many folders have one other folder in them: most zips have the folder itself in front of what is in it.

    Images beside that folder belong to no class.
    """
    depth = 0
    while True:
        deeper = [path.parts for path in paths if len(path.parts) > depth + 1]
        first = {parts[depth] for parts in deeper}
        if len(first) != 1 or all(len(parts) == depth + 2 for parts in deeper):
            return depth
        depth += 1
