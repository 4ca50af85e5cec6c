"""Catalyst: R = sum_i D_i n_i = ||D F||_{2,1}, zero exactly where pruning is lossless (D_i = 0 or F_i = 0).

    n_i <- max(n_i - t D_i, 0)    D_i <- max(D_i - t n_i, 0)    both from the old values, t = lr * lambda
    u_i = log(D_i / n_i)          u_i > 0 runs to +inf: pruned; u_i < 0 to -inf: preserved

Budgeted: D_i = n_i at the start; for a first share of the steps nothing but the gradients are looked at, and then

    D_i <- n_i exp(u_i)           by `evidence`: what hardly moves the loss begins on the pruned side, whatever its magnitude

Before each later step one common factor in each group, D_i <- D_i exp(-q), moves the boundary u = 0 to the midpoint q that
leaves exactly the budget's number of channels above it. Global allocation chooses these numbers anew before each step, by
w_i = (D_i - n_i) / (D_i + n_i) = tanh(u_i / 2). The penalty and its zero set are the paper's; the evidence, the dynamics,
the budget and the settling are derived here (docs/mathematics.md).
"""

# C = channels of all groups, G = groups
# n = magnitudes, D = catalyst variables, u = log-ratios, w = tanh(u / 2), t = step size, k = factors of F

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalyst_core import audits
from catalyst_core.allocation import Counts
from catalyst_core.config import RAMP, RAMP_SHARE
from catalyst_core.errors import ConfigError, StrengthError
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers.bank import Vector
from catalyst_core.regularizers.base import Regularizer
from catalyst_core.regularizers.boundary import Boundary, step_in_time
from catalyst_core.regularizers.evidence import Evidence
from catalyst_core.regularizers.settings import Settings

SETTLE_SHARE = 0.1  # the last steps, in which whatever is undecided is brought to zero in time
LARGEST_SUM = 0.5  # t of several steps gathered into one, whose sum may be 1 or more although each is less
LARGEST_RATIO = 1e300  # stands for D / 0


