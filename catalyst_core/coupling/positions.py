"""Operations that move entries by their position, which is another one once a channel is gone."""

from typing import Any

from torch import Tensor

from catalyst_core.coupling.activations import Flow
from catalyst_core.coupling.classes import channels, varies
from catalyst_core.coupling.operations import RESHAPES


def divides(name: str, known: list[Flow], labels: Tensor) -> bool:
    """Whether an operation that moves entries leaves channels out, or lays them out in more dimensions than before."""
    if name in RESHAPES:
        return _dims(labels) > _dims(known[0].labels)
    if "channel_shuffle" in name:  # it does, inside
        return True
    if labels.numel() >= sum(flow.labels.numel() for flow in known):
        return False
    return len(channels(labels)) < len(set().union(*(channels(flow.labels) for flow in known)))


def turns(args: tuple[Any, ...], labels: Tensor) -> bool:
    """Whether a roll goes along a dimension where channels differ; without dimensions it goes along all of them."""
    dims = args[2] if len(args) > 2 and args[2] else range(labels.ndim)
    return any(varies(labels, dim) for dim in dims)


def _dims(labels: Tensor) -> int:
    """Along how many dimensions channels differ."""
    return sum(varies(labels, dim) for dim in range(labels.ndim))
