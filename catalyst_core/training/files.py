"""Files that are there whole or not at all, and what to do when the disk is full."""

import contextlib
import errno
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

FULL = (errno.ENOSPC, errno.EDQUOT)


def give_up(error: OSError) -> None:
    """What a contender does about a full disk when nobody tells it to wait."""
    raise error


@dataclass(frozen=True)
class Folders:
    """Where a contender writes: its own files, and the dense checkpoints it shares with others.

    `no_room(error)` is called when the disk is full; when it returns, the file is written again.
    """

    run: Path
    dense: Path
    no_room: Callable[[OSError], None] = give_up


def packed(content: dict[str, Any]) -> bytes:
    """State dicts and plain data as `torch.load(..., weights_only=True)` reads them."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def write_whole(path: Path, content: bytes, no_room: Callable[[OSError], None] = give_up) -> None:
    """Write, flush to the disk, rename: whoever looks, also after a power cut, sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            return _write(path, content)
        except OSError as error:
            if error.errno not in FULL:
                raise
            no_room(error)


def _write(path: Path, content: bytes) -> None:
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """The new name survives a power cut too. Not every system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock file beside `path`, if nobody else does: yields whether it is ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
