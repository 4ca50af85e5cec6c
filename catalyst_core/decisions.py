"""Which channels stay: plain data, and the budget arithmetic behind it (numpy only; torch comes with the tensors)."""

# C = channels of a group

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from catalyst_core.groups import FilterGroup


@dataclass(frozen=True)
class Decisions:
    """The outcome of sparse training, ready for the surgery."""

    kept: "dict[str, Tensor]"  # group name -> (C,) bool
    undecided: int = 0  # channels with D_i n_i > 0 when this was asked (catalyst); the others decide by a cut: 0

    @classmethod
    def of(cls, groups: "Sequence[FilterGroup]", kept: NDArray[np.bool_], undecided: int = 0) -> "Decisions":
        """From (C,) bool of all channels of the groups, one group after the other."""
        from torch import from_numpy

        masks = from_numpy(kept).split([group.size for group in groups])
        return cls({group.name: mask for group, mask in zip(groups, masks, strict=True)}, undecided)

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


def spare(kept: NDArray[np.bool_], shares: Iterable[NDArray[np.int64]], scores: NDArray) -> NDArray[np.bool_]:
    """(C,) bool with one channel more for every layer that would be left with none: that of the largest score (C,).

    `shares`: the channels of each layer that has some of a group's and not all, as when a concatenation makes them. Of equal
    scores the earlier channel stays.
    """
    spared = kept.copy()
    for members in shares:
        if not spared[members].any():
            spared[members[np.argmax(scores[members])]] = True
    return spared


def spare_layers(kept: NDArray[np.bool_], scores: NDArray, groups: "Sequence[FilterGroup]") -> NDArray[np.bool_]:
    """`spare` for all groups at once: (C,) of all their channels."""
    ends = np.cumsum([group.size for group in groups])[:-1]
    split = zip(np.split(kept, ends), groups, np.split(scores, ends), strict=True)
    return np.concatenate([spare(mask, group.shares, mine) for mask, group, mine in split])


def keep_largest(scores: NDArray[np.floating], pruned: int) -> NDArray[np.bool_]:
    """(C,) scores -> (C,) bool without the `pruned` smallest; of equal scores the earlier channel stays."""
    kept = np.ones(len(scores), dtype=bool)
    kept[np.argsort(-scores, kind="stable")[len(scores) - pruned :]] = False
    return kept
