"""A race as one file that can be sent to somebody: packed with where it comes from, taken in where there is room."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from catalyst_core.engine import room
from catalyst_core.export import repeat_command, versions
from catalyst_core.store import Store

ENDING = ".race"


def pack(
    store: Store,
    race_id: str,
    file: IO[bytes],
    *,
    new_id: str = "",
    looks: int | None = None,
    without: Collection[str] = (),
    note: str = "",
) -> None:
    """Write a finished race of the store into `file`, with its command, the versions here and now, and a note.

    `new_id`, `looks` and `without` as `Store.pack`. Raises ArchiveError, NotFoundError.
    """
    race = store.race(race_id)
    packed = datetime.now(UTC).isoformat(timespec="seconds")
    provenance = {"command": repeat_command(race.config), "packed": packed, "versions": versions(), "note": note}
    store.pack(store.packed(race.id, provenance), file, new_id=new_id, looks=looks, without=without)


def unpack(store: Store, source: Path | IO[bytes]) -> str:
    """Take in a packed race; returns its id. Raises ArchiveError, and StoreError where there is no room for a race."""
    room.check_start(store)
    return store.adopt(source)
