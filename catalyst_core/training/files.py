"""Where a contender writes, and what to do when the disk is full."""

import contextlib
import errno
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from catalyst_core.whole import writing

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
    """Write it whole (see `writing`). `no_room(error)` is called when the disk is full; then it is written again."""
    while True:
        try:
            with writing(path) as stream:
                stream.write(content)
            return
        except OSError as error:
            if error.errno not in FULL:
                raise
            no_room(error)


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
