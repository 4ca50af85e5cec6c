"""Decide first, cut second: a new, smaller module without the pruned channels; the input is left alone.

`masked(model)(x) == remove_filters(model, ...)(x)` where masked means F_i = 0 for every pruned channel (`zero_pruned`).
"""

import copy
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from catalyst_core.coupling import BatchNorm, Convolution, Coupling, Index, is_depthwise, trace
from catalyst_core.decisions import Decisions
from catalyst_core.errors import ConfigError
from catalyst_core.groups import FilterGroup
from catalyst_core.wrappers import unwrap


def zero_pruned(groups: Iterable[FilterGroup], decisions: Decisions) -> None:
    """Set F_i = 0 exactly for the pruned channels, in place. With "weight" magnitudes the BatchNorm pair behind it too."""
    for group in groups:
        if group.name in decisions.kept:
            group.zero_(~decisions.kept[group.name])


def remove_filters(model: nn.Module, example_inputs: Any, decisions: Decisions) -> nn.Module:
    """A copy of `model` (of the network inside, where `model` is a wrapper) without the channels that `decisions` prunes.

    Warns when some channels were undecided (D_i n_i > 0) as the decisions were taken: that cut is not lossless.
    Raises `ConfigError` when a decision names a group that the model does not have, has another number of channels, or
    would leave a group without any.
    """
    model = unwrap(model)
    couplings = {one.name: one for one in trace(model, example_inputs)}
    for name, kept in decisions.kept.items():
        if name not in couplings or couplings[name].size != len(kept):
            raise ConfigError(f"the decisions hold a group {name!r} of {len(kept)} channels, the model does not")
        if not bool(kept.any()):
            raise ConfigError(f"group {name!r}: a cut has to keep at least one channel")
    if decisions.undecided:
        count = f"{decisions.undecided} channel{'s are' if decisions.undecided > 1 else ' is'} undecided"
        warnings.warn(f"{count}: call settle() first, or give total_steps", UserWarning, stacklevel=2)
    kept = {name: np.asarray(mask.cpu()) for name, mask in decisions.kept.items()}
    return slice_channels(model, couplings, kept)


def slice_channels(model: nn.Module, couplings: Mapping[str, Coupling], kept: Mapping[str, np.ndarray]) -> nn.Module:
    """The copy: every layer loses the rows and columns that any group took from it, all at once.

    `kept` maps names of couplings to (C,) bool. At once, because indices would shift from one cut to the next.
    """
    rows: dict[str, set[int]] = {}
    columns: dict[str, set[int]] = {}
    for name, mask in kept.items():
        for slots, lost in ((couplings[name].outputs, rows), (couplings[name].readers, columns)):
            for slot in slots:
                lost.setdefault(slot.module, set()).update(slot.rows[~mask[slot.channels]].tolist())
    smaller = copy.deepcopy(model)
    for name in rows | columns:
        _slice_module(smaller.get_submodule(name), rows.get(name, set()), columns.get(name, set()))
    return smaller


def _slice_module(module: nn.Module, rows: set[int], columns: set[int]) -> None:
    """Slice one layer's tensors and correct the sizes that it states about itself, in place."""
    if isinstance(module, BatchNorm):
        keep = _complement(rows, module.num_features)
        for name in ("weight", "bias", "running_mean", "running_var"):
            _slice_tensor(module, name, keep, 0)
        module.num_features = len(keep)
        return
    keep = _complement(rows, module.weight.shape[0])
    _slice_tensor(module, "weight", keep, 0)
    _slice_tensor(module, "bias", keep, 0)
    inputs = None if is_depthwise(module) else _complement(columns, module.weight.shape[1])
    if inputs is not None:
        _slice_tensor(module, "weight", inputs, 1)
    if not isinstance(module, Convolution):
        module.out_features, module.in_features = len(keep), len(inputs)
    elif inputs is None:
        module.out_channels = module.in_channels = module.groups = len(keep)
    else:
        module.out_channels, module.in_channels = len(keep), len(inputs)


def _slice_tensor(module: nn.Module, name: str, keep: Index, dim: int) -> None:
    old = getattr(module, name)
    if old is None:
        return
    new = old.detach().index_select(dim, torch.as_tensor(keep, device=old.device))
    setattr(module, name, nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new)


def _complement(lost: set[int], size: int) -> Index:
    return np.setdiff1d(np.arange(size), sorted(lost)).astype(np.int64)
