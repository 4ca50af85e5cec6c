"""Checkpoints of a run on disk: the last two, and those that are kept for good.

    000012-3f2a81c09d4e5b67.pt         of the last two
    000009-81c04f77aa20e313-kept.pt    stays; at most MOST_KEPT do

The name carries a hash of the content: a file that was torn or altered is known without trusting its format, and the
one before it is used.
"""

import hashlib
import io
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from catalyst_core.errors import CheckpointError
from catalyst_core.training.files import give_up, packed, write_whole

ROLLING = 2
MOST_KEPT = 20  # the oldest goes first
EVERY_SECONDS = 2.0  # between two checkpoints ...
COST = 50  # ... and this many times what the last one took: at most 2 % of the time
KEPT = "-kept"

log = logging.getLogger(__name__)


class Keeper:
    """One folder of checkpoints, written by one process at a time."""

    def __init__(self, folder: Path, no_room: Callable[[OSError], None] = give_up) -> None:
        self._folder, self._no_room = folder, no_room
        self._due = 0.0  # on the monotonic clock

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next rolling checkpoint."""
        return time.monotonic() >= self._due

    def save(self, content: dict[str, Any], *, kept: bool = False) -> str:
        """Write a checkpoint, drop those that are not needed any more, return its name. Raises OSError."""
        start = time.monotonic()
        data = packed(content)
        files = self._files()
        number = 1 + max((_number(file) for file in files), default=0)
        name = f"{number:06d}-{_hash(data)}{KEPT * kept}"
        write_whole(self._folder / f"{name}.pt", data, self._no_room)
        self._drop([file for file in files if (KEPT in file.stem) == kept], (MOST_KEPT if kept else ROLLING) - 1)
        now = time.monotonic()
        self._due = now + max(EVERY_SECONDS, COST * (now - start))
        return name

    def latest(self) -> tuple[str, dict[str, Any]] | None:
        """Name and content of the newest checkpoint that is whole; None: there is none."""
        for file in reversed(self._files()):
            try:
                return file.stem, self.load(file.stem)
            except CheckpointError as error:
                log.warning("%s; using the one before it", error)
        return None

    def load(self, name: str) -> dict[str, Any]:
        """The content of a checkpoint. Raises `CheckpointError` when it is not there, or not what was written."""
        try:
            data = (self._folder / f"{name}.pt").read_bytes()
        except OSError as error:
            raise CheckpointError(f"checkpoint {name} cannot be read ({error.strerror})") from None
        if _hash(data) != name.split("-")[1]:
            raise CheckpointError(f"checkpoint {name} is damaged: {len(data)} bytes that are not what was written")
        return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")

    def clear(self) -> None:
        """Drop the rolling checkpoints, and the folder if nothing else is in it."""
        self._drop([file for file in self._files() if KEPT not in file.stem], 0)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self._folder.glob("[0-9]*-*.pt"), key=_number)

    @staticmethod
    def _drop(files: list[Path], most: int) -> None:
        for file in files[: max(len(files) - most, 0)]:
            file.unlink(missing_ok=True)


def _number(file: Path) -> int:
    return int(file.name.split("-")[0])


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
