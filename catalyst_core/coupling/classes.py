"""Which channels are one: a union-find over the output rows of all layers, with the reasons why some have to stay."""

from collections.abc import Iterable

import torch
from torch import Tensor

# Labels below 0 are no channel that could be cut. The order matters: of several labels the largest is what is read.
FIXED = -1.0  # a channel that has to stay
ZERO = -2.0  # a constant zero, as of padding


class Classes:
    """Labels 0, 1, 2, ... are output rows; those that are united live or die together."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._refused: dict[int, str] = {}
        self._suspects: dict[int, list[str]] = {}

    def new(self, count: int) -> int:
        """`count` labels; returns the first."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return first

    def root(self, label: int) -> int:
        """The one label that stands for all those united with it."""
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    def unite(self, labels: Iterable[int]) -> None:
        """All of these, which are 0 or more."""
        roots = {self.root(label) for label in labels}
        if roots:
            first = min(roots)
            for other in roots:
                self._parents[other] = first

    def unite_pairs(self, one: Tensor, other: Tensor, reason: str) -> None:
        """Element by element, both of one shape. A channel that meets one that stays, or nothing but padding, has to stay."""
        if one is other or torch.equal(one, other):
            return
        width = float(len(self._parents) + 3)
        keys = torch.unique((one.double() + 2) * width + (other.double() + 2)).tolist()
        pairs = [(int(key // width) - 2, int(key % width) - 2) for key in keys]
        met = {label for pair in pairs if min(pair) >= 0 for label in pair}
        for a, b in pairs:
            if min(a, b) >= 0:
                self.unite((a, b))
            elif max(a, b) >= 0 and min(a, b) == FIXED:
                self.refuse(torch.tensor([float(max(a, b))]), reason)
            elif max(a, b) >= 0 and max(a, b) not in met:
                self.refuse(torch.tensor([float(max(a, b))]), "it is combined with padding in place of a channel")

    def refuse(self, labels: Tensor, reason: str) -> None:
        """Say why these cannot be cut; the first reason stays."""
        for label in channels(labels):
            self._refused.setdefault(label, reason)

    def suspect(self, labels: Tensor, reason: str) -> None:
        """Say what may keep these from being cut losslessly."""
        for label in channels(labels):
            self._suspects.setdefault(label, []).append(reason)

    def refusals(self) -> dict[int, str]:
        """Root -> reason."""
        found: dict[int, str] = {}
        for label, reason in self._refused.items():
            found.setdefault(self.root(label), reason)
        return found

    def suspects(self) -> dict[int, list[str]]:
        """Root -> what was said of any of its labels."""
        found: dict[int, list[str]] = {}
        for label, reasons in self._suspects.items():
            found.setdefault(self.root(label), []).extend(reasons)
        return found


def channels(labels: Tensor) -> list[int]:
    """The different labels of real channels among these, rising."""
    real = labels[labels >= 0].long()  # counted, not sorted, as torch.unique does: there are few labels, of many entries
    return torch.bincount(real).nonzero().flatten().tolist()


def agree(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(C, M) -> the label of each row (C,), and whether all M agree on it (C,) bool; zeros agree with everything."""
    largest = labels.amax(1)
    return largest, ((labels == largest[:, None]) | (labels == ZERO)).all(1)


def varies(labels: Tensor, dim: int) -> bool:
    """Whether channels differ along `dim`."""
    if labels.shape[dim] == 1:
        return False
    largest = labels.amax(dim, keepdim=True)
    return bool(((labels != largest) & (labels != ZERO)).any())
