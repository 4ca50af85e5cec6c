"""Widths that hardware likes: a pruned network with some channels back, which do nothing, so that it computes the same.

    kept' = kept, and of what was pruned the best until  |kept'| = min(C, m ceil(|kept| / m))

A channel that comes back has F_i = 0: every layer behind it reads exact zeros from it (see `catalyst_core.groups`). Its other
weights are those of the given dense network and have no effect. Behind a ReLU it stays idle in training too: at 0 no gradient
passes.
"""

# C = channels of a group

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from catalyst_core.config import Magnitude
from catalyst_core.coupling import trace
from catalyst_core.decisions import Decisions
from catalyst_core.errors import ConfigError, NetworkError
from catalyst_core.filters import find_groups
from catalyst_core.slicing import slice_channels
from catalyst_core.surgery import remove_filters

MULTIPLES = (8, 16)


@dataclass(frozen=True)
class Rounded:
    """A network that computes what the pruned one does."""

    model: nn.Module  # in evaluation mode
    kept: dict[str, Tensor]  # group name -> (C,) bool, what is in it now


def check_multiple(multiple: int) -> None:
    """Raise `ConfigError` unless widths can be rounded up to multiples of this."""
    if multiple not in MULTIPLES:
        raise ConfigError(f"round_to must be {' or '.join(map(str, MULTIPLES))}, not {multiple!r}")


def rounded_up(kept: Mapping[str, Tensor], multiple: int, standing: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """(C,) masks with as many channels more as the next multiple has, but never more than the group's.

    `standing`: (C,) numbers a group, the larger the sooner a pruned channel comes back (margins or magnitudes); of equal ones,
    and without any, the earlier does. Raises `ConfigError` for another multiple than 8 or 16.
    """
    check_multiple(multiple)
    more = {}
    for name, mask in kept.items():
        count = int(mask.sum())
        wanted = min(len(mask), multiple * math.ceil(count / multiple))
        order = torch.zeros(len(mask)) if standing is None else standing[name]
        pruned = torch.nonzero(~mask)[:, 0]
        back = pruned[torch.argsort(order[pruned], descending=True, stable=True)[: wanted - count]]
        more[name] = mask.clone().index_fill_(0, back, True)
    return more


def pad(
    dense: nn.Module,
    example: Tensor,
    pruned: nn.Module,
    kept: Mapping[str, Tensor],
    multiple: int,
    *,
    standing: Mapping[str, Tensor] | None = None,
    magnitude: Magnitude = "response",
) -> Rounded:
    """`pruned`, which is `dense` without the channels that `kept` prunes, with its widths `rounded_up`.

    `dense` gives the shapes (and the idle weights), `example` is a batch that it runs on; all three are left as they are.
    Raises `ConfigError` as `rounded_up` and `remove_filters`, and `NetworkError` where `pruned` is no such network.
    """
    more = rounded_up(kept, multiple, standing)
    rounded = remove_filters(dense, example, Decisions(more)).cpu().eval()
    within = {name: kept[name][mask] for name, mask in more.items()}  # (C',) bool
    _copy_into(rounded, pruned, _places(rounded, example, within))
    for group in find_groups(rounded, example, magnitude=magnitude):
        if group.name in within:
            group.zero_(~within[group.name])
    return Rounded(rounded, more)


def _places(model: nn.Module, example: Tensor, kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensor name -> where in the tensor of `model` every number of the one in the cut network is, counted flat.

    Found by cutting a twin whose tensors hold their own indices.
    """
    couplings = {one.name: one for one in trace(model, example).couplings}
    twin = copy.deepcopy(model).double()
    with torch.no_grad():
        for tensor in twin.state_dict(keep_vars=True).values():
            tensor.copy_(torch.arange(tensor.numel()).view(tensor.shape))
    cut = slice_channels(twin, couplings, {name: np.asarray(mask.cpu()) for name, mask in kept.items()})
    return {name: tensor.long() for name, tensor in cut.state_dict().items()}


@torch.no_grad()
def _copy_into(model: nn.Module, pruned: nn.Module, places: dict[str, Tensor]) -> None:
    """Every number of `pruned` to its place in `model`, in place."""
    state = pruned.state_dict()
    if {name: tensor.shape for name, tensor in state.items()} != {name: tensor.shape for name, tensor in places.items()}:
        raise NetworkError("the pruned network is not the dense one without the channels that were pruned")
    for name, tensor in model.state_dict(keep_vars=True).items():
        flat = tensor.detach().reshape(-1).clone()
        flat[places[name].reshape(-1)] = state[name].detach().cpu().to(tensor.dtype).reshape(-1)
        tensor.copy_(flat.view(tensor.shape))