class Catalyst(Regularizer):
    """Sticky: n_i = 0 stays 0, whatever the optimizer's momentum adds, because a silent filter has no gradient to return on.

    Changing `pruning_ratio` while it runs: a larger one moves the boundary; where the undecided channels of a group do
    not suffice, its preserved ones (D_i = 0) compete again from D_i = n_i. A smaller one preserves every undecided
    channel of a group whose budget is already spent; channels that are pruned stay pruned.
    """

    name = "catalyst"

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings) -> None:
        super().__init__(groups, settings)
        self.bank.agree()
        n = self.bank.magnitudes()
        self._alive = n > 0  # (C,) a filter that is zero from the start is pruned from the start ...
        self._d = np.where(self._alive, n * (settings.start_ratio or 1.0), 1.0)  # (C,) ... and any D > 0 says so
        self._boundary = Boundary(self.bank.sizes)
        self._targets = self._shares  # (G,)
        self._evidence = Evidence(self.bank) if self._watched else None  # None: taken into account, or not wanted
        self._aim(n)

    # settings and state

    def _rebudget(self, **budget: float | None) -> None:
        if self._is_fixed:
            raise ConfigError(f"catalyst with a fixed start_ratio has no {' and no '.join(budget)}")
        super()._rebudget(**budget)
        self._aim(self._magnitudes())

    @property
    def targets(self) -> list[int]:
        """As in the contract; those of global allocation hold until the next step."""
        return self._targets.tolist()

    @property
    def current_strength(self) -> float:
        """lambda at the next step: 0 while evidence is gathered; then with a ramp from 0.3 to 2 times the strength."""
        return 0.0 if self._evidence is not None and self.steps < self._watched else self._ramped

    @property
    def _ramped(self) -> float:
        """lambda of the ramp, which waits at its beginning while evidence is gathered."""
        strength, total = self.settings.strength, self.settings.total_steps
        if total is None or not self._has_ramp:
            return strength
        progress = min(max(self.steps - self._watched, 0) / (RAMP_SHARE * total), 1.0)
        return strength * RAMP[0] * (RAMP[1] / RAMP[0]) ** progress

    @property
    def catalysts(self) -> list[Tensor]:
        """D, one (C,) float64 view a group."""
        return list(torch.from_numpy(self._d).split(self.bank.sizes))

    @property
    def undecided(self) -> int:
        """Channels with D_i n_i > 0."""
        return int((self._alive & (self._d > 0)).sum())

    def state_dict(self) -> dict[str, Any]:
        """With D, which channels are not pruned, and how many of each group go."""
        arrays = {"catalysts": self._d, "alive": self._alive, "targets": self._targets}
        evidence = {} if self._evidence is None else {"evidence": self._evidence.state()}
        return {**super().state_dict(), **{name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, **evidence}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Regularizer.load_state_dict`."""
        super().load_state_dict(state)
        self._d, self._alive, self._targets = (state[name].numpy().copy() for name in ("catalysts", "alive", "targets"))
        self._evidence = Evidence(self.bank, state["evidence"]) if "evidence" in state else None
        self._boundary.aim(self._targets, ~self._alive, self._preserved)

    # evidence

    @property
    def _watched(self) -> int:
        """Steps that only gather evidence."""
        total = self.settings.total_steps
        return 0 if total is None or self._is_fixed else int(self.settings.evidence_share * total)

    def _weigh(self, evidence: Evidence) -> None:
        """D_i <- n_i exp(u_i) for what is not decided; a group without any gradient is left as it is."""
        self.bank.agree()
        n, u = self._magnitudes(), evidence.log_ratios()
        told = self._alive & (self._d > 0) & ~np.isnan(u)
        self._d = np.where(told, n * np.exp(u), self._d)
        self._evidence = None
        if self.settings.allocation == "global":
            self._aim_again(self._ratios(n))

    # the step

    def step(self, lr: float) -> None:
        """See `Regularizer.step`. The gradients of the backward pass have to be there still while evidence is gathered."""
        start = time.perf_counter()
        self._size_of(float(lr))  # raises before anything is changed
        if self._evidence is not None:
            if self.steps < self._watched:
                self._evidence.gather()
            else:
                self._weigh(self._evidence)
        self.seconds += time.perf_counter() - start
        super().step(lr)

    def _penalty(self) -> Tensor:
        norms = self.bank.norms()
        return (norms * torch.from_numpy(self._d).to(norms)).sum()

    def _step(self, size: float) -> None:
        if self._evidence is not None:
            return
        n, left = self._magnitudes(), self._steps_left()
        ratio = self._ratios(n)
        if not self._is_fixed:
            if self.settings.allocation == "global" and left is None:
                self._aim_again(ratio)
            factors = np.asarray(self._boundary.factors(ratio, left is not None)).take(self.bank.group_of)
            ratio *= factors
            np.multiply(self._d, factors, out=self._d, where=self._alive)
        step = size if self.settings.every == 1 else min(size, LARGEST_SUM)
        if left is not None:
            step = max(step, step_in_time(ratio, left))
        self._shrink(n, ratio, step)
        if left == 1:
            self.settle()

    def _size_of(self, lr: float) -> float:
        """Also while evidence is gathered it refuses what the ramp would begin with."""
        size, first = super()._size_of(lr), lr * self._ramped
        if first >= 1:
            largest = 1 / (lr * (RAMP[1] if self._has_ramp and self.settings.total_steps else 1.0))
            raise StrengthError(
                f"learning rate {lr:g} x strength {self._ramped:g} is {first:g}: at 1 or more a step carries n - D "
                f"across zero by itself; at this learning rate the strength must be below {largest:g} (it is {self.strength:g})"
            )
        return size

    def _ratios(self, n: Vector) -> Vector:
        """(C,) D / n: the largest ratio for the pruned, 0 for the preserved."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            ratio = self._d / n
        return np.fmin(np.fmax(ratio, 0), LARGEST_RATIO)  # fmax: 0 / 0, a preserved filter that something else has zeroed

    def _shrink(self, n: Vector, ratio: Vector, step: float) -> None:
        """Both halves of the proximal step from the old values; the subgradient solver moves D only."""
        moves = self.settings.solver == "proximal" and step > 0
        k = np.maximum(1 - step * ratio, 0) if moves else self._alive.astype(float)
        self._d -= step * n
        np.maximum(self._d, 0, out=self._d)
        self._alive = k > 0
        if self._is_fixed:
            self._keep_one(n, ratio, k)
        self.bank.scale_(k)

    def settle(self) -> None:
        """Decide every channel now by its rank against the budget: afterwards D_i n_i = 0 exactly, for every channel."""
        if self._evidence is not None:
            self._weigh(self._evidence)
        n = self._magnitudes()
        kept = self._staying(n)
        self._alive &= kept
        self._d[kept & (n > 0)] = 0.0
        self.bank.scale_(self._alive.astype(float))

    def _steps_left(self) -> int | None:
        """How many steps settling has, this one included; None before it begins."""
        total = self.settings.total_steps
        if total is None:
            return None
        left = max(total - self.steps, 0)
        return None if left > SETTLE_SHARE * total else 1 + math.ceil(left / self.settings.every)

    @property
    def _is_fixed(self) -> bool:
        return self.settings.start_ratio is not None

    @property
    def _has_ramp(self) -> bool:
        return self.settings.schedule == "ramp" and not self._is_fixed

    @property
    def _preserved(self) -> NDArray[np.bool_]:
        return self._alive & (self._d == 0)

    def _aim(self, n: Vector) -> None:
        """Where a new budget puts each group's boundary; preserved channels compete again where it needs them."""
        if self._is_fixed:
            return
        self._targets = self._allocated(n)
        again = self._boundary.aim(self._targets, ~self._alive, self._preserved)
        self._d = np.where(again, n, self._d)

    def _allocated(self, magnitudes: Vector) -> Counts:
        if self.settings.allocation == "uniform":
            return self._shares
        return self._ranked(self._ratios(magnitudes), self._boundary.count(~self._alive), None)

    def _aim_again(self, ratio: Vector) -> None:
        """Global allocation by what is known now. Decided channels stay decided; the total stays the budget's.

        Where most channels of a group are decided, its median and spread say how far the bifurcation has come and no longer
        what the task wants: the number that goes is left as it is there, or the decided would draw more after them.
        """
        pruned, preserved = self._boundary.count(~self._alive), self._boundary.count(self._preserved)
        sizes = self.allocator.sizes
        held = 2 * (pruned + preserved) > sizes
        if not held.all():
            low, high = np.where(held, self._boundary.position, [pruned, np.minimum(sizes - preserved, self.allocator.caps)])
            self._targets = self._ranked(ratio, low, np.maximum(low, high))
            self._boundary.aim(self._targets, ~self._alive, self._preserved)

    def _ranked(self, ratio: Vector, low: Counts, high: Counts | None) -> Counts:
        """(C,) D / n -> (G,) targets.

        Compared is w, not u: they rank alike, and a step without a task multiplies the w of every undecided channel of every
        group by (1 + t) / (1 - t), which division by the spread takes out. With u, whose tails run away, the group that
        is furthest in its bifurcation would win.
        """
        budget = self.settings.budget
        assert budget is not None
        w = 1 - 2 / (ratio + 1)
        return self.allocator.ranked(budget, self.allocator.standardised(w, self._shares), low, high)

    def _keep_one(self, n: Vector, ratio: Vector, k: Vector) -> None:
        """A fixed ratio c > 1 may prune a whole group: then the channel with the smallest u stays."""
        survivors = np.bincount(self.bank.group_of, self._alive, len(self.groups))
        for group in np.flatnonzero(survivors == 0):
            members = np.flatnonzero((self.bank.group_of == group) & (n > 0))
            if len(members):
                chosen = members[np.argmin(ratio[members])]
                k[chosen], self._alive[chosen], self._d[chosen] = 1.0, True, 0.0

    # what it says

    def _magnitudes(self) -> Vector:
        """(C,) n_i, with the pruned at exactly 0 whatever the optimizer's momentum has added to them."""
        return self.bank.magnitudes() * self._alive

    def _kept(self, magnitudes: Vector) -> NDArray[np.bool_]:
        """The smallest u stay; of equal ones, as all are before the first step, the larger magnitude."""
        margins = self._margins(magnitudes, self._alive, [])  # -u
        kept = np.ones(len(magnitudes), dtype=bool)
        start = 0
        for index, (margin, n) in enumerate(zip(self.bank.split(margins), self.bank.split(magnitudes), strict=True)):
            pruned = int((margin < 0).sum()) if self._is_fixed else int(self._boundary.position[index])
            order = np.lexsort((-n, -margin))  # the one that stays first comes first
            kept[start + order[max(len(n) - pruned, 1) :]] = False
            start += len(n)
        return kept

    def _margins(self, magnitudes: Vector, kept: NDArray[np.bool_], thresholds: list[float | None]) -> Vector:
        return audits.margins(magnitudes, self._d, kept)

    def _thresholds(self, magnitudes: Vector, kept: NDArray[np.bool_]) -> list[float | None]:
        return [None] * len(self.groups)
