"""Rescalings that leave the function alone: F_i <- a_i F_i, and whatever reads channel i <- 1 / a_i.

Exact wherever everything between a channel and its readers is positively homogeneous, f(a x) = a f(x) for a > 0. The
canonical form takes a_i = 1 / n_i, so that networks which differ by such rescalings become the same network.
"""

# C = channels of a group

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from catalyst_core.errors import ConfigError, NetworkError
from catalyst_core.groups import FilterGroup

Factors = Literal["powers_of_two", "any"]
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

    `groups` must be those of `model`. The function is unchanged up to rounding: a factor is computed and applied in float64,
    so each parameter is rounded once a group that it belongs to. Networks that differ by powers of two in the scale of their
    channels get the same canonical form, bit for bit. Groups that cannot be rescaled, or whose magnitude does not follow the
    scale, are left alone and reported. Raises `NetworkError` for the groups of another network. Derived here.
    """
    rescaled, skipped = [], {}
    for group in _own(model, groups):
        reason = _obstacle(group)
        if reason:
            skipped[group.name] = reason
            continue
        n = group.squares().detach().sqrt().cpu()
        _rescale(group, torch.where(n > 0, 1 / n, 1.0))
        rescaled.append(group.name)
    return CanonicalReport(tuple(rescaled), skipped)


def plant_rescale(
    model: nn.Module, groups: Iterable[FilterGroup], seed: int, factors: Factors = "powers_of_two"
) -> dict[str, Tensor]:
    """Multiply filters by random factors in 1/4..4 and divide their readers by the same, in place.

    With powers of two the function is unchanged bit for bit, with any factors up to rounding. Returns the factors as
    `draw_factors` does, and raises what it and `rescale_filters` raise.
    """
    found = list(groups)
    planted = draw_factors(found, seed, factors)
    rescale_filters(model, found, planted)
    return planted


def draw_factors(groups: Iterable[FilterGroup], seed: int, factors: Factors = "powers_of_two") -> dict[str, Tensor]:
    """Group name -> (C,) float64 factors: 1/4, 1/2, 1, 2 or 4 at random, or any in 1/4..4, uniform in their logarithm.

    1 in the groups that cannot be rescaled. Raises `ConfigError` for an unknown kind of `factors`.
    """
    if factors not in get_args(Factors):
        raise ConfigError(f"factors must be one of {', '.join(get_args(Factors))}, not {factors!r}")
    generator = torch.Generator().manual_seed(seed)
    values = torch.tensor(PLANTED, dtype=torch.float64)
    drawn = {}
    for group in groups:
        if factors == "any":
            one = 4.0 ** (2 * torch.rand(group.size, generator=generator, dtype=torch.float64) - 1)
        else:
            one = values[torch.randint(len(values), (group.size,), generator=generator)]
        drawn[group.name] = torch.ones_like(one) if group.inhomogeneous else one
    return drawn


def rescale_filters(model: nn.Module, groups: Iterable[FilterGroup], factors: Mapping[str, Tensor]) -> None:
    """F_i <- a_i F_i, and the readers of channel i <- 1 / a_i, in place: group name -> (C,) factors a > 0.

    `groups` must be those of `model`; raises `NetworkError` otherwise. The function stays the same, up to rounding, where
    the factors of the groups that are `inhomogeneous` are 1.
    """
    for group in _own(model, groups):
        _rescale(group, factors[group.name].cpu().double())


@torch.no_grad()
def _rescale(group: FilterGroup, factors: Tensor) -> None:
    """`factors` (C,) float64; each parameter is rounded once, whatever its precision."""
    for parts, values in ((group.cut, factors), (group.readers, 1 / factors)):
        for part in parts:
            part.parameter.copy_(part.parameter.cpu().double() * part.spread(values, 1.0))


def _obstacle(group: FilterGroup) -> str | None:
    if group.kind == "weight" and {id(part.parameter) for part in group.measured} - {id(part.parameter) for part in group.cut}:
        return "the weights in front of a BatchNorm have no scale of their own"
    return group.inhomogeneous


def _own(model: nn.Module, groups: Iterable[FilterGroup]) -> list[FilterGroup]:
    parameters = {id(parameter) for parameter in model.parameters()}
    found = list(groups)
    if not all(id(part.parameter) in parameters for group in found for part in group.cut):
        raise NetworkError("these groups belong to another network: take those that find_groups gives for this one")
    return found
