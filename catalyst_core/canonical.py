"""Rescalings that leave the function alone: F_i <- a_i F_i, and whatever reads channel i <- 1 / a_i.

Exact wherever everything between a channel and its readers is positively homogeneous, f(a x) = a f(x) for a > 0. The
canonical form takes a_i = 1 / n_i, so that networks which differ by such rescalings become the same network.
"""

# C = channels of a group

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from catalyst_core.groups import FilterGroup

PLANTED = (0.25, 0.5, 1.0, 2.0, 4.0)  # powers of two: exact in floating point


@dataclass(frozen=True)
class CanonicalReport:
    """What `canonicalize` did."""

    rescaled: tuple[str, ...]  # names of groups
    skipped: dict[str, str]  # name -> reason

    def __str__(self) -> str:
        done = f"{len(self.rescaled)} of {len(self.rescaled) + len(self.skipped)} groups rescaled to n = 1"
        return "; ".join([done, *(f"{name} left as it is: {reason}" for name, reason in self.skipped.items())])


def canonicalize(model: nn.Module, groups: Iterable[FilterGroup]) -> CanonicalReport:
    """Rescale every channel of `model` to n_i = 1, in place; channels with n_i = 0 stay as they are.

    `groups` must be those of `model`. The function is unchanged up to rounding. Groups that cannot be rescaled, or whose
    magnitude does not follow the scale, are left alone and reported.
    """
    rescaled, skipped = [], {}
    for group in _own(model, groups):
        reason = _obstacle(group)
        if reason:
            skipped[group.name] = reason
            continue
        n = group.magnitudes()
        _rescale(group, torch.where(n > 0, 1 / n, 1.0))
        rescaled.append(group.name)
    return CanonicalReport(tuple(rescaled), skipped)


def plant_rescale(model: nn.Module, groups: Iterable[FilterGroup], seed: int) -> dict[str, Tensor]:
    """Multiply filters by random powers of two in 1/4..4 and divide their readers by the same, in place.

    The function is unchanged, bit for bit. Returns group name -> (C,) factors; 1 in the groups that cannot be rescaled.
    """
    generator = torch.Generator().manual_seed(seed)
    planted = {}
    for group in _own(model, groups):
        drawn = torch.tensor(PLANTED)[torch.randint(len(PLANTED), (group.size,), generator=generator)]
        planted[group.name] = torch.ones(group.size) if group.inhomogeneous else drawn
        _rescale(group, planted[group.name])
    return planted


def _rescale(group: FilterGroup, factors: Tensor) -> None:
    for part in group.cut:
        part.multiply_(factors)
    for part in group.readers:
        part.multiply_(1 / factors)


def _obstacle(group: FilterGroup) -> str | None:
    if group.kind == "weight" and {id(part.parameter) for part in group.measured} - {id(part.parameter) for part in group.cut}:
        return "the weights in front of a BatchNorm have no scale of their own"
    return group.inhomogeneous


def _own(model: nn.Module, groups: Iterable[FilterGroup]) -> list[FilterGroup]:
    parameters = {id(parameter) for parameter in model.parameters()}
    found = list(groups)
    assert all(id(part.parameter) in parameters for group in found for part in group.cut), "groups of another model"
    return found
