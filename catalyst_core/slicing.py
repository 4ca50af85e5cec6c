"""The cut itself: a copy of a network whose layers lack the rows and columns of some channels."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from catalyst_core.coupling import BatchNorm, Convolution, Coupling, Index, is_grouped, output_dim
from catalyst_core.errors import BudgetError

Lost = dict[str, set[int]]  # layer -> slices that go


def slice_channels(model: nn.Module, couplings: Mapping[str, Coupling], kept: Mapping[str, NDArray[np.bool_]]) -> nn.Module:
    """The copy: every layer loses the rows and columns that any group took from it, all at once.

    `kept` maps names of couplings to (C,) bool. At once, because indices would shift from one cut to the next.
    Raises `BudgetError` where a layer would be left with no channel.
    """
    rows: Lost = {}
    columns: Lost = {}
    for name, mask in kept.items():
        for slots, lost in ((couplings[name].outputs, rows), (couplings[name].readers, columns)):
            for slot in slots:
                lost.setdefault(slot.module, set()).update(slot.rows[~mask[slot.channels]].tolist())
    ready: dict[int, Tensor] = {}  # deepcopy takes these instead of copying what will be thrown away
    for name in rows | columns:
        module = model.get_submodule(name)
        for kind, keep in _cuts(module, rows.get(name, set()), columns.get(name, set())).items():
            if not all(map(len, keep.values())):
                raise BudgetError(f"layer {name!r}: a cut has to keep at least one of its channels, these decisions keep none")
            tensor = getattr(module, kind)
            if tensor is not None:
                ready[id(tensor)] = _sliced(tensor, keep)
    smaller = copy.deepcopy(model, ready)
    for name in rows | columns:
        _restate(smaller.get_submodule(name))
    return smaller


def _cuts(module: nn.Module, rows: set[int], columns: set[int]) -> dict[str, dict[int, Index]]:
    """Tensor of a layer -> dimension -> what is kept along it."""
    if not isinstance(module, (*Convolution, nn.Linear)):  # BatchNorm and PReLU: one number a channel
        keep = {0: _complement(rows, len(module.weight))}
        return dict.fromkeys(
            ("weight", "bias", "running_mean", "running_var") if isinstance(module, BatchNorm) else ("weight",), keep
        )
    dim = output_dim(module)
    keep_rows = _complement(rows, module.weight.shape[dim])
    weight = {dim: keep_rows}
    if not is_grouped(module):
        weight[1 - dim] = _complement(columns, module.weight.shape[1 - dim])
    return {"weight": weight, "bias": {0: keep_rows}}


def _sliced(tensor: Tensor, keep: dict[int, Index]) -> Tensor:
    new = tensor.detach()
    for dim, index in keep.items():
        new = new.index_select(dim, torch.as_tensor(index, device=tensor.device))
    new = new.clone() if new.data_ptr() == tensor.data_ptr() else new
    return nn.Parameter(new, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else new


def _restate(module: nn.Module) -> None:
    """Correct the sizes that a layer states about itself."""
    weight = module.weight
    if isinstance(module, BatchNorm):
        module.num_features = len(weight)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(weight)
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = weight.shape
    elif is_grouped(module):
        module.groups = len(weight) * module.groups // module.out_channels
        module.out_channels, module.in_channels = len(weight), weight.shape[1] * module.groups
    else:
        dim = output_dim(module)
        module.out_channels, module.in_channels = weight.shape[dim], weight.shape[1 - dim]


def _complement(lost: set[int], size: int) -> Index:
    return np.setdiff1d(np.arange(size), sorted(lost)).astype(np.int64)
