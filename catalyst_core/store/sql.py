"""The store on a SQL database. The contract is the docstring of `base`; its parts are in modules of their own."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from sqlalchemy import update

from catalyst_core.store.adoption import Archives
from catalyst_core.store.base import Sizes
from catalyst_core.store.queue import Queue
from catalyst_core.store.runs import Runs
from catalyst_core.store.schema import runs


class SqlStore(Archives, Queue, Runs):
    """Races, their runs, events and commands in one database; checkpoints, logs and networks in the folder `files`."""

    def sizes(self) -> Sizes:
        """Bytes of the database and of the files, and how many are free on the files' disk. Raises StoreError."""
        return Sizes(self._backend.size(), bytes_in(self.files), bytes_free(self.files))

    def weigh(self, run_id: str) -> None:
        """Note what a run's files take now: its worker has no more beats to say it with. Raises StoreError."""
        size = bytes_in(self.files / "runs" / run_id)
        with self._write() as (connection, _):
            connection.execute(update(runs).where(runs.c.id == run_id).values(bytes=size))

    def tidy(self) -> None:
        """Give the room of what is not needed any more back to the disk, as far as others let it."""
        self._backend.shrink()

    def size_bytes(self) -> int:
        """Bytes on disk: the database and the folder of files."""
        sizes = self.sizes()
        return sizes.database + sizes.files


def bytes_in(folder: Path) -> int:
    """What all files below a folder take; it may change meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # files come and go meanwhile
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def bytes_free(folder: Path) -> int:
    """What is free on the disk of a folder, which may not be there yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
