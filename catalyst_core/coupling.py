"""Which channels of a network live and die together, read off Torch-Pruning's dependency graph as plain data.

`trace` works on a copy and answers in module names and channel indices, so that the same answer serves the filter
groups (which parameters make a channel vanish), the canonical form (what reads it) and the surgery (what to slice).
"""

# C = channels of a group, M = slices of one layer that belong to the group

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from catalyst_core.errors import ConfigError

Convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BatchNorm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Index = NDArray[np.int64]

# Autograd's names of operations with f(a x) = a f(x) for every a > 0, channel by channel.
HOMOGENEOUS = frozenset(
    "Relu LeakyRelu MaxPool2DWithIndices MaxPool3DWithIndices AvgPool2D AvgPool3D AdaptiveAvgPool2D AdaptiveAvgPool3D Mean Sum "
    "Add Reshape Concat T Squeeze Unsqueeze Permute Transpose Clone".split()
)


@dataclass(frozen=True)
class Slot:
    """Slices of one layer: `rows[m]` (of its outputs, or of its inputs) belongs to channel `channels[m]` of the group."""

    module: str
    rows: Index  # (M,)
    channels: Index  # (M,)


@dataclass(frozen=True)
class Producer(Slot):
    """Affine parameters of the cut set: when they vanish, the channel reads as zero."""

    source: str | None  # the convolution or linear layer behind a BatchNorm, where there is exactly one


@dataclass(frozen=True)
class Coupling:
    """One set of coupled channels, and what has to be cut with them."""

    name: str  # the first layer, in the order of the modules, that makes these channels
    size: int
    producers: tuple[Producer, ...]
    outputs: tuple[Slot, ...]  # layers that lose rows
    readers: tuple[Slot, ...]  # layers that lose the columns (depthwise: the rows) that read the channels
    refused: str | None  # why it cannot be pruned losslessly
    inhomogeneous: str | None  # why its channels cannot be rescaled without changing the function


def is_depthwise(module: nn.Module) -> bool:
    """One filter a channel: it reads and writes the same channels."""
    return isinstance(module, Convolution) and 1 < module.groups == module.in_channels == module.out_channels


def arguments(example_inputs: Any) -> tuple[Any, ...]:
    """The positional arguments of a forward pass: a lone tensor is the only one."""
    return tuple(example_inputs) if isinstance(example_inputs, (tuple, list)) else (example_inputs,)


def trace(model: nn.Module, example_inputs: Any, ignored_layers: Iterable[nn.Module | str] = ()) -> list[Coupling]:
    """Every set of coupled channels in the order of the modules; what the model returns is no candidate.

    `model` is left as it was. `ignored_layers` are layers (or their names) whose output channels must stay. Raises
    `ConfigError` when the model does not run on `example_inputs`, or does something that cannot be traced.
    """
    import torch_pruning

    names = {id(module): name for name, module in model.named_modules()}
    ignored = {layer if isinstance(layer, str) else names[id(layer)] for layer in ignored_layers}
    twin = copy.deepcopy(model).requires_grad_(True)
    graph = torch_pruning.DependencyGraph()
    try:
        with torch.enable_grad():
            graph.build_dependency(twin, arguments(example_inputs), verbose=False)
    except Exception as error:  # whatever Torch-Pruning or the model's own code raises
        raise ConfigError(f"{type(model).__name__}: its channels cannot be traced ({type(error).__name__}: {error})") from error
    # Torch-Pruning appends to a mutable default of this call: give it a list of its own.
    readings = [_Reading(graph, group, twin) for group in graph.get_all_groups(ignored_layers=[])]
    found = [reading.coupling() for reading in readings if not reading.is_output]
    order = {name: position for position, name in enumerate(names.values())}
    return sorted((one for one in found if not ignored & {slot.module for slot in one.outputs}), key=lambda one: order[one.name])


