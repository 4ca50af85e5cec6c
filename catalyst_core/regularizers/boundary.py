"""The boundary of budgeted Catalyst: one factor on D in each group that puts exactly the budget's number above D = n.

And the step that takes every channel away from it in time.
"""

# C = channels of all groups, G = groups, W = channels of the widest group

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from catalyst_core.regularizers.bank import Vector

Mask = NDArray[np.bool_]
PRUNED = 1e200  # ratios from here on mean n = 0
ALMOST_ONE = 0.999  # t while settling
CLEARANCE = 0.9  # ratio that the nearest channel is left at when no undecided one may stay on its side of the boundary


class Boundary:
    """Knows, for each group, after how many channels in falling order of D / n the boundary comes: `position` (G,)."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = np.asarray(sizes)
        total, width = int(self._sizes.sum()), int(self._sizes.max())
        # Rows of ratios, padded so that sorting needs no mask: zeros come out in front of every group, +inf behind it.
        columns = np.arange(width + 2)
        starts = np.cumsum(self._sizes) - self._sizes
        index = np.where(columns < self._sizes[:, None], starts[:, None] + columns, total)
        index[:, -1] = total + 1
        self._index = index  # (G, W + 2) into (ratios, 0, +inf)
        self._padded = np.append(np.zeros(total + 1), np.inf)  # (C + 2,)
        self._group_of = np.repeat(np.arange(len(self._sizes)), self._sizes)  # (C,)
        self.position = np.zeros(len(self._sizes), dtype=np.int64)
        self._place(self.position)

    def aim(self, targets: Sequence[int], pruned: Mask, preserved: Mask) -> Mask:
        """Prune `targets[g]` channels of group g from now on, given what is decided already: (C,) masks.

        Returns the (C,) preserved channels that have to compete again because the undecided ones do not suffice. Where
        more channels are pruned already than the target asks for, the boundary comes right behind them.
        """
        gone, safe = self.count(pruned), self.count(preserved)
        again = np.asarray(targets) > self._sizes - safe  # (G,)
        safe = np.where(again, 0, safe)
        self._place(np.clip(targets, gone, self._sizes - safe))
        return preserved & again[self._group_of]

    def factors(self, ratios: Vector, only_if_crossed: bool) -> list[float]:
        """(C,) ratios r = D / n, PRUNED or more for the pruned and 0 for the preserved -> (G,) factors for D.

        The midpoint in u between the two neighbours of the boundary comes to r = 1. Where all the rest has to stay, or to
        go, the boundary moves only as far as it must. `only_if_crossed`: not at all while it separates the right number.
        """
        self._padded[:-2] = ratios
        ranked = self._padded.take(self._index)
        ranked.sort(axis=1)
        pairs = ranked.take(self._neighbours).tolist()  # (G, 2)
        return [_factor(above, below, only_if_crossed) for above, below in pairs]

    def _place(self, position: NDArray[np.int64]) -> None:
        self.position = position
        width = self._index.shape[1]
        ends = np.arange(1, len(position) + 1) * width  # (G,) flat indices behind each row
        above = ends - 1 - position
        self._neighbours = np.stack([above, above - 1], axis=1)  # (G, 2)

    def count(self, mask: Mask) -> NDArray[np.int64]:
        """(C,) -> (G,) how many of each group."""
        return np.bincount(self._group_of, mask, len(self._sizes)).astype(np.int64)


def _factor(above: float, below: float, only_if_crossed: bool) -> float:
    """What moves one group's boundary between the ratios of the last channel above it and the first one below."""
    decided_above, decided_below = above >= PRUNED, below <= 0
    if (only_if_crossed or decided_above or decided_below) and above > 1 > below:
        return 1.0
    if decided_above:  # so below >= 1: every undecided channel has to stay
        return CLEARANCE / below
    if decided_below:  # so above <= 1: every undecided channel has to go
        return 1 / (CLEARANCE * above)
    return 1 / (math.sqrt(above) * math.sqrt(below))


def step_in_time(ratio: Vector, left: int) -> float:
    """The t with which every undecided channel is decided within `left` steps.

    One step of size t multiplies |n - D| / (n + D) by (1 + t) / (1 - t), so artanh(t) * left >= artanh(min / max of n, D).
    """
    with np.errstate(divide="ignore", over="ignore"):  # 1 / 0 is the infinite ratio of a pruned channel
        smaller = float(np.minimum(ratio, 1 / ratio).max())
    return min(math.tanh(math.atanh(min(smaller, ALMOST_ONE)) / left), ALMOST_ONE)
