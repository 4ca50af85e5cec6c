"""The contract of every regularizer: a penalty R, a proximal step after the optimizer's, and a decision at the end.

    penalty()   R as a differentiable () tensor, without strength       loss + reg.current_strength * reg.penalty()
    step(lr)    F <- prox_{lr * strength * R}(F), right after optimizer.step(), with that step's learning rate
    settle()    decide every channel now; decisions() say which stay

`solver="proximal"` takes steps and leaves the loss alone, `solver="subgradient"` leaves F to the optimizer.
"""

# C = channels of all groups, G = groups

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalyst_core import audits
from catalyst_core.catalog import METHODS
from catalyst_core.config import Solver
from catalyst_core.decisions import Decisions, budget, keep_largest
from catalyst_core.errors import ConfigError
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers.bank import FilterBank, Vector

MOST_STRENGTH = 1e4


@dataclass(frozen=True)
class Settings:
    """What `build_regularizer` was asked for."""

    strength: float
    pruning_ratio: float
    start_ratio: float | None = None
    solver: Solver = "proximal"
    total_steps: int | None = None
    generator_seed: int = 0
    every: int = 1


@dataclass(frozen=True)
class Measurement:
    """One look at every channel of every group, concatenated in the order of the groups."""

    magnitudes: Vector  # (C,) n_i
    catalysts: Vector | None  # (C,) D_i
    margins: Vector  # (C,) log distance to the boundary: positive stays, negative goes, infinite once decided
    thresholds: tuple[float | None, ...]  # (G,) the magnitude that a cut would use, for methods that cut by magnitude
    kept: NDArray[np.bool_]  # (C,) what would stay if it were decided now
    share_pruned: float  # 0..1: 1 - mean(kept)


