"""A watched loop's line to the store, which never raises: once nobody listens any more, nothing is said."""

import logging

from catalyst_core.engine.channel import Guest
from catalyst_core.errors import CatalystError
from catalyst_core.events import Command, Event

MOST_WAITING = 500  # events that wait for a store; of a large network each takes hundreds of kilobytes

log = logging.getLogger(__name__)


class Voice:
    """Of one run."""

    def __init__(self, line: Guest) -> None:
        self._line = line
        self.is_over = False  # the run has ended, or was taken away: deleted, or declared dead

    @property
    def is_behind(self) -> bool:
        """Whether so much waits for the store that no more should be said."""
        return self._line.waiting >= MOST_WAITING

    @property
    def has_news(self) -> bool:
        """Whether somebody has sent a command."""
        return self._line.has_news

    def say(self, event: Event) -> None:
        """Hand it over, if anybody listens."""
        if not self.is_over:
            try:
                self._line.emit(event)
            except CatalystError as error:
                self._lost(error)

    def commands(self) -> list[Command]:
        """What was sent since the last call."""
        if not self.is_over:
            try:
                return self._line.commands()
            except CatalystError as error:
                self._lost(error)
        return []

    def _lost(self, error: CatalystError) -> None:
        self.is_over = True
        log.warning("%s; this training goes on unwatched", error)
