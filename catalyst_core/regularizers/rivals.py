"""Five rivals from the literature behind the same contract; each class names its source and what differs from it here.

    slimming             R = sum |gamma_i|                    gamma <- sign(gamma) max(|gamma| - t, 0)
    sparse_group_lasso   R = sum a ||F_i||_1 + (1 - a) n_i    soft threshold by a t, then n_i <- max(n_i - (1 - a) t, 0)
    group_hoyer_square   R = (sum n_i)^2 / sum n_i^2          n_i <- n_i - t dR/dn_i, held in 0..2 n_i
    polarization         R = kappa sum n_i - sum |n_i - m|    the same; m = mean of n
    growing_reg          R = 1/2 sum lambda_i n_i^2           n_i <- n_i / (1 + t lambda_i)

All sums run within a group and are added over the groups. As for L1 and Group Lasso, the budget's share of the smallest
magnitudes goes at the end, whatever the source did. The first, second and last steps are proximal and exact.
"""

# C = channels of all groups, G = groups
# n = magnitudes, t = step size

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalyst_core.errors import NetworkError
from catalyst_core.groups import FilterGroup, FilterGroups
from catalyst_core.regularizers.bank import Vector
from catalyst_core.regularizers.base import Regularizer
from catalyst_core.regularizers.lasso import L1, GroupLasso
from catalyst_core.regularizers.settings import Settings

MIX = 0.5  # a of the sparse Group Lasso: neither of its two terms is preferred
KAPPA = 1.2  # polarization: its class says why
SILENT = 1e-290  # group_hoyer_square: below it all of a group counts as zero, as 1 / n would overflow
MOST_GROWTH = 2.0  # of n in one linearised step: further away the slope says nothing, as where a group's n are all tiny
INTERVAL = 10  # growing_reg: optimizer steps between two growths, as in the source's experiments
GROWTH = 1.0  # growing_reg: what lambda_i gains by one growth; `strength` is its unit
CEILING = 100.0  # growing_reg: no lambda_i grows beyond it, so that t lambda_i stays bounded in long training


class Slimming(L1):
    """L1 on the scales gamma of BatchNorm, R = sum_i |gamma_i|, by the same soft threshold.

    Source: Z. Liu, J. Li, Z. Shen, G. Huang, S. Yan, C. Zhang, "Learning Efficient Convolutional Networks through Network
    Slimming", 2017. There: a subgradient step instead of the proximal one, one threshold for the whole network, weight
    decay on gamma and beta too. Here the magnitude of a channel is the norm of all its gammas, whatever `magnitude` says.

    Not lossless where beta_i != 0: a channel with gamma_i = 0 still hands on its activation's value at beta_i.
    Raises `NetworkError` for a group in which a channel has no BatchNorm scale.
    """

    name = "slimming"

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings) -> None:
        alone = [_scales_alone(group) for group in groups]
        super().__init__(FilterGroups(alone, macs=getattr(groups, "macs", None)), settings)


class SparseGroupLasso(GroupLasso):
    """R = sum_i a ||F_i||_1 + (1 - a) ||F_i||_2: entries within a filter and whole filters vanish; the proximal step is exact.

    Sources: N. Simon, J. Friedman, T. Hastie, R. Tibshirani, "A Sparse-Group Lasso", 2013; S. Scardapane, D. Comminiello,
    A. Hussain, A. Uncini, "Group Sparse Regularization for Deep Neural Networks", 2017. There: norms weighted by the
    square root of the number of entries. With "folded" magnitudes the entries are those of the BatchNorm pair, as for L1.
    """

    name = "sparse_group_lasso"

    def _penalty(self) -> Tensor:
        return MIX * self.bank.absolute_sum() + (1 - MIX) * super()._penalty()

    def _step(self, size: float) -> None:
        if self.settings.solver == "proximal":
            self.bank.soft_threshold_(MIX * size)
        super()._step((1 - MIX) * size)


class Linearised(Regularizer):
    """A penalty in n without a closed proximal step: n_i <- n_i - t dR/dn_i with the slope at the old n, held in 0..2 n_i.

    So a channel at zero stays there, and zeros are exact.
    """

    def _penalty(self) -> Tensor:
        return torch.stack([self._of_group(norms) for norms in self.bank.norms().split(self.bank.sizes)]).sum()

    def _step(self, size: float) -> None:
        if self.settings.solver == "proximal":
            n = self.bank.magnitudes()
            slopes = np.concatenate([self._slopes(part) for part in self.bank.split(n)])
            _move(self, n, np.clip(n - size * slopes, 0, MOST_GROWTH * n))

    @abstractmethod
    def _of_group(self, norms: Tensor) -> Tensor:
        """(C,) n of one group -> () its R, differentiable."""

    @abstractmethod
    def _slopes(self, n: Vector) -> Vector:
        """(C,) n of one group -> (C,) dR/dn_i, finite."""


