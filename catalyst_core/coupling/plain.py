"""What a trace answers: plain data in module names and channel indices, which fits any copy of the network."""

# C = channels of a group, M = slices of one layer that belong to the group

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Slot:
    """Slices of one layer: `rows[m]` (of its outputs, or of its inputs) belongs to channel `channels[m]` of the group."""

    module: str
    rows: Index  # (M,)
    channels: Index  # (M,)


@dataclass(frozen=True)
class Producer(Slot):
    """Affine parameters of the cut set: when they vanish, the channel reads as zero."""

    source: str | None  # the convolution or linear layer right in front of a BatchNorm, where there is exactly one


@dataclass(frozen=True)
class Coupling:
    """One set of channels that live or die together one by one, and what has to be cut with each."""

    name: str  # the first layer, in the order of the modules, that makes these channels
    size: int
    producers: tuple[Producer, ...]
    outputs: tuple[Slot, ...]  # layers that lose rows
    readers: tuple[Slot, ...]  # layers that lose the columns (grouped convolutions: the rows) that read the channels
    refused: str | None  # why it cannot be pruned losslessly
    inhomogeneous: str | None  # why its channels cannot be rescaled without changing the function
    suspects: tuple[str, ...] = ()  # what may keep a silent channel from being read as zero; a test decides
    tied: bool = False  # refused because a layer shares a parameter with another

    @cached_property
    def shares(self) -> tuple[Index, ...]:
        """Channels of each layer that makes or reads some and not all of them: no cut may leave it with none. Each once."""
        found: dict[tuple[str, int], list[Index]] = {}
        for side, slots in enumerate((self.outputs, self.readers)):
            for slot in slots:
                found.setdefault((slot.module, side), []).append(slot.channels)
        members = (np.unique(np.concatenate(each)) for each in found.values())
        return tuple({tuple(one): one for one in members if len(one) < self.size}.values())

    @cached_property
    def sole(self) -> Index:
        """The channels that have to stay: each is the only one of some layer."""
        return np.unique([one[0] for one in self.shares if len(one) == 1]).astype(np.int64)


@dataclass(frozen=True)
class Multiplication:
    """The multiply-accumulates of one layer for one example: unit * rows * columns."""

    unit: int
    rows: int
    columns: int
    grouped: bool  # a convolution in groups: its weight has columns for one group's channels only, which all stay


@dataclass(frozen=True)
class Traced:
    """Everything that one trace found out."""

    couplings: tuple[Coupling, ...]
    layers: dict[str, Multiplication]  # module name -> what it multiplies
    rest: int  # multiply-accumulates outside of layers, as of attention
    outside: dict[str, str] = field(default_factory=dict)  # layer or parameter that multiplies and that no coupling holds -> why

    def prunable(self) -> list[Coupling]:
        """Those that nothing refuses."""
        return [one for one in self.couplings if not one.refused]


def arguments(example_inputs: Any) -> tuple[Any, ...]:
    """The positional arguments of a forward pass: a lone tensor is the only one."""
    return tuple(example_inputs) if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
