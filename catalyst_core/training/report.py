"""What can be pruned of a network, before a race: groups, what is left out and why, costs, and a cut that is only tried.

The trial: F_i of the smallest channels is set to zero, once by masking and once by surgery; both are the same function.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from catalyst_core import cost
from catalyst_core.certificate import LOSSLESS, logits
from catalyst_core.config import ContenderConfig
from catalyst_core.data import Splits, load_data
from catalyst_core.decisions import Decisions
from catalyst_core.filters import find_groups
from catalyst_core.groups import FilterGroups
from catalyst_core.regularizers import build_regularizer
from catalyst_core.surgery import remove_filters, zero_pruned
from catalyst_core.training.loop import evaluate
from catalyst_core.training.network import Built, build_network

TRIED = 16  # images of the trial


@dataclass(frozen=True)
class NetworkReport:
    """Plain data; costs are of one image."""

    model: str
    weights: str
    channels: int  # of the images
    size: int  # pixels a side
    classes: int
    params: int
    macs: int
    bytes: int  # of the saved state dict
    groups: dict[str, int]  # name -> channels that can be pruned without loss
    skipped: dict[str, str]  # name -> why it cannot
    pruning_ratio: float  # of the trial
    params_after: int
    macs_after: int
    max_abs_logit_change: float  # of the trial, in float64
    lossless: bool
    validation_accuracy: float | None  # of the given weights; None without, and with a fresh head
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"prunable_channels": sum(self.groups.values())}


def try_network(config: ContenderConfig) -> tuple[str, ...]:
    """What training begins with: build this contender's network, find its groups, choose what goes. Returns notes about it.

    Raises as `report_network`.
    """
    return _begun(config)[1].notes


def report_network(config: ContenderConfig) -> NetworkReport:
    """Of this contender's network on its data set; nothing is trained.

    Raises `DataError`, and `ConfigError` or one of its classes: unknown, does not run on the images, no group of channels that
    can be pruned, weights that do not fit.
    """
    splits, built, groups, decisions = _begun(config)
    model, example, tried = built.model, splits.test_x[:1], splits.val_x[:TRIED]
    accuracy = evaluate(model, splits.val_x, splits.val_y).accuracy if config.weights and not config.fresh_head else None
    zero_pruned(groups, decisions)  # costs depend on shapes alone
    smaller = remove_filters(model, example, decisions)
    masked, cut = (logits(one, tried, torch.float64) for one in (model, smaller))
    change = float((masked - cut).abs().max())
    before, after = cost.count(model, example), cost.count(smaller, example)
    return NetworkReport(
        model=config.model,
        weights=config.weights,
        channels=splits.channels,
        size=splits.size,
        classes=len(splits.classes),
        params=before.params,
        macs=before.macs,
        bytes=before.bytes,
        groups={group.name: group.size for group in groups},
        skipped=dict(groups.skipped),
        pruning_ratio=config.pruning_ratio,
        params_after=after.params,
        macs_after=after.macs,
        max_abs_logit_change=change,
        lossless=change <= LOSSLESS * max(1.0, float(masked.abs().max())),  # those of an untrained network may be of any size
        validation_accuracy=accuracy,
        notes=(*splits.notes, *built.notes),
    )


def _begun(config: ContenderConfig) -> tuple[Splits, Built, FilterGroups, Decisions]:
    splits = load_data(config.data)
    built = build_network(config, splits)
    groups = find_groups(built.model.eval(), splits.test_x[:1])
    return splits, built, groups, build_regularizer("none", groups, pruning_ratio=config.pruning_ratio).decisions()
