"""From a budget to a number of channels to prune in each group (numpy only).

    uniform   k_g = round(ratio * C_g): one ratio for all groups; for a budget of MACs the ratio that comes closest to it
    global    z_i = (s_i - median_g s) / MAD_g s; the largest z go, whatever their group, until the budget is met

s_i is a score, larger goes first; each group's own median and median absolute deviation are taken out of it, because
scores of different layers do not compare: a plain quantile over all of them starves the early layers (docs/mathematics.md).
What is left to tell groups apart is the shape of their scores. At half of the channels there is nothing left: half of every
group lies above its median, so `global` is `uniform` there.
"""

# C = channels of all groups, G = groups, L = layers, B = candidate ratios
# s = scores, z = standardised scores

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalyst_core.errors import BudgetError
from catalyst_core.macs import MacsModel

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]  # (G,)
NO_SPREAD = 1e-12  # scores are logarithms or shares: differences of this size are rounding


@dataclass(frozen=True)
class Budget:
    """What has to go: a share of the channels, or of the network's MACs."""

    unit: Literal["channels", "macs"]
    ratio: float  # 0..1, both excluded

    def __str__(self) -> str:
        return f"{'pruning_ratio' if self.unit == 'channels' else 'macs_ratio'} {self.ratio:g}"


class WidthMacs:
    """A `MacsModel` asked by how many channels of each group go, for many answers at once.

    Exact where all channels of a group own equally many rows and columns of a layer; a mean over the choices otherwise.
    """

    def __init__(self, model: MacsModel, sizes: Sequence[int]) -> None:
        owner = np.append(np.repeat(np.arange(len(sizes)), sizes), len(sizes))  # (C + 1,): -1, what always stays, comes last
        reach = max((int(slots.max(initial=-1)) for one in model.layers for slots in (one.rows, one.columns)), default=-1)
        if reach >= len(owner) - 1:
            raise BudgetError("a budget in MACs needs all groups that find_groups returned, in its order")
        self._units = np.array([one.unit for one in model.layers], dtype=float)  # (L,)
        self._rows, self._row_shares = _shares([owner[one.rows] for one in model.layers], sizes)
        self._columns, self._column_shares = _shares([owner[one.columns] for one in model.layers], sizes)
        self.dense = float((self._units * self._rows * self._columns).sum())

    def removed(self, pruned: ArrayLike) -> Vector:
        """(..., G) channels that go -> (...) MACs that go."""
        gone = np.asarray(pruned, dtype=float)
        rows, columns = self._rows - gone @ self._row_shares, self._columns - gone @ self._column_shares
        return self.dense - (self._units * rows * columns).sum(-1)


