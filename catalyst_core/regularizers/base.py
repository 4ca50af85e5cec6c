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
from torch import Tensor, nn

from catalyst_core import audits
from catalyst_core.allocation import Allocator, Counts
from catalyst_core.catalog import METHODS
from catalyst_core.decisions import Decisions, keep_largest, spare_layers
from catalyst_core.errors import ConfigError
from catalyst_core.groups import FilterGroup, decay_groups
from catalyst_core.regularizers.bank import FilterBank, Vector
from catalyst_core.regularizers.settings import LIVE, Settings


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
    """Decides by magnitude: in each group as many of the smallest n_i go as the budget's allocation says. Penalty 0, no step.

    `seconds` is the time spent in `step` (proximal) or in `penalty` and `step` (subgradient) so far; `settings` are those
    in force.
    """

    name: ClassVar[str] = "none"

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings) -> None:
        self.groups = tuple(groups)
        self.bank = FilterBank(groups)
        self.bank.check_finite()
        kept = settings.keep_at_least if settings.allocation == "global" else 0.0
        self.allocator = Allocator(self.bank.sizes, getattr(groups, "macs", None), kept)
        self.seconds = 0.0
        self.steps = 0
        self._size = 0.0  # t gathered since the last step that was taken
        self._adopt(settings)

    # settings that may change while training runs

    @property
    def strength(self) -> float:
        """lambda, without ramp. Setting it raises `ConfigError` outside 0..10000, and where the method has none."""
        return self.settings.strength

    @strength.setter
    def strength(self, value: float) -> None:
        if METHODS[self.name].strength is None:
            raise ConfigError(f"{self.name} has no strength")
        self._adopt(self.settings.changed(strength=value))

    @property
    def pruning_ratio(self) -> float | None:
        """Share of the channels to prune; None: another budget is in force. Setting it replaces that, or raises `BudgetError`."""
        return self.settings.pruning_ratio

    @pruning_ratio.setter
    def pruning_ratio(self, value: float) -> None:
        self._rebudget(pruning_ratio=value, macs_ratio=None)

    @property
    def macs_ratio(self) -> float | None:
        """Share of the network's MACs to remove; as above."""
        return self.settings.macs_ratio

    @macs_ratio.setter
    def macs_ratio(self, value: float) -> None:
        self._rebudget(pruning_ratio=None, macs_ratio=value)

    @property
    def solver(self) -> str:
        """ "proximal" or "subgradient". Setting it raises `ConfigError` for another word."""
        return self.settings.solver

    @solver.setter
    def solver(self, value: str) -> None:
        self._adopt(self.settings.changed(solver=value))

    @property
    def schedule(self) -> str:
        """Catalyst: "ramp" or "constant" strength; without effect on others. Setting it raises `ConfigError` for another word."""
        return self.settings.schedule

    @schedule.setter
    def schedule(self, value: str) -> None:
        self._adopt(self.settings.changed(schedule=value))

    @property
    def current_strength(self) -> float:
        """lambda in force at the next step, ramp included."""
        return self.settings.strength

    @property
    def targets(self) -> list[int]:
        """(G,) channels to prune in each group; 0 for a fixed ratio, which has no budget."""
        uniform = self.settings.allocation == "uniform"
        return (self._shares if uniform else self._allocated(self._magnitudes())).tolist()

    # while training runs

    def penalty(self) -> Tensor:
        """() R, differentiable in F, without strength."""
        start = time.perf_counter()
        value = self._penalty()
        if self.settings.solver == "subgradient" and torch.is_grad_enabled():
            self.seconds += time.perf_counter() - start
        return value

    def add_gradients(self) -> None:
        """What a peer adds to the gradients between the backward pass and the optimizer's step; nothing for ours."""

    def parameter_groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        """For the optimizer of the sparse stage: `decay_groups`."""
        return decay_groups(model, self.groups, weight_decay)

    def step(self, lr: float) -> None:
        """The proximal step of size `lr` * `current_strength`; nothing to F for the subgradient solver.

        With `every` > 1 the sizes of that many calls are gathered into one step, and the filters are looked at only then.
        Before anything is changed it raises `ConfigError` for an `lr` that is negative or not finite, and `NonFiniteError`
        for NaN or infinity in an F_i.
        """
        start = time.perf_counter()
        size = self._size_of(float(lr))
        self.bank.agree()
        due = (self.steps + 1) % self.settings.every == 0 or self.steps + 1 == self.settings.total_steps
        if due:
            self.bank.check_finite()
        self._size += size
        self.steps += 1
        if due:
            self._step(self._size)
            self._size = 0.0
        self.seconds += time.perf_counter() - start

    def settle(self) -> None:
        """Decide every channel now. Nothing to do for methods that decide by a cut."""
        self.bank.check_finite()

    # what it says

    @property
    def catalysts(self) -> list[Tensor] | None:
        """D, one (C,) view a group; None for methods without."""
        return None

    def measure(self) -> Measurement:
        """Magnitudes, margins and what would stay if it were decided now."""
        magnitudes = self._magnitudes()
        kept = self._staying(magnitudes)
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
        return Decisions.of(self.groups, self._staying(self._magnitudes()), self.undecided)

    @property
    def undecided(self) -> int:
        """Channels that are neither pruned (n = 0) nor preserved (D = 0) yet; 0 for methods that decide by a cut."""
        return 0

    def state_dict(self) -> dict[str, Any]:
        """Plain data and tensors; loading it into a regularizer of the same groups goes on where this one is."""
        return {
            "name": self.name,
            "sizes": list(self.bank.sizes),
            "settings": self.settings.model_dump(),
            "steps": self.steps,
            "size": self._size,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises `ConfigError` for a state of another method, of other groups, or of another kind of budget or allocation.

        Strength, budget, solver and schedule are the state's afterwards; the other settings stay this one's.
        """
        if (state["name"], state["sizes"]) != (self.name, self.bank.sizes):
            raise ConfigError(
                f"this state is of {state['name']} on groups of {state['sizes']}, not {self.name} on {self.bank.sizes}"
            )
        theirs = self.settings.changed(**state["settings"])
        if theirs.kind != self.settings.kind:
            raise ConfigError(f"this state has {theirs.kind}, not {self.settings.kind}: build the regularizer with the state's")
        self._adopt(self.settings.changed(**{name: getattr(theirs, name) for name in LIVE}))
        self.steps, self._size, self.seconds = state["steps"], state["size"], state["seconds"]

    # the budget

    def _adopt(self, settings: Settings) -> None:
        """Raises `BudgetError`, and changes nothing, where the budget cannot be met."""
        budget = settings.budget
        self._shares = np.zeros(len(self.groups), np.int64) if budget is None else self.allocator.uniform(budget)  # (G,) uniform
        self.settings = settings

    def _rebudget(self, **budget: float | None) -> None:
        self._adopt(self.settings.changed(**budget))

    def _allocated(self, magnitudes: Vector) -> Counts:
        """(C,) n -> (G,) channels to prune, in the allocation in force."""
        budget = self.settings.budget
        if self.settings.allocation == "uniform" or budget is None:
            return self._shares
        return self.allocator.ranked(budget, self._standing(magnitudes))

    def _staying(self, magnitudes: Vector) -> NDArray[np.bool_]:
        """(C,) what is kept, and the largest channel of every layer that would be left with none."""
        return spare_layers(self._kept(magnitudes), magnitudes, self.groups)

    # what a method fills in

    def _size_of(self, lr: float) -> float:
        """t of one step. Raises before anything is changed."""
        if not (math.isfinite(lr) and lr >= 0):
            raise ConfigError(f"the learning rate of a step must be a finite number of at least 0, not {lr!r}")
        return lr * self.current_strength

    def _standing(self, magnitudes: Vector) -> Vector:
        """(C,) n -> (C,) z, what global allocation compares between groups: the largest go first."""
        with np.errstate(divide="ignore"):
            return self.allocator.standardised(-np.log(magnitudes), self._shares)

    def _penalty(self) -> Tensor:
        return torch.zeros(())

    def _step(self, size: float) -> None:
        """One proximal step of size t = lr * lambda."""

    def _magnitudes(self) -> Vector:
        return self.bank.magnitudes()

    def _kept(self, magnitudes: Vector) -> NDArray[np.bool_]:
        targets = self._allocated(magnitudes)
        return np.concatenate([keep_largest(n, k) for n, k in zip(self.bank.split(magnitudes), targets, strict=True)])

    def _thresholds(self, magnitudes: Vector, kept: NDArray[np.bool_]) -> list[float | None]:
        return [midpoint(n, stays) for n, stays in zip(self.bank.split(magnitudes), self.bank.split(kept), strict=True)]

    def _margins(self, magnitudes: Vector, kept: NDArray[np.bool_], thresholds: list[float | None]) -> Vector:
        limits = np.repeat([np.nan if limit is None else limit for limit in thresholds], self.bank.sizes)
        return audits.margins(magnitudes, limits, kept)


def midpoint(magnitudes: Vector, kept: NDArray[np.bool_]) -> float | None:
    """Between the largest pruned and the smallest kept magnitude of one group; None when nothing goes."""
    if kept.all():
        return None
    return float(magnitudes[~kept].max() + magnitudes[kept].min()) / 2
