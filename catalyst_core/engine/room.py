"""Whether there is room on the disk: for a race to start, and for a worker to go on."""

import time
from pathlib import Path

from catalyst_core.environment import whole_number
from catalyst_core.errors import StoreError
from catalyst_core.store import Store
from catalyst_core.store.sql import bytes_free

MIB = 2**20
START_FREE = 24 * MIB  # a race on small images takes about 5 MB; larger ones wait when there is no more
WORK_FREE = 8 * MIB  # below this a worker waits: there is still room to say why
USUAL_LIMIT, MOST_LIMIT = 50_000, 10**9  # MiB
LIMIT_SECONDS = 20.0  # between two looks at the size of the store: it means a walk over all files


def limit_mib() -> int:
    """What store and files may take together: $CATALYST_DISK_MB. Raises ConfigError."""
    return whole_number("CATALYST_DISK_MB", 1, MOST_LIMIT) or USUAL_LIMIT


def check_start(store: Store) -> None:
    """Raise StoreError where a race has no room."""
    try:
        store.files.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"store {store.files}: cannot be written ({error.strerror})") from None
    if reason := lacking(store.files, START_FREE) or _over_the_limit(store):
        raise StoreError(f"no disk space: {reason}")


def lacking(folder: Path, needed: int = WORK_FREE) -> str:
    """Why there is no room on the folder's disk; '' where there is."""
    free = bytes_free(folder)
    return f"{folder} has {free // MIB} MiB free, {needed // MIB} are needed" if free < needed else ""


class Room:
    """A worker's look at the disk, at most once a second, and at the size of the store now and then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next = self._next_limit = 0.0
        self._limit = ""
        self.lacking = ""  # why there is no room; '' where there is

    def look(self) -> None:
        """Bring `lacking` up to date. Raises StoreError where the store cannot tell its size."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            if now >= self._next_limit or self._limit:
                self._next_limit = now + LIMIT_SECONDS
                self._limit = _over_the_limit(self._store)
            disk = lacking(self._store.files)
            self.lacking = f"waiting for disk space: {disk or self._limit}" if disk or self._limit else ""

    def refused(self) -> None:
        """A file could not be written, whatever the last look said: wait at least until the next one."""
        self.lacking = self.lacking or "waiting for disk space: a file could not be written"


def _over_the_limit(store: Store) -> str:
    taken, limit = store.size_bytes() // MIB, limit_mib()
    if taken < limit:
        return ""
    return f"all races take {taken} MiB and may take {limit}: delete some, or set CATALYST_DISK_MB higher"