class Allocator:
    """Spreads a budget over groups of `sizes` (G,) channels; `keep_at_least` of every group stays, and 1 channel always."""

    def __init__(self, sizes: Sequence[int], macs: MacsModel | None = None, keep_at_least: float = 0.0) -> None:
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.group_of = np.repeat(np.arange(len(sizes)), sizes)  # (C,)
        # The tiny amount keeps 0.1 * 30 = 3.0000000000000004 from asking for 4.
        self.caps = self.sizes - np.maximum(np.ceil(keep_at_least * self.sizes - 1e-9), 1).astype(np.int64)  # most that may go
        self._starts = np.cumsum(self.sizes) - self.sizes
        self._keep_at_least = keep_at_least
        self._macs = None if macs is None else WidthMacs(macs, sizes)

    def uniform(self, budget: Budget) -> Counts:
        """(G,) channels to prune at one ratio for all groups. Raises `BudgetError` where the budget cannot be met."""
        self._refuse_unreachable(budget)
        if budget.unit == "channels":
            return self._counts(budget.ratio)
        removed, ratios, wanted = self._width_macs.removed, self._ratios(), budget.ratio * self._width_macs.dense
        after = bisect.bisect_left(ratios, wanted, key=lambda ratio: float(removed(self._counts(ratio))))
        around = [self._counts(ratios[place]) for place in (after - 1, after) if 0 <= place < len(ratios)]
        return min(around, key=lambda counts: abs(float(removed(counts)) - wanted))

    def ranked(self, budget: Budget, z: Vector, low: Counts | None = None, high: Counts | None = None) -> Counts:
        """(G,) channels to prune when the largest z (C,) go first, whatever their group, until the budget is met.

        Between `low` (default: none) and `high` (default: the caps) of each group go. The budget in channels is as many as
        `uniform` takes. Equal z go by their rank in their group, then from the larger group, whatever the order of groups.
        """
        low = np.zeros_like(self.sizes) if low is None else np.asarray(low)
        high = np.maximum(self.caps if high is None else np.asarray(high), low)
        ranks = self._ranks(z)
        size = self.sizes[self.group_of]  # (C,)
        order = np.lexsort((self.group_of, -size, (ranks + 0.5) / size, -z))
        groups, places = self.group_of[order], ranks[order]
        free = groups[(places >= low[groups]) & (places < high[groups])]

        def taken(count: int) -> Counts:
            return low + np.bincount(free[:count], minlength=len(low))

        if budget.unit == "channels":
            return taken(max(int(self._counts(budget.ratio).sum() - low.sum()), 0))
        wanted = budget.ratio * self._width_macs.dense
        return taken(_first(len(free), lambda count: float(self._width_macs.removed(taken(count))) >= wanted))

    def standardised(self, scores: Vector, shares: Counts) -> Vector:
        """(C,) z of scores (C,), larger goes first; +inf (gone already) and -inf stay what they are.

        In a group whose finite scores have no spread the first `shares` (G,) channels have +inf and the others -inf: nothing
        speaks for another than the uniform share.
        """
        z = np.array(scores, dtype=float)
        for start, size, share in zip(self._starts, self.sizes, shares, strict=True):
            one = z[start : start + size]
            finite = np.sort(one[np.isfinite(one)])
            centre = _median(finite)
            spread = _median(np.sort(np.abs(finite - centre)))
            if spread > NO_SPREAD:
                one -= centre
                one /= spread
            else:
                first = np.argsort(-one, kind="stable")[:share]
                one[:] = -np.inf
                one[first] = np.inf
        return z

    @property
    def _width_macs(self) -> WidthMacs:
        assert self._macs is not None, "a budget in MACs was let in without a model of them"
        return self._macs

    def _refuse_unreachable(self, budget: Budget) -> None:
        if budget.unit == "macs" and self._macs is None:
            raise BudgetError("a budget in MACs needs the groups as find_groups returned them, which know the network's MACs")
        if self._fits(budget):
            return
        if budget.unit == "macs":
            most = float(self._width_macs.removed(self.caps)) / self._width_macs.dense
        else:
            ratios = self._ratios()
            most = ratios[_first(len(ratios), lambda place: not self._fits(Budget("channels", ratios[place]))) - 1]
        kept = f"{self._keep_at_least:g} of every group, and " if self._keep_at_least else ""
        shown = math.floor(1000 * most) / 1000
        raise BudgetError(f"{budget} cannot be reached: at least {kept}1 channel a group stays, so at most {shown:g} can go")

    def _fits(self, budget: Budget) -> bool:
        """Whether the largest cut that the caps allow reaches it."""
        if budget.unit == "macs":
            return bool(self._width_macs.removed(self.caps) >= budget.ratio * self._width_macs.dense)
        return bool(self._counts(budget.ratio).sum() <= self.caps.sum())

    def _counts(self, ratio: float) -> Counts:
        """(G,) `decisions.budget` for every group."""
        return np.minimum(np.rint(ratio * self.sizes).astype(np.int64), self.sizes - 1)

    def _ratios(self) -> list[float]:
        """One ratio for every different outcome of `_counts`, rising: the points where it jumps, and one between each two."""
        jumps = [(np.arange(size - 1) + 0.5) / size for size in np.unique(self.sizes)]
        edges = np.unique(np.concatenate([[0.0, 1.0], *jumps]))
        return np.unique(np.concatenate([edges, (edges[:-1] + edges[1:]) / 2])).tolist()

    def _ranks(self, z: Vector) -> Counts:
        """(C,) place of each channel within its group, the largest z first; of equal ones the earlier channel."""
        order = np.lexsort((-z, self.group_of))
        ranks = np.empty(len(z), dtype=np.int64)
        ranks[order] = np.arange(len(z)) - self._starts[self.group_of]
        return ranks


def _shares(owners: list[NDArray[np.int64]], sizes: Sequence[int]) -> tuple[Vector, Vector]:
    """Owning groups of the slots of each layer -> (L,) slots, (G, L) how many of them go with one channel of a group."""
    counts = np.array([np.bincount(owner, minlength=len(sizes) + 1) for owner in owners]).reshape(-1, len(sizes) + 1)
    return counts.sum(1).astype(float), (counts[:, :-1] / np.asarray(sizes)).T


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The smallest of 0..count for which a condition that stays true holds; `count` if none."""
    return bisect.bisect_left(range(count), True, key=holds)


def _median(ordered: Vector) -> float:
    """Of sorted values; 0 for none."""
    if not len(ordered):
        return 0.0
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
