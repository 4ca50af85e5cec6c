"""One network of the zoo with its groups, what is decided about them, and the cuts; nothing is computed twice."""

import copy
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from catalyst_core.decisions import Decisions, budget, keep_largest
from catalyst_core.filters import find_groups
from catalyst_core.groups import FilterGroup, FilterGroups
from catalyst_core.surgery import remove_filters, zero_pruned
from tests.zoo.networks import ZOO, build

CUTS = {"half": 0.5, "most": 0.8}  # name -> pruning ratio; half of each group at random, most of it by magnitude


class Specimen:
    """One network: trainable and in training mode as its owner has it, but for the first parameter, which is frozen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.model, self.inputs = build(ZOO[name])
        self.pair = tuple(one[:2] for one in self.inputs)
        next(self.model.parameters()).requires_grad_(False)
        self.state = copy.deepcopy(self.model.state_dict())
        self.groups: FilterGroups = find_groups(self.model, self.inputs)
        self.cut = cache(self._cut)  # name of the cut -> the smaller network in float32

    @cached_property
    def dense(self) -> list[Tensor]:
        """What the network returns for two examples, in float64 and evaluation mode."""
        return self.evaluate(self.copied()[0])

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> list[Tensor]:
        """What `model` returns for two examples in float64 and evaluation mode; it stays so."""
        return tensors(model.double().eval()(*(one.double() for one in self.pair)))

    def copied(self) -> tuple[nn.Module, list[FilterGroup]]:
        """A copy in float64, and the groups of that copy."""
        model, groups = copy.deepcopy((self.model, list(self.groups)))
        return model.double(), groups

    def decisions(self, name: str) -> Decisions:
        """Which channels stay in the cut of this name."""
        generator = np.random.default_rng(list(self.name.encode()))
        kept = {}
        for group in self.groups:
            scores = generator.random(group.size) if name == "half" else group.magnitudes().numpy()
            kept[group.name] = torch.from_numpy(keep_largest(scores, budget(group.size, CUTS[name])))
        return Decisions(kept)

    def masked(self, name: str) -> nn.Module:
        """A copy in float64 with F_i = 0 for the channels that go."""
        model, groups = self.copied()
        zero_pruned(groups, self.decisions(name))
        return model

    def _cut(self, name: str) -> nn.Module:
        return remove_filters(self.model, self.inputs, self.decisions(name))


def tensors(outputs: Any) -> list[Tensor]:
    """Every tensor in what a model returned."""
    if isinstance(outputs, Tensor):
        return [outputs]
    parts = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for part in parts for tensor in tensors(part)]
