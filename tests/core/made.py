"""Filter groups made by hand, in float64."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from catalyst_core.groups import FilterGroup, Part
from catalyst_core.macs import LayerMacs, MacsModel
from catalyst_core.regularizers import Regularizer, build_regularizer


def group_of(norms: ArrayLike, name: str = "group", angle: float = 0.6) -> FilterGroup:
    """A group whose F_i = (gamma_i, beta_i) has these norms (C,)."""
    n = torch.as_tensor(np.asarray(norms), dtype=torch.float64)
    angles = torch.full_like(n, angle)
    parts = [nn.Parameter(n * angles.cos()), nn.Parameter(n * angles.sin())]
    index = torch.arange(len(n))
    roles = (("scale", f"{name}.weight"), ("shift", f"{name}.bias"))
    cut = tuple(Part(parameter, index, index, role=role, name=full) for parameter, (role, full) in zip(parts, roles, strict=True))
    return FilterGroup(name, len(n), "response", cut, cut, ())


def weight_group(rows: ArrayLike, name: str = "weights") -> FilterGroup:
    """A group whose F_i are the rows of a (C, d) matrix."""
    weight = nn.Parameter(torch.tensor(np.asarray(rows), dtype=torch.float64))
    index = torch.arange(len(weight))
    cut = (Part(weight, index, index, name=f"{name}.weight"),)
    return FilterGroup(name, len(weight), "response", cut, cut, ())


def catalyst_with(norms: ArrayLike, catalysts: ArrayLike, strength: float = 1.0, **settings: Any) -> Regularizer:
    """Fixed-ratio Catalyst (no boundary that moves) on one group with the given n and D, both (C,)."""
    reg = build_regularizer("catalyst", [group_of(norms)], strength=strength, start_ratio=1.0, **settings)
    reg.load_state_dict(reg.state_dict() | {"catalysts": torch.as_tensor(np.asarray(catalysts), dtype=torch.float64)})
    return reg


def noise(group: FilterGroup, rng: np.random.Generator, size: float = 0.02) -> None:
    """What a task would do: every parameter moves a little."""
    with torch.no_grad():
        for parameter in group.parameters():
            parameter.mul_(torch.from_numpy(np.exp(size * rng.standard_normal(parameter.shape))))


def pruned_counts(reg: Regularizer) -> list[int]:
    """How many channels of each group would go if it were decided now."""
    return [int((~mask).sum()) for mask in reg.bank.split(reg.measure().kept)]


def chain_macs(sizes: list[int]) -> MacsModel:
    """A chain of convolutions: 3 inputs -> every group in turn -> 10 outputs, the resolution halved at every layer."""
    starts = np.cumsum([0, *sizes])
    ends = [np.full(3, -1), *(np.arange(*pair) for pair in pairwise(starts)), np.full(10, -1)]
    return MacsModel(
        LayerMacs(f"conv{i}", 9 * 4 ** (len(sizes) - i), rows, columns) for i, (columns, rows) in enumerate(pairwise(ends))
    )
