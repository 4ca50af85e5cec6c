"""Which channels stay: plain data, and the budget arithmetic behind it (numpy only; torch comes with the tensors)."""

# C = channels of a group

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Decisions:
    """The outcome of sparse training, ready for the surgery."""

    kept: "dict[str, Tensor]"  # group name -> (C,) bool
    undecided: int = 0  # channels with D_i n_i > 0 when this was asked (catalyst); the others decide by a cut: 0

    @property
    def total(self) -> int:
        """Channels in all groups."""
        return sum(len(mask) for mask in self.kept.values())

    @property
    def pruned(self) -> int:
        """Channels that go."""
        return self.total - sum(int(mask.sum()) for mask in self.kept.values())

    @property
    def widths(self) -> dict[str, tuple[int, int]]:
        """Group name -> (channels before, after)."""
        return {name: (len(mask), int(mask.sum())) for name, mask in self.kept.items()}


def budget(size: int, pruning_ratio: float) -> int:
    """How many of `size` channels go: round(ratio * size), halves to even, and at least one stays."""
    return min(round(pruning_ratio * size), size - 1)


def keep_largest(scores: NDArray[np.floating], pruned: int) -> NDArray[np.bool_]:
    """(C,) scores -> (C,) bool without the `pruned` smallest; of equal scores the earlier channel stays."""
    kept = np.ones(len(scores), dtype=bool)
    kept[np.argsort(-scores, kind="stable")[len(scores) - pruned :]] = False
    return kept
