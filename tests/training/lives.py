"""A contender that is killed again and again, and a store in miniature that keeps what it said."""

import contextlib

import numpy as np
import torch

from catalyst_core.events import Command, Event, Finished, RolledBack, SettingChanged
from catalyst_core.training import Folders, load_pruned, train


class Killed(BaseException):
    """As sudden as the real thing: nothing in the product catches it."""


class Lives:
    """One run with as many lives as it needs.

    It is killed after so many looks at the commands as `deaths` says, life by life. What it said is lost unless it was
    committed, which happens by itself at every `every`th look, and when it asks for it.
    """

    def __init__(self, folder, config, deaths=(), every=3, run="run"):
        self.folders, self.config, self.every = Folders(folder / run, folder / "dense"), config, every
        self.deaths = list(deaths)
        self.stored: list[Event] = []
        self.waiting: list[tuple[int, Command]] = []  # not carried out yet, each with the look before which it is sent
        self.looks = self.lives = 0

    def run(self) -> list[Event]:
        """Live until it has finished; what was stored in the end."""
        while not any(isinstance(event, Finished) for event in self.stored):
            self.live()
        return self.stored

    def live(self) -> None:
        """One life."""
        self.lives += 1
        self._buffer: list[Event] = []
        self._left = self.deaths.pop(0) if self.deaths else None
        self._taken = 0
        history = [event for event in self.stored if isinstance(event, SettingChanged)]
        with contextlib.suppress(Killed):
            train(self.config, self._buffer.append, self._look, self.folders, history, self._commit)

    def _look(self) -> list[Command]:
        self.looks += 1
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Killed
        if self.looks % self.every == 0:
            self._commit()
        new = [command for look, command in self.waiting[self._taken :] if look <= self.looks]
        self._taken += len(new)
        return new

    def _commit(self) -> None:
        known = {event.key for event in self.stored}
        for event in self._buffer:
            if isinstance(event, RolledBack):
                self.stored = [one for one in self.stored if one.step <= event.step]
                known = {one.key for one in self.stored}
            if event.key not in known - {""}:
                self.stored.append(event)
                known.add(event.key)
        self._buffer.clear()
        self.waiting, self._taken = self.waiting[self._taken :], 0


TIMES = ("seconds",)
MEASURED = ("latency_ms", "latency_ms_dense", "train_seconds", "regularizer_seconds")  # of the clock


def timeless(event: Event) -> dict:
    """What an event says, without what depends on the clock."""
    said = event.model_dump(exclude={*TIMES})
    if isinstance(event, Finished):
        said["ledger"] = {key: value for key, value in event.ledger.items() if key not in MEASURED}
    return said


def told(events: list[Event]) -> list[dict]:
    """Everything that was said, in order, but for checkpoints: their names hold a hash of the seconds, too."""
    return [timeless(event) for event in events if event.kind != "checkpoint"]


def same_weights(one, other) -> bool:
    """Whether two runs left the same pruned network, bit for bit."""
    first, second = (load_pruned(folder / "run" / "pruned.pt").state_dict() for folder in (one, other))
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def moments(seed: int, count: int, most: int) -> list[int]:
    """Random life times, in looks."""
    return np.random.default_rng(seed).integers(0, most, count).tolist()