class _Reading:
    """One group of Torch-Pruning, sorted into what makes, carries and reads its channels."""

    def __init__(self, graph: Any, group: Any, model: nn.Module) -> None:
        self.names = {module: name for name, module in model.named_modules()}
        self.size = len(group[0].idxs)
        self.made: dict[Any, Slot] = {}  # graph node -> the slices of it that are channels of the group
        self.read: list[tuple[Any, Slot]] = []
        self.is_output = False
        for item in group:
            node, module = item.dep.target, item.dep.target.module
            slot = Slot(self.names.get(module, ""), np.asarray(item.idxs, np.int64), np.asarray(item.root_idxs, np.int64))
            writes = graph.is_out_channel_pruning_fn(item.dep.handler)
            if writes:
                self.made[node] = slot
                self.is_output |= not node.outputs
            if isinstance(module, (*Convolution, nn.Linear)) and (is_depthwise(module) or not writes):
                self.read.append((node, slot))
        self.between: list[Any] = []
        self._sources: dict[Any, frozenset[Any]] = {}

    def coupling(self) -> Coupling:
        """Walk from every reader back to what feeds it: the cut set."""
        order = list(self.names.values()).index
        nodes = {source for node, _ in self.read for before in node.inputs for source in self._walk(before)}
        producers = sorted((self._producer(node) for node in nodes), key=lambda one: order(one.module))
        outputs = [slot for node, slot in self.made.items() if isinstance(node.module, (*Convolution, nn.Linear, *BatchNorm))]
        layers = [node for node in self.made if isinstance(node.module, (*Convolution, nn.Linear))]
        name = min((self.names[node.module] for node in layers), key=order)
        return Coupling(
            name,
            self.size,
            tuple(producers),
            tuple(sorted(outputs, key=lambda one: order(one.module))),
            tuple(slot for _, slot in self.read),
            self._refusal(producers),
            self._inhomogeneity,
        )

    def _walk(self, node: Any) -> frozenset[Any]:
        """The nodes whose affine parameters decide whether the channels that leave `node` are zero."""
        if node not in self.made:
            return frozenset()
        if isinstance(node.module, (*Convolution, nn.Linear, *BatchNorm)):
            return frozenset({node})
        if node not in self._sources:
            self.between.append(node)
            branches = [self._walk(before) for before in node.inputs]
            if _operation(node) == "Mul" and len(branches) > 1:
                # One vanishing factor is enough: the gate of a squeeze-and-excitation block need not vanish too.
                branches = [min(branches, key=lambda nodes: sum(not isinstance(n.module, BatchNorm) for n in nodes))]
            self._sources[node] = frozenset().union(*branches)
        return self._sources[node]

    def _producer(self, node: Any) -> Producer:
        slot, behind = self.made[node], None
        if isinstance(node.module, BatchNorm) and len(node.inputs) == 1:
            before = node.inputs[0].module
            behind = self.names[before] if isinstance(before, (*Convolution, nn.Linear)) else None
        return Producer(slot.module, slot.rows, slot.channels, behind)

    def _refusal(self, producers: list[Producer]) -> str | None:
        reasons = [
            reason for node in (*self.made, *(node for node, _ in self.read)) if (reason := _unsupported(node, self.names))
        ]
        if not reasons and set().union(*(one.channels.tolist() for one in producers)) != set(range(self.size)):
            reasons = ["some of its channels do not come out of a convolution, a linear layer or a BatchNorm"]
        return reasons[0] if reasons else None

    @cached_property
    def _inhomogeneity(self) -> str | None:
        for node in self.between:
            name = _operation(node)
            if name not in HOMOGENEOUS or (name == "Add" and len(node.inputs) < 2):
                return f"{name} does not scale with its input"
        return None


def _operation(node: Any) -> str:
    """Autograd's name of an element-wise operation; Torch-Pruning's for reshapes and concatenations."""
    name = getattr(node.module, "_grad_fn", None)
    if name is None:
        return type(node.module).__name__.strip("_").removesuffix("Op")
    return str(name).split("Backward")[0]


def _unsupported(node: Any, names: dict[nn.Module, str]) -> str | None:
    """Why channels that pass through this node cannot be cut, or None."""
    from torch_pruning.ops import OPTYPE

    module = node.module
    where = f"{type(module).__name__.strip('_')} {names.get(module, '')}".strip()
    if isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
        return f"{where} mixes channels, so removing one changes the others"
    if isinstance(module, Convolution) and module.groups > 1 and not is_depthwise(module):
        return f"{where} is a grouped convolution, whose groups would become uneven"
    if isinstance(module, BatchNorm) and not module.affine:
        return f"{where} has no scale and shift that could vanish"
    layer = isinstance(module, (*Convolution, nn.Linear, *BatchNorm))
    if layer or node.type in (OPTYPE.ELEMENTWISE, OPTYPE.RESHAPE, OPTYPE.CONCAT):
        return None
    return f"{where} is not a layer that the surgery knows"
