"""Trains a stage so that nothing is lost: checkpoints as it goes, and once back to the last one when the loss explodes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from catalyst_core.config import ContenderConfig
from catalyst_core.errors import DivergedError, NonFiniteError
from catalyst_core.events import CheckpointKept, RolledBack, Stage
from catalyst_core.training.keeper import KEPT, Keeper
from catalyst_core.training.loop import Loop, Training
from catalyst_core.training.teller import Teller

State = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """A checkpoint that a stage goes on from."""

    name: str
    state: State

    @property
    def stage(self) -> Stage:
        """The stage it was made in."""
        return self.state["stage"]


class Unguarded:
    """The same for trials that may be lost."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def train(self, stage: Stage, training: Training, until: int) -> None:
        """Take steps until so many have been taken since the run began, or a stop."""
        self._loop.boundary = self._loop.follow_rate
        self._loop.run(stage, training, until)

    def keep(self, stage: Stage, training: Training, reason: str) -> None:
        """Nothing is kept."""


class Guard:
    """Of one contender, whose own state `own()` gives for a checkpoint; `identity` tells it from others.

    `committed()` returns once everything that was said is safe: only then may whoever goes on leave it unsaid.
    """

    def __init__(
        self, keeper: Keeper, loop: Loop, tell: Teller, committed: Callable[[], None], own: Callable[[], State], identity: str
    ) -> None:
        self._keeper, self._loop, self._tell, self._committed, self._own = keeper, loop, tell, committed, own
        self._identity = identity
        self._last_kept = ""  # when and what for: nothing is kept twice

    def latest(self) -> Point | None:
        """The last checkpoint that is whole and this contender's."""
        found = self._keeper.latest()
        return Point(*found) if found and _same(found[1]["config"], self._identity) else None

    def train(self, stage: Stage, training: Training, until: int) -> None:
        """Take steps until so many have been taken since the run began, or a stop.

        Raises `DivergedError` or `NonFiniteError` where there is nothing to go back to, or it had gone back before.
        """

        def boundary() -> None:
            self._loop.follow_rate()
            if changed := self._loop.control.news():
                self.keep(stage, training, changed)
            elif self._keeper.is_due and training.is_finite:
                self._save(stage, training, "")

        self._loop.boundary = boundary
        while True:
            try:
                self._loop.run(stage, training, until)
                return
            except (DivergedError, NonFiniteError) as error:
                self._go_back(stage, training, error)

    def keep(self, stage: Stage, training: Training, reason: str) -> None:
        """A checkpoint that stays, and the word of it."""
        this = f"{self._loop.step} {reason}"
        if this != self._last_kept:
            self._last_kept = this
            self._tell_kept(stage, self._save(stage, training, reason), reason)

    def go_on(self, point: Point, training: Training) -> None:
        """From a checkpoint, whose own part the contender has taken."""
        self._load(point.state, training)
        if point.name.endswith(KEPT):  # its process may have ended between the file and the word
            self._last_kept = f"{self._loop.step} {point.state['reason']}"
            self._tell_kept(point.stage, point.name, point.state["reason"])

    def forget(self) -> None:
        """The run is at its end: only what was kept for good stays."""
        self._keeper.clear()

    def _save(self, stage: Stage, training: Training, reason: str) -> str:
        self._committed()
        content = {
            "config": self._identity,
            "stage": stage,
            "reason": reason,
            "loop": self._loop.state(),
            "told": self._tell.state(),
            "applied": self._loop.control.applied,
            "rate": self._loop.control.rate,
            "random": torch.get_rng_state(),
            "own": self._own(),
            **training.state(),
        }
        return self._keeper.save(content, kept=bool(reason))

    def _tell_kept(self, stage: Stage, name: str, reason: str) -> None:
        self._tell.aside(CheckpointKept(step=self._loop.step, stage=stage, name=name, reason=reason, key=f"kept:{name}"))

    def _load(self, state: State, training: Training) -> None:
        training.load_state(state)
        self._loop.load_state(state["loop"])
        self._tell.load_state(state["told"])
        self._loop.control.applied, self._loop.control.rate = state["applied"], state["rate"]
        torch.set_rng_state(state["random"])

    def _go_back(self, stage: Stage, training: Training, error: Exception) -> None:
        point = self.latest()
        if point is None or point.stage != stage:
            raise error
        if self._loop.control.has_halved:
            raise DivergedError(f"{error} (it had gone back and been tried again at half the learning rate)") from error
        went_wrong = self._loop.step
        self._load(point.state, training)
        self._tell.aside(RolledBack(step=self._loop.step, stage=stage, from_step=went_wrong, reason=str(error)))
        self._loop.control.halve_rate(self._loop.step)


def _same(one: str, other: str) -> bool:
    """Whether two configurations as JSON are equal: an older one lacks settings that were added since, at their defaults."""
    return ContenderConfig.model_validate_json(one) == ContenderConfig.model_validate_json(other)
