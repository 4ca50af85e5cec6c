"""Finding the filter groups of a network: what its couplings allow, put to the test before it is offered."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import numpy as np
import torch
from torch import nn

from catalyst_core.config import Magnitude
from catalyst_core.coupling import BatchNorm, Coupling, Traced, Transposed, is_grouped, output_dim, trace
from catalyst_core.errors import ConfigError
from catalyst_core.groups import FilterGroup, FilterGroups, Fold, Part, Role
from catalyst_core.lossless import lossy_groups
from catalyst_core.macs import LayerMacs, MacsModel
from catalyst_core.wrappers import unwrap


def find_groups(
    model: nn.Module, example_inputs: Any, *, magnitude: Magnitude = "response", ignored_layers: Iterable[nn.Module | str] = ()
) -> FilterGroups:
    """The groups of `model` that can be pruned losslessly, which is left as it is.

    `example_inputs` is a tensor with a batch dimension, or a tuple of the model's arguments. What cannot be pruned without
    changing the function (the outputs, channels that a normalisation mixes, activations with f(0) != 0, layers whose weight
    is computed, tied layers, a group of one unit) is left out and named in `skipped` with its reason. Every candidate is put
    to the test on a copy in float64: if zeroing F_i and removing channel i give different outputs, it is skipped.
    Raises `ConfigError` for an unknown magnitude or ignored layer, `ExampleInputError` when the model does not run on
    `example_inputs`, and `NetworkError` when it cannot be copied or does not answer them alike twice in evaluation mode.
    """
    if magnitude not in get_args(Magnitude):
        raise ConfigError(f"magnitude must be one of {', '.join(get_args(Magnitude))}, not {magnitude!r}")
    model = unwrap(model)
    traced = trace(model, example_inputs, ignored_layers)
    skipped = {one.name: one.refused for one in traced.couplings if one.refused} | traced.outside
    skipped |= {one.name: reason for one in traced.prunable() if (reason := _unmeasured(model, one, magnitude))}
    candidates = [one for one in traced.prunable() if one.name not in skipped]
    skipped |= lossy_groups(model, example_inputs, candidates)
    chosen = [one for one in candidates if one.name not in skipped]
    return FilterGroups([_group(model, one, magnitude) for one in chosen], skipped, _macs(traced, chosen))


def _unmeasured(model: nn.Module, coupling: Coupling, kind: Magnitude) -> str | None:
    """Why its F_i cannot be told."""
    if kind != "response" and any(producer.source is None for producer in _normed(model, coupling)):
        return f"{kind!r} magnitudes need one layer in front of each BatchNorm"
    if any(isinstance(model.get_submodule(producer.module), Transposed) for producer in coupling.producers):
        return "a transposed convolution without a BatchNorm behind it makes its channels"
    return None


def _macs(traced: Traced, groups: Sequence[Coupling]) -> MacsModel:
    """What the network multiplies, by the channels of these groups."""
    rows = {name: np.full(layer.rows, -1) for name, layer in traced.layers.items()}
    columns = {name: np.full(layer.columns, -1) for name, layer in traced.layers.items()}
    start = 0
    for one in groups:
        for slots, owners in ((one.outputs, rows), (one.readers, columns)):
            for slot in slots:
                if slot.module in owners and not (owners is columns and traced.layers[slot.module].grouped):
                    owners[slot.module][slot.rows] = slot.channels + start
        start += one.size
    layers = [LayerMacs(name, layer.unit, rows[name], columns[name]) for name, layer in traced.layers.items()]
    return MacsModel([*layers, LayerMacs("", traced.rest, np.full(1, -1), np.full(1, -1))])


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
        module = model.get_submodule(slot.module)
        dim = 0 if is_grouped(module) else 1 - output_dim(module)
        readers.append(
            Part(module.weight, torch.from_numpy(slot.rows), torch.from_numpy(slot.channels), dim, name=f"{slot.module}.weight")
        )
    return FilterGroup(
        coupling.name,
        coupling.size,
        kind,
        tuple(measured),
        tuple(cut),
        tuple(readers),
        tuple(folds),
        coupling.inhomogeneous,
        coupling.shares,
    )