class GroupHoyerSquare(Linearised):
    """R = (sum n_i)^2 / sum n_i^2 in each group, between 1 (one channel is left) and C (all equal); 0 when all are zero.

    Source: H. Yang, W. Wen, H. Li, "DeepHoyer: Learning Sparser Neural Network with Differentiable Scale-Invariant Sparsity
    Measures", 2020 (Group-HS). There: gradient descent on the penalty, and a fixed threshold on the weights afterwards.

        dR/dn_i = 2 S / Q (1 - S n_i / Q), S = sum n_i, Q = sum n_i^2

    Scale invariant: channels below Q / S shrink, channels above it grow. Equal ones do not move.
    """

    name = "group_hoyer_square"

    def _of_group(self, norms: Tensor) -> Tensor:
        shares = norms / _or_one(norms.detach().max())  # R is the same, and nothing underflows
        return shares.sum() ** 2 / _or_one(shares.square().sum())

    def _slopes(self, n: Vector) -> Vector:
        largest = n.max()
        if largest < SILENT:
            return np.zeros_like(n)
        shares = n / largest
        ratio = shares.sum() / np.square(shares).sum()
        return 2 * ratio * (1 - ratio * shares) / largest


class Polarization(Linearised):
    """R = kappa sum n_i - sum |n_i - mean n| in each group: channels below the mean shrink fast, those above it hardly.

    Source: T. Zhuang, Z. Zhang, Y. Huang, X. Zeng, K. Shuang, X. Li, "Neuron-level Structured Pruning using Polarization
    Regularizer", 2020. There: gamma of BatchNorm instead of n, one mean over the whole network, gamma held in [0, a],
    and a threshold where the histogram of gamma has its valley. Here only the task bounds n from above.

        dR/dn_i = kappa - sign(n_i - m) + mean of the signs

    With half of the channels on either side the slopes are kappa + 1 and kappa - 1, so kappa = 1.2 moves the upper half
    an eleventh as fast as the lower one; below 1 the upper half would grow from the start, with no a to stop it.
    """

    name = "polarization"

    def _of_group(self, norms: Tensor) -> Tensor:
        return KAPPA * norms.sum() - (norms - norms.mean()).abs().sum()

    def _slopes(self, n: Vector) -> Vector:
        sides = np.sign(n - n.mean())
        return KAPPA - (sides - sides.mean())


class GrowingReg(Regularizer):
    """R = 1/2 sum_i lambda_i n_i^2: every 10 steps lambda_i grows by 1 (up to 100) for the channels below the budget's quantile.

    Source: H. Wang, C. Qin, Y. Zhang, Y. Fu, "Neural Pruning via Growing Regularization", 2021 (GReg-1). There: the
    channels are chosen once, by the L1 norm of their weights, before training, and the others keep the usual weight decay.
    Here they are chosen anew at each growth, and lambda_i never falls. The step n_i <- n_i / (1 + t lambda_i) is exact,
    and never reaches zero: the cut at the end is not lossless.
    """

    name = "growing_reg"

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings) -> None:
        super().__init__(groups, settings)
        self._lambdas = np.zeros(self.bank.total)  # (C,)
        self._grown = 0  # intervals that have been accounted for

    def _penalty(self) -> Tensor:
        norms = self.bank.norms()
        return (torch.from_numpy(self._lambdas).to(norms) * norms.square()).sum() / 2

    def _step(self, size: float) -> None:
        n = self.bank.magnitudes()
        passed = self.steps // INTERVAL
        if passed > self._grown:
            self._grow(~self._kept(n), passed - self._grown)
            self._grown = passed
        if self.settings.solver == "proximal":
            _move(self, n, n / (1 + size * self._lambdas))

    def _grow(self, weak: NDArray[np.bool_], times: int) -> None:
        """`weak` is (C,) bool."""
        self._lambdas = np.minimum(self._lambdas + times * GROWTH * weak, CEILING)

    def state_dict(self) -> dict[str, Any]:
        """With lambda_i and the number of growths."""
        return {**super().state_dict(), "lambdas": torch.from_numpy(self._lambdas.copy()), "grown": self._grown}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Regularizer.load_state_dict`."""
        super().load_state_dict(state)
        self._lambdas, self._grown = state["lambdas"].numpy().copy(), state["grown"]


def _scales_alone(group: FilterGroup) -> FilterGroup:
    """The same channels with F_i = the scales of the BatchNorms in the cut set."""
    scales = tuple(part for part in group.cut if part.role == "scale")
    owned = set().union(*(part.channels.tolist() for part in scales)) if scales else set()
    if len(owned) < group.size:
        raise NetworkError(
            f"group {group.name!r}: slimming needs a BatchNorm with a scale on every channel, and {group.size - len(owned)} of "
            f"{group.size} have none; choose another method, or leave the layer out (ignored_layers)"
        )
    return replace(group, measured=scales, folds=())


def _move(regularizer: Regularizer, n: Vector, target: Vector) -> None:
    """Bring the magnitudes n (C,) to target (C,) by scaling F; whatever has n = 0 becomes, or stays, exactly 0."""
    regularizer.bank.scale_(np.divide(target, n, out=np.zeros_like(n), where=n > 0))


def _or_one(value: Tensor) -> Tensor:
    """() a denominator; 1 instead of 0, where the numerator is 0 as well."""
    return torch.where(value > 0, value, torch.ones_like(value))
