"""L1 and Group Lasso: every entry, or every filter's norm, shrinks by the same amount; the smallest go first.

    l1            R = sum_i ||F_i||_1     prox: entry <- sign(entry) max(|entry| - t, 0)
    group_lasso   R = sum_i ||F_i||_2     prox: n_i <- max(n_i - t, 0)

Their only minimiser is the dead network, F = 0.
"""

import numpy as np
from torch import Tensor

from catalyst_core.regularizers.base import Regularizer


class L1(Regularizer):
    """With "folded" magnitudes the entries are still those of the BatchNorm pair: a folded weight is no parameter."""

    name = "l1"

    def _penalty(self) -> Tensor:
        return self.bank.absolute_sum()

    def _step(self, size: float) -> None:
        if self.settings.solver == "proximal":
            self.bank.soft_threshold_(size)


class GroupLasso(Regularizer):
    """The norms are not weighted by the number of entries."""

    name = "group_lasso"

    def _penalty(self) -> Tensor:
        return self.bank.norms().sum()

    def _step(self, size: float) -> None:
        if self.settings.solver == "proximal" and size > 0:
            with np.errstate(divide="ignore"):  # n = 0 gives -inf, and so the factor 0
                self.bank.scale_(np.maximum(1 - size / self.bank.magnitudes(), 0))
