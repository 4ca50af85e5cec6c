"""Filter groups: the parameters F_i whose vanishing silences channel i, their magnitudes n_i = ||F_i||_2, and a scale.

    response   F_i = (gamma_i, beta_i) of the BatchNorms of the cut set; (w_i, b_i) where no BatchNorm follows
    folded     F_i = (gamma_i w_i / s_i, beta_i + gamma_i (b_i - mu_i) / s_i), s_i = sqrt(var_i + eps)
    weight     F_i = w_i

The cut set of channel i are the affine parameters that make every layer that reads i read exact zeros; coupled
producers are concatenated: n_i^2 adds up and one factor scales them all.
"""

# C = channels of a group, M = slices of one parameter

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, get_args

import torch
from torch import Tensor, nn

from catalyst_core.config import Magnitude
from catalyst_core.coupling import BatchNorm, Coupling, is_depthwise, trace
from catalyst_core.errors import ConfigError
from catalyst_core.probe import lossy_groups


@dataclass(frozen=True)
class Part:
    """Slices of one parameter along `dim`: slice `rows[m]` belongs to channel `channels[m]`."""

    parameter: nn.Parameter
    rows: Tensor  # (M,) int64
    channels: Tensor  # (M,) int64
    dim: int = 0

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
        """(C,) squared norms of the folded weights and biases, differentiable."""
        scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        bias = 0.0 if self.layer.bias is None else self.layer.bias
        shift = self.norm.bias + scale * (bias - self.norm.running_mean)
        squares = scale**2 * self.layer.weight.flatten(1).square().sum(1) + shift**2
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

    def squares(self) -> Tensor:
        """(C,) n_i^2, differentiable."""
        if self.folds:
            return torch.stack([fold.squares(self.size) for fold in self.folds]).sum(0)
        total = 0.0
        for part in self.measured:
            squares = part.parameter.flatten(1).square().sum(1) if part.parameter.ndim > 1 else part.parameter.square()
            rows, channels = part.rows.to(squares.device), part.channels.to(squares.device)
            total = total + squares.new_zeros(self.size).index_add(0, channels, squares[rows])
        return total

    @torch.no_grad()
    def magnitudes(self) -> Tensor:
        """(C,) n_i."""
        return self.squares().sqrt()

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
    """Groups in the order of the modules; `skipped` maps a group that was left out to the reason."""

    def __init__(self, groups: Iterable[FilterGroup] = (), skipped: dict[str, str] | None = None) -> None:
        super().__init__(groups)
        self.skipped = dict(skipped or {})


def find_groups(
    model: nn.Module, example_inputs: Any, *, magnitude: Magnitude = "response", ignored_layers: Iterable[nn.Module | str] = ()
) -> FilterGroups:
    """The groups of `model` that can be pruned losslessly, which is left as it is.

    `example_inputs` is a tensor with a batch dimension, or a tuple of the model's arguments. What the model returns is
    never a group. Every candidate is put to the test on a copy: if zeroing F_i and removing channel i give different
    outputs in float64, it is skipped. Raises `ConfigError` for an unknown magnitude.
    """
    if magnitude not in get_args(Magnitude):
        raise ConfigError(f"magnitude must be one of {', '.join(get_args(Magnitude))}, not {magnitude!r}")
    found = trace(model, example_inputs, ignored_layers)
    skipped = {one.name: one.refused for one in found if one.refused}
    skipped |= lossy_groups(model, example_inputs, [one for one in found if not one.refused])
    groups = []
    for one in found:
        if one.name in skipped:
            continue
        if magnitude != "response" and any(producer.source is None for producer in _normed(model, one)):
            skipped[one.name] = f"{magnitude!r} magnitudes need one layer in front of each BatchNorm"
            continue
        groups.append(_group(model, one, magnitude))
    return FilterGroups(groups, skipped)


def _normed(model: nn.Module, coupling: Coupling) -> list[Any]:
    """The producers of a group that are BatchNorms."""
    return [one for one in coupling.producers if isinstance(model.get_submodule(one.module), BatchNorm)]


def _group(model: nn.Module, coupling: Coupling, kind: Magnitude) -> FilterGroup:
    """Bind a coupling to the model's own parameters."""
    cut: list[Part] = []
    measured: list[Part] = []
    folds: list[Fold] = []
    for slot in coupling.producers:
        module = model.get_submodule(slot.module)
        rows, channels = torch.from_numpy(slot.rows), torch.from_numpy(slot.channels)
        affine = [Part(p, rows, channels) for p in (module.weight, module.bias) if p is not None]
        cut += affine
        source = model.get_submodule(slot.source) if slot.source is not None and kind != "response" else module
        if kind == "folded" and source is not module:
            folds.append(Fold(module, source, rows, channels))
        measured += [Part(source.weight, rows, channels)] if kind == "weight" else affine
    readers = []
    for slot in coupling.readers:
        weight = model.get_submodule(slot.module).weight
        dim = 0 if is_depthwise(model.get_submodule(slot.module)) else 1
        readers.append(Part(weight, torch.from_numpy(slot.rows), torch.from_numpy(slot.channels), dim))
    return FilterGroup(
        coupling.name, coupling.size, kind, tuple(measured), tuple(cut), tuple(readers), tuple(folds), coupling.inhomogeneous
    )
