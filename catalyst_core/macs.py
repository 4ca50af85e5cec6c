"""Multiply-accumulates as a function of what is kept: MACs = sum over layers of unit * kept rows * kept columns.

`find_groups` counts the units on one forward pass; numpy only, so that a budget can ask thousands of times.
"""

# C = channels of all groups concatenated, R = rows (outputs) of a layer, K = columns (inputs it has a weight for)

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class LayerMacs:
    """One convolution or linear layer; `rows` and `columns` hold the channel that owns each, or -1: it always stays."""

    name: str
    unit: int  # multiply-accumulates an example of one row and one column: kernel size * output positions
    rows: NDArray[np.int64]  # (R,) into the C channels
    columns: NDArray[np.int64]  # (K,)


class MacsModel:
    """The multiply-accumulates of a network, for one example."""

    def __init__(self, layers: Iterable[LayerMacs]) -> None:
        self.layers = tuple(layers)

    def count(self, kept: ArrayLike) -> int:
        """MACs of one example when the channels in `kept` (C,) bool stay."""
        stays = np.append(np.asarray(kept, dtype=bool), True)  # -1 is the last one
        return sum(one.unit * int(stays[one.rows].sum()) * int(stays[one.columns].sum()) for one in self.layers)
