"""Finding the filter groups of a network: what its couplings allow, put to the test before it is offered."""

from collections.abc import Iterable
from typing import Any, get_args

import torch
from torch import nn

from catalyst_core.config import Magnitude
from catalyst_core.coupling import BatchNorm, Coupling, is_depthwise, trace
from catalyst_core.errors import ConfigError
from catalyst_core.groups import FilterGroup, FilterGroups, Fold, Part, Role
from catalyst_core.lossless import lossy_groups
from catalyst_core.wrappers import unwrap


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
    model = unwrap(model)
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
        roles: tuple[Role, Role] = ("scale", "shift") if isinstance(module, BatchNorm) else ("weight", "bias")
        affine = [
            Part(parameter, rows, channels, role=role, name=f"{slot.module}.{kind}")
            for kind, role in zip(("weight", "bias"), roles, strict=True)
            if (parameter := getattr(module, kind)) is not None
        ]
        cut += affine
        source = model.get_submodule(slot.source) if slot.source is not None and kind != "response" else module
        if kind == "folded" and source is not module:
            folds.append(Fold(module, source, rows, channels))
        measured += (
            [Part(source.weight, rows, channels, name=f"{slot.source or slot.module}.weight")] if kind == "weight" else affine
        )
    readers = []
    for slot in coupling.readers:
        weight = model.get_submodule(slot.module).weight
        dim = 0 if is_depthwise(model.get_submodule(slot.module)) else 1
        readers.append(
            Part(weight, torch.from_numpy(slot.rows), torch.from_numpy(slot.channels), dim, name=f"{slot.module}.weight")
        )
    return FilterGroup(
        coupling.name, coupling.size, kind, tuple(measured), tuple(cut), tuple(readers), tuple(folds), coupling.inhomogeneous
    )
