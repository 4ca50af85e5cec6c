"""What a worker could not send yet, on disk: one JSON line an event, safe once `keep` has returned."""

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from catalyst_core.events import Event, event_from_json


class Spool:
    """The events of one run that wait for the store; written by one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0  # events of the waiting ones that are on disk

    def load(self) -> list[Event]:
        """What an earlier worker left; a torn last line was never promised to anybody."""
        events: list[Event] = []
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except OSError:
            return events
        for line in lines:
            try:
                events.append(event_from_json(line))
            except (ValueError, ValidationError):
                break
        self._count = len(events)
        return events

    def keep(self, waiting: Sequence[Event]) -> None:
        """Have all of `waiting` on disk; it begins with those that are there already. Raises OSError."""
        new = waiting[self._count :]
        if not new:
            return
        with open(self._path, "ab") as file:
            size = file.tell()
            try:
                file.write("".join(f"{event.model_dump_json()}\n" for event in new).encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self._path, size)
                raise
        self._count = len(waiting)

    def clear(self) -> None:
        """All of it has been sent."""
        if self._count:
            self._path.unlink(missing_ok=True)
            self._count = 0
