"""The layers' book: which channels each layer makes, owns and reads, in labels, and what it multiplies."""

# C = channels of an activation

from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from catalyst_core.coupling.activations import Flow
from catalyst_core.coupling.classes import FIXED, Classes, agree, channels
from catalyst_core.coupling.story import Path, Story

FIXED_HERE = "it is combined with channels that cannot be removed"


@dataclass(frozen=True)
class Read:
    """A layer took an activation in: the label of each input channel (C,), and the story up to there."""

    layer: str
    columns: Tensor
    story: Story


class Book:
    """Kept over all forward passes that are followed; layers go by name."""

    def __init__(self) -> None:
        self.classes = Classes()
        self.first: dict[str, int] = {}  # convolution or linear layer -> label of its first output channel
        self.rows: dict[str, Tensor] = {}  # BatchNorm or PReLU -> the labels of its channels (C,)
        self.taken: dict[str, Tensor] = {}  # convolution or linear layer -> the labels of what its columns read (C,)
        self.behind: dict[str, str | None] = {}  # BatchNorm -> the layer right in front of it
        self.reads: list[Read] = []
        self.units: dict[str, int] = {}  # layer -> multiply-accumulates of one row and column, all examples

    def made(self, name: str, out: Tensor, dim: int) -> Flow:
        """What comes out of a convolution or linear layer, with its channels along `dim`."""
        if name not in self.first:
            self.first[name] = self.classes.new(out.shape[dim])
        shape = [1] * out.ndim
        shape[dim] = -1
        labels = self._labels(name, out.shape[dim]).view(shape).expand(out.shape).clone()
        return Flow(labels, {name: Path()})

    def read(self, name: str, x: Tensor, flow: Flow | None, dim: int) -> Tensor:
        """A layer reads an activation: (C,) the label of each of its columns."""
        columns = self.columns(x, flow, dim)
        self.own(self.taken, name, columns)
        if flow is not None and flow.has_channels:
            self.reads.append(Read(name, columns, dict(flow.story)))
        return columns

    def normalise(self, name: str, x: Tensor, flow: Flow) -> None:
        """A BatchNorm owns a scale and a shift of each channel that it is given."""
        columns = self.columns(x, flow, 1)
        self.own(self.rows, name, columns)
        in_front = self._right_behind(flow.story, columns)
        self.behind[name] = in_front if self.behind.get(name, in_front) == in_front else None

    def own(self, table: dict[str, Tensor], name: str, columns: Tensor) -> None:
        """A layer's slices belong to the channels that it is given; used twice, to those of both times."""
        if name in table:
            self.classes.unite_pairs(table[name], columns, "one layer reads it in the place of channels that cannot be removed")
            columns = torch.maximum(table[name], columns)
        table[name] = columns

    def join_groups(self, name: str, columns: Tensor, rows: int, groups: int, flow: Flow | None) -> None:
        """The channels of one convolution group, in and out, are one: only a whole group can go."""
        reason = (flow and flow.reason) or "a grouped convolution reads channels here that cannot be removed"
        for taken, given in zip(columns.view(groups, -1), self._labels(name, rows).view(groups, -1), strict=True):
            self.classes.unite(int(label) for label in chain(taken.tolist(), given.tolist()) if label >= 0)
            if (taken < 0).any():
                self.classes.refuse(given, reason)

    def columns(self, x: Tensor, flow: Flow | None, dim: int) -> Tensor:
        """(C,) the label of each channel along `dim`; where positions differ, they are one channel from now on."""
        if flow is None:
            return torch.full((x.shape[dim],), FIXED)
        rows = flow.labels.movedim(dim, 0).flatten(1)
        labels, agreed = agree(rows)
        for row in rows[~agreed]:
            self.classes.unite(channels(row))
            if (row == FIXED).any():
                self.classes.refuse(row, flow.reason or FIXED_HERE)
        return labels

    def count(self, name: str, unit: int) -> None:
        """Multiply-accumulates of one row and column in one call, all examples."""
        self.units[name] = self.units.get(name, 0) + unit

    def _labels(self, name: str, rows: int) -> Tensor:
        return torch.arange(self.first[name], self.first[name] + rows, dtype=torch.float32)

    def _right_behind(self, story: Story, columns: Tensor) -> str | None:
        """The one layer that these channels come straight from, one by one."""
        layer = next(iter(story), "")
        if len(story) != 1 or story[layer].steps or layer not in self.first:
            return None
        return layer if torch.equal(self._labels(layer, len(columns)), columns) else None
