"""Filter groups: the parameters F_i whose vanishing silences channel i, their magnitudes n_i = ||F_i||_2, and a scale.

    response   F_i = (gamma_i, beta_i) of the BatchNorms of the cut set; (w_i, b_i) where no BatchNorm follows
    folded     F_i = (gamma_i w_i / s_i, beta_i + gamma_i (b_i - mu_i) / s_i), s_i = sqrt(var_i + eps)
    weight     F_i = w_i

The cut set of channel i are the affine parameters that make every layer that reads i read exact zeros; coupled
producers are concatenated: n_i^2 adds up and one factor scales them all. `filters.find_groups` finds the groups.
"""

# C = channels of a group, M = slices of one parameter

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from catalyst_core.config import Magnitude
from catalyst_core.errors import ConfigError
from catalyst_core.macs import MacsModel

Role = Literal["scale", "shift", "weight", "bias"]  # of a normalisation: scale, shift; of a layer: weight, bias


@dataclass(frozen=True)
class Part:
    """Slices of one parameter along `dim`: slice `rows[m]` belongs to channel `channels[m]`."""

    parameter: nn.Parameter
    rows: Tensor  # (M,) int64
    channels: Tensor  # (M,) int64
    dim: int = 0
    role: Role = "weight"
    name: str = ""  # of the parameter in the network, "layer1.0.bn1.weight"

    def spread(self, values: Tensor, rest: float) -> Tensor:
        """(C,) values -> one a slice of the parameter, shaped to broadcast; slices of nobody get `rest`."""
        full = torch.full((self.parameter.shape[self.dim],), rest, dtype=values.dtype, device=values.device)
        full[self.rows.to(values.device)] = values[self.channels.to(values.device)]
        return full.view([-1 if dim == self.dim else 1 for dim in range(self.parameter.ndim)])

    @torch.no_grad()
    def multiply_(self, factors: Tensor) -> None:
        """Multiply the slices of channel i by factors[i], in place. `factors` is (C,)."""
        self.parameter.mul_(self.spread(factors.to(self.parameter), 1.0))


@dataclass(frozen=True)
class Fold:
    """A BatchNorm behind a convolution or linear layer, for "folded" magnitudes."""

    norm: nn.Module
    layer: nn.Module
    rows: Tensor  # (M,)
    channels: Tensor  # (M,)

    def squares(self, size: int) -> Tensor:
        """(C,) squared norms of the folded weights and biases, differentiable; float64, as those of small ones underflow."""
        scale = self.norm.weight.double() / (self.norm.running_var.double() + self.norm.eps).sqrt()
        bias = 0.0 if self.layer.bias is None else self.layer.bias
        shift = self.norm.bias + scale * (bias - self.norm.running_mean)
        squares = scale**2 * self.layer.weight.double().flatten(1).square().sum(1) + shift**2
        rows, channels = self.rows.to(squares.device), self.channels.to(squares.device)
        return squares.new_zeros(size).index_add(0, channels, squares[rows])


@dataclass(frozen=True)
class FilterGroup:
    """The channels that live or die together.

    `measured` parts make up F_i (unless `folds` do), `cut` parts are its cut set, `readers` are the weights behind it.
    With "weight" magnitudes under BatchNorm `measured` and `cut` differ, and F_i = 0 does not silence the channel.
    """

    name: str  # the first layer that makes these channels
    size: int  # C
    kind: Magnitude
    measured: tuple[Part, ...]
    cut: tuple[Part, ...]
    readers: tuple[Part, ...]
    folds: tuple[Fold, ...] = ()
    inhomogeneous: str | None = field(default=None)  # why no function-preserving rescaling exists
    shares: tuple[NDArray[np.int64], ...] = ()  # channels of each layer that has some of them: one of each has to stay

    def squares(self) -> Tensor:
        """(C,) n_i^2, differentiable; float64, as the squares of small numbers underflow."""
        if self.folds:
            return torch.stack([fold.squares(self.size) for fold in self.folds]).sum(0)
        total = 0.0
        for part in self.measured:
            squares = part.parameter.double().reshape(len(part.parameter), -1).square().sum(1)
            rows, channels = part.rows.to(squares.device), part.channels.to(squares.device)
            total = total + squares.new_zeros(self.size).index_add(0, channels, squares[rows])
        return total

    @torch.no_grad()
    def magnitudes(self) -> Tensor:
        """(C,) n_i, in the precision of the parameters."""
        return self.squares().sqrt().to(self.cut[0].parameter)

    def scale_(self, factors: Tensor) -> None:
        """Multiply F_i by factors[i], in place. `factors` is (C,)."""
        for part in self.measured:
            part.multiply_(factors)

    @torch.no_grad()
    def zero_(self, pruned: Tensor) -> None:
        """Set F_i and the cut set of the channels in `pruned` (C,) bool to exact zeros, in place."""
        for part in (*self.cut, *self.measured):
            part.parameter.masked_fill_(part.spread(pruned.to(part.parameter.device), False), 0.0)

    def parameters(self) -> list[nn.Parameter]:
        """What n_i depends on: no weight decay belongs on these while the regularizer runs."""
        folded = [p for fold in self.folds for p in fold.layer.parameters()]
        return list({id(p): p for p in [*(part.parameter for part in self.measured), *folded]}.values())


class FilterGroups(list[FilterGroup]):
    """Groups in the order of the modules; `skipped` maps what was left out (a group, or a layer that none holds) to the reason.

    `macs` counts the network's multiply-accumulates for any choice of channels of these groups; None: not known.
    """

    def __init__(
        self, groups: Iterable[FilterGroup] = (), skipped: dict[str, str] | None = None, macs: MacsModel | None = None
    ) -> None:
        super().__init__(groups)
        self.skipped = dict(skipped or {})
        self.macs = macs


def decay_groups(model: nn.Module, groups: Iterable[FilterGroup], weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: weight decay on every parameter of `model` but those that some n_i depends on.

    Weight decay is a second regularizer, and one that prefers small filters. Raises `ConfigError` for a negative one.
    """
    if not 0 <= weight_decay < math.inf:
        raise ConfigError(f"weight_decay must be at least 0, not {weight_decay!r}")
    free = {id(parameter) for group in groups for parameter in group.parameters()}
    decayed = [parameter for parameter in model.parameters() if id(parameter) not in free]
    regularized = [parameter for parameter in model.parameters() if id(parameter) in free]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": regularized, "weight_decay": 0.0}]


def all_decayed(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer where everything decays alike."""
    return [{"params": list(model.parameters()), "weight_decay": weight_decay}]
