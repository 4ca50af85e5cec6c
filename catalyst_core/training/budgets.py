"""Other budgets for a run that was cut: filters are removed for real, and the networks judged on the validation images.

network in front of the cut -> for each budget: remove_filters -> accuracy, MACs, largest change of a logit, recalibrated accuracy

Test images are never looked at, nothing is trained, and the run stays as it is.
"""

# C = channels of all groups, G = groups

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from catalyst_core import cost, whatif
from catalyst_core.certificate import certify
from catalyst_core.config import ContenderConfig
from catalyst_core.data import load_data
from catalyst_core.decisions import Decisions, spare_layers
from catalyst_core.errors import CheckpointError
from catalyst_core.filters import find_groups
from catalyst_core.peers import Network
from catalyst_core.surgery import remove_filters
from catalyst_core.training import methods
from catalyst_core.training.batches import Batches
from catalyst_core.training.checkpoint import load_dense
from catalyst_core.training.keeper import Keeper
from catalyst_core.training.loop import evaluate, recalibrate
from catalyst_core.training.network import build_network
from catalyst_core.training.plan import RECALIBRATION_BATCHES

IMAGES = 1000  # validation images, at most, that logits are compared on


@dataclass(frozen=True)
class Cut:
    """What a run decided, as far as it orders its channels."""

    own: tuple[int, ...]  # (G,) channels that it pruned
    standings: tuple[NDArray[np.float64], ...]  # each (C,), see `whatif.places`; none: a random cut, whose draw is repeated


@dataclass(frozen=True)
class BudgetPoint:
    """The network at one budget."""

    ratio: float  # share of the channels that go, 0..1
    own: bool  # whether it is the run's own budget
    channels: int  # that stay
    macs: int  # of one image
    accuracy: float  # on the validation images, nothing trained again, 0..1
    recalibrated_accuracy: float | None  # the same with BatchNorm statistics estimated anew; None: the schedule leaves that out
    max_abs_logit_change: float  # by the cut, in float64


@dataclass(frozen=True)
class BudgetReport:
    """All budgets of one run, rising."""

    images: int  # validation images
    channels: int  # before any cut
    macs: int
    dense_accuracy: float | None  # of the dense network on the validation images; None: it is not on the disk any more
    uncut_accuracy: float  # of the network in front of the cut
    points: tuple[BudgetPoint, ...]


def measure_budgets(
    config: ContenderConfig,
    cut: Cut,
    *,
    dense: Path,
    checkpoint: Path | None,
    tell: Callable[[int, int], None] = lambda done, steps: None,
) -> BudgetReport:
    """Measure `whatif.around` the run's own budget. `tell(done, steps)` hears of every network that has been judged.

    `dense`: the file of the dense network, which is what is cut without a `checkpoint`.
    Raises `CheckpointError` where the network in front of the cut cannot be read, and `DataError`.
    """
    bench = _Bench(config, cut, dense, checkpoint)
    ratios = whatif.around(sum(cut.own) / sum(bench.sizes))
    tell(0, len(ratios))
    points = []
    for ratio in ratios:
        points.append(bench.point(ratio))
        tell(len(points), len(ratios))
    return BudgetReport(
        images=len(bench.splits.val_y),
        channels=sum(bench.sizes),
        macs=cost.count(bench.model, bench.example).macs,
        dense_accuracy=bench.dense_accuracy,
        uncut_accuracy=bench.accuracy(bench.model),
        points=tuple(points),
    )


class _Bench:
    """The network in front of the cut, the images, and the order in which its channels go."""

    def __init__(self, config: ContenderConfig, cut: Cut, dense: Path, checkpoint: Path | None) -> None:
        self.config, self.cut = config, cut
        self.splits = load_data(config.data)
        built = build_network(config, self.splits)
        self.model = built.model
        self.example = self.splits.val_x[:1]
        self.groups = find_groups(self.model, self.example, magnitude=config.method.magnitude)
        self.batches = Batches(self.splits, config.data.batch_size, config.seed, config.data.augment)
        self.sizes = [group.size for group in self.groups]
        found = load_dense(dense, built.images, self.model)
        self.dense_accuracy = None if found is None else found.validation.accuracy
        if checkpoint is not None:
            self.model.load_state_dict(Keeper(checkpoint.parent).load(checkpoint.stem)["model"])
        elif found is not None:
            self.model.load_state_dict(found.state)
        else:
            raise CheckpointError(f"the dense network {dense.name} cannot be read, or is of other images")
        ids = np.repeat(np.arange(len(self.sizes)), self.sizes)  # (C,)
        self._group_of, self._places = ids, whatif.places(ids, cut.standings or self._draw())

    def point(self, ratio: float) -> BudgetPoint:
        """The network at one budget."""
        counts = whatif.counts(self.sizes, self.cut.own, ratio)
        kept = spare_layers(self._places >= counts[self._group_of], self._places, self.groups)
        decisions = Decisions.of(self.groups, kept)
        smaller = remove_filters(self.model, self.example, decisions)
        return BudgetPoint(
            ratio=ratio,
            own=tuple(counts) == self.cut.own,
            channels=decisions.total - decisions.pruned,
            macs=cost.count(smaller, self.example).macs,
            accuracy=self.accuracy(smaller),
            recalibrated_accuracy=self._recalibrated(smaller),
            max_abs_logit_change=certify(self.model, smaller, self.splits.val_x[:IMAGES]).max_abs_logit_change,
        )

    def accuracy(self, model: nn.Module) -> float:
        """On the validation images, 0..1."""
        return evaluate(model, self.splits.val_x, self.splits.val_y).accuracy

    def _recalibrated(self, model: nn.Module) -> float | None:
        if not self.config.schedule.recalibrate:
            return None
        twin = copy.deepcopy(model)
        recalibrate(twin, self.batches, min(RECALIBRATION_BATCHES, self.batches.per_epoch))
        return self.accuracy(twin)

    def _draw(self) -> Sequence[NDArray[np.float64]]:
        """The standing of a random cut: it prunes the same channels and more at a larger ratio."""
        network = Network(self.model, self.example)
        return [methods.watching(self.config, self.groups, "random", network).state_dict()["draw"].numpy()]
