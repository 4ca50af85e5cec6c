"""Another budget than the one that a run decided by: which channels would go, by the order that the run put them in.

    place    of a channel in its group: 0 goes first; the larger its standing, the later it goes
    share    p_g(r) = p_g r / R up to the run's own share R of all channels, 1 - (1 - p_g) (1 - r) / (1 - R) above it

p_g is the share that went in group g, so the run's own cut comes back at r = R, whatever its allocation was. Numpy only.
"""

# C = channels of all groups, concatenated; G = groups

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

BELOW, ABOVE, MOST = 3, 8, 0.97  # budgets that are looked at beside the run's own, and the largest of them

Ints = NDArray[np.int64]


def places(groups: ArrayLike, standings: Sequence[ArrayLike]) -> Ints:
    """(C,) place of every channel in its group; `groups` (C,) are rising ids from 0.

    `standings`, each (C,): the first decides, the next one among equals; then the later channel goes first.
    """
    ids = np.asarray(groups)
    order = np.lexsort((-np.arange(len(ids)), *(np.asarray(one) for one in reversed(standings)), ids))
    place = np.empty(len(ids), dtype=np.int64)
    place[order] = np.arange(len(ids)) - np.searchsorted(ids, ids)
    return place


def counts(sizes: ArrayLike, own: ArrayLike, ratio: float) -> Ints:
    """(G,) channels that go at `ratio` (0..1) of all, where the run itself pruned `own` (G,) of `sizes` (G,); 1 stays."""
    size, gone = np.asarray(sizes, dtype=np.int64), np.asarray(own, dtype=np.int64)
    share, whole = gone / size, gone.sum() / size.sum()
    if not 0 < whole < 1:
        share = np.full(len(size), ratio)
    elif ratio <= whole:
        share = share * ratio / whole
    else:
        share = 1 - (1 - share) * (1 - ratio) / (1 - whole)
    return np.minimum(np.rint(share * size).astype(np.int64), size - 1)


def around(own: float) -> list[float]:
    """Rising ratios: the run's `own` (0..1), some below it and more above it, where accuracy is lost."""
    below = [own * step / (BELOW + 1) for step in range(1, BELOW + 1)]
    above = [own + (MOST - own) * step / ABOVE for step in range(1, ABOVE + 1)] if own < MOST else []
    return [*below, own, *above]
