"""What the gradients of the first steps say about every filter, before anything is regularized.

s_i = log rms <F_i, dL/dF_i>    z_i = (s_i - med s) / (1.4826 MAD s), within -3..3 and each group    u_i = -kappa z_i
"""

# C = channels of all groups

import numpy as np
import torch
from torch import Tensor

from catalyst_core.allocation import NO_SPREAD
from catalyst_core.regularizers.bank import FilterBank, Vector

GAIN = 2.0  # kappa: log-ratio that one robust standard deviation is worth
MOST = 3.0  # robust standard deviations that count
NORMAL = 1.4826  # standard deviations of a normal distribution in one median absolute deviation


class Evidence:
    """Sums of squares of `FilterBank.relative_gradients`, one step at a time."""

    def __init__(self, bank: FilterBank, squares: Tensor | None = None) -> None:
        self._bank = bank
        self._squares = np.zeros(bank.total) if squares is None else squares.numpy().copy()  # (C,)

    def gather(self) -> None:
        """One step's gradients, all or none: a loss that was scaled too high leaves infinite ones, and no step is taken then."""
        found = self._bank.relative_gradients()
        if np.isfinite(found).all():
            self._squares += np.square(found)

    def log_ratios(self) -> Vector:
        """(C,) u_i, positive for what hardly moves the loss; NaN in a group without any gradient."""
        with np.errstate(divide="ignore"):
            scores = np.log(self._squares) / 2
        return np.concatenate([-GAIN * _standardised(one) for one in self._bank.split(scores)])

    def state(self) -> Tensor:
        """(C,) a copy of the sums, for another one to begin with."""
        return torch.from_numpy(self._squares.copy())


def _standardised(scores: Vector) -> Vector:
    """(C,) s of one group -> (C,) z; -3 for a channel without gradient, s = -inf, and NaN where all of them are."""
    told = np.isfinite(scores)
    if not told.any():
        return np.full_like(scores, np.nan)
    apart = scores - np.median(scores[told])
    spread = NORMAL * np.median(np.abs(apart[told]))
    if spread <= NO_SPREAD:
        apart[told], spread = 0.0, 1.0
    return np.clip(apart / spread, -MOST, MOST)