class Regularizer:
    """Decides by magnitude: within each group the budget's share of the smallest n_i goes. Penalty 0, no step.

    `seconds` is the time spent in `step` (proximal) or in `penalty` and `step` (subgradient) so far.
    """

    name: ClassVar[str] = "none"

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings) -> None:
        self.groups = tuple(groups)
        self.settings = settings
        self.bank = FilterBank(groups)
        self.seconds = 0.0
        self.steps = 0
        self._size = 0.0  # t gathered since the last step that was taken
        self._strength = settings.strength
        self._ratio = settings.pruning_ratio

    # settings that may change while training runs

    @property
    def strength(self) -> float:
        """lambda, without ramp. Setting it raises `ConfigError` outside 0..10000, and where the method has none."""
        return self._strength

    @strength.setter
    def strength(self, value: float) -> None:
        if METHODS[self.name].strength is None:
            raise ConfigError(f"{self.name} has no strength")
        self._strength = check_strength(value)

    @property
    def pruning_ratio(self) -> float:
        """Share of every group's channels to prune. Setting it raises `ConfigError` outside (0, 1)."""
        return self._ratio

    @pruning_ratio.setter
    def pruning_ratio(self, value: float) -> None:
        self._ratio = check_ratio(value)

    @property
    def current_strength(self) -> float:
        """lambda in force at the next step, ramp included."""
        return self._strength

    @property
    def targets(self) -> list[int]:
        """(G,) channels to prune in each group."""
        return [budget(size, self._ratio) for size in self.bank.sizes]

    # while training runs

    def penalty(self) -> Tensor:
        """() R, differentiable in F, without strength."""
        start = time.perf_counter()
        value = self._penalty()
        if self.settings.solver == "subgradient" and torch.is_grad_enabled():
            self.seconds += time.perf_counter() - start
        return value

    def step(self, lr: float) -> None:
        """The proximal step of size `lr` * `current_strength`; nothing to F for the subgradient solver.

        With `every` > 1 the sizes of that many calls are gathered into one step.
        """
        start = time.perf_counter()
        self._size += float(lr) * self.current_strength
        self.steps += 1
        if self.steps % self.settings.every == 0 or self.steps == self.settings.total_steps:
            self._step(self._size)
            self._size = 0.0
        self.seconds += time.perf_counter() - start

    def settle(self) -> None:
        """Decide every channel now. Nothing to do for methods that decide by a cut."""

    # what it says

    @property
    def catalysts(self) -> list[Tensor] | None:
        """D, one (C,) view a group; None for methods without."""
        return None

    def measure(self) -> Measurement:
        """Magnitudes, margins and what would stay if it were decided now."""
        magnitudes = self._magnitudes()
        kept = self._kept(magnitudes)
        thresholds = self._thresholds(magnitudes, kept)
        return Measurement(
            magnitudes,
            None if self.catalysts is None else torch.cat(self.catalysts).numpy(),
            self._margins(magnitudes, kept, thresholds),
            tuple(thresholds),
            kept,
            float(1 - kept.mean()),
        )

    def decisions(self) -> Decisions:
        """Which channels stay."""
        kept = torch.from_numpy(self._kept(self._magnitudes()))
        names = [group.name for group in self.groups]
        return Decisions(dict(zip(names, kept.split(self.bank.sizes), strict=True)), self.undecided)

    @property
    def undecided(self) -> int:
        """Channels that are neither pruned (n = 0) nor preserved (D = 0) yet; 0 for methods that decide by a cut."""
        return 0

    def state_dict(self) -> dict[str, Any]:
        """Plain data and tensors; loading it into a regularizer of the same groups goes on where this one is."""
        return {
            "name": self.name,
            "sizes": list(self.bank.sizes),
            "strength": self._strength,
            "pruning_ratio": self._ratio,
            "steps": self.steps,
            "size": self._size,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises `ConfigError` when the state is of another method or of other groups."""
        if (state["name"], state["sizes"]) != (self.name, self.bank.sizes):
            raise ConfigError(
                f"this state is of {state['name']} on groups of {state['sizes']}, not {self.name} on {self.bank.sizes}"
            )
        self._strength, self._ratio = state["strength"], state["pruning_ratio"]
        self.steps, self._size, self.seconds = state["steps"], state["size"], state["seconds"]

    # what a method fills in

    def _penalty(self) -> Tensor:
        return torch.zeros(())

    def _step(self, size: float) -> None:
        """One proximal step of size t = lr * lambda."""

    def _magnitudes(self) -> Vector:
        return self.bank.magnitudes()

    def _kept(self, magnitudes: Vector) -> NDArray[np.bool_]:
        return np.concatenate([keep_largest(n, k) for n, k in zip(self.bank.split(magnitudes), self.targets, strict=True)])

    def _thresholds(self, magnitudes: Vector, kept: NDArray[np.bool_]) -> list[float | None]:
        return [midpoint(n, stays) for n, stays in zip(self.bank.split(magnitudes), self.bank.split(kept), strict=True)]

    def _margins(self, magnitudes: Vector, kept: NDArray[np.bool_], thresholds: list[float | None]) -> Vector:
        limits = np.repeat([np.nan if limit is None else limit for limit in thresholds], self.bank.sizes)
        return audits.margins(magnitudes, limits, kept)


def check_strength(value: float) -> float:
    """A strength that can be used; raises `ConfigError`."""
    if not (math.isfinite(value) and 0 <= value <= MOST_STRENGTH):
        raise ConfigError(f"strength must lie in 0..{MOST_STRENGTH:g}, not {value!r}")
    return float(value)


def check_ratio(value: float) -> float:
    """A pruning ratio that can be used; raises `ConfigError`."""
    if not (math.isfinite(value) and 0 < value < 1):
        raise ConfigError(f"pruning_ratio must lie between 0 and 1, both excluded, not {value!r}")
    return float(value)


def midpoint(magnitudes: Vector, kept: NDArray[np.bool_]) -> float | None:
    """Between the largest pruned and the smallest kept magnitude of one group; None when nothing goes."""
    if kept.all():
        return None
    return float(magnitudes[~kept].max() + magnitudes[kept].min()) / 2
