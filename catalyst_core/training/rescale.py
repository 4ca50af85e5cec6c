"""The planted rescale audit: does a method's choice of filters depend on how magnitude is shared between the layers?

    F_i <- a_i F_i and the readers of i <- 1 / a_i, a_i in [1/4, 4]: the function stays, the magnitudes do not
    correlation    of log a_i with survival, by rank, within each group: 0 = the choice does not see the scale
    overlap        |both kept| / |either kept|, with the run that nothing was planted in (Jaccard, 1901): 1 = the same choice

The same dense network, batches and settings; only the sparse stage runs. Every drawing of factors is planted twice, as
a and as 1 / a, so that what one drawing happens to have in common with the good filters cancels. Derived here.
"""

# C = channels of all groups

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalyst_core import audits
from catalyst_core.canonical import Factors, draw_factors, rescale_filters
from catalyst_core.catalog import BLIND
from catalyst_core.certificate import Certificate, certify
from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.errors import ConfigError
from catalyst_core.events import Event, StepLogged
from catalyst_core.training.files import Folders
from catalyst_core.training.stages import Contender

IMAGES = 250  # of the test set, at most: what the function is compared on
ROUNDING = 1e-4  # the largest change of a logit by other factors than powers of two, of the largest logit
MIRRORED = (1, -1)  # exponents of the factors
DRAWS = 1000


@dataclass(frozen=True)
class RescaleResult:
    """What the plantings of one kind did to one method, over the given seeds; twice as many runs as seeds."""

    method: str  # label, "catalyst canonical"
    factors: Factors
    seeds: tuple[int, ...]
    correlation: float  # rank correlation of log a with survival within groups, mean over runs, -1..1; NaN: undefined
    low: float  # 95 % interval of it: bootstrap over the channels of each group of each run
    high: float
    jaccard: float  # overlap of the kept sets with the unplanted run's, mean over runs, 0..1
    identical: bool  # whether the kept sets are the unplanted ones, in every run
    bit_identical: bool  # whether every loss and the sparse network are, bit for bit, in every run
    max_abs_logit_change: float  # by the planting itself, before any training, in float64
    max_abs_logit_change_float32: float


@dataclass(frozen=True)
class _Run:
    """One sparse stage."""

    kept: NDArray[np.bool_]  # (C,)
    group_index: NDArray[np.int64]  # (C,)
    losses: tuple[float, ...]  # of the training batches, as logged
    state: dict[str, Tensor]  # the network in front of the cut


@dataclass(frozen=True)
class _Outcome:
    """A planted run beside the unplanted one."""

    config: ContenderConfig
    factors: Factors
    logs: NDArray[np.float64]  # (C,) log a
    planted: _Run
    plain: _Run
    change: Certificate  # by the planting


def rescale_audit(
    race: RaceConfig,
    dense: Path,
    *,
    draws: int = DRAWS,
    tell: Callable[[str], None] = lambda label: None,
) -> list[RescaleResult]:
    """Audit every method of `race`: for each, and for each kind of factors, one result over all seeds and then one a seed.

    `dense` is the folder of dense networks, which are trained where it lacks them. `draws`: of the bootstrap.
    `tell(label)` hears of every sparse stage that has ended, of `stages(race)`. That planting leaves the function alone is
    checked on test images, exactly for powers of two. Runs are bit-identical on one thread only: `torch.set_num_threads(1)`.
    Raises what `stages` and `train` raise.
    """
    stages(race)
    kinds = get_args(Factors)
    outcomes = []
    for config in race.contenders():
        plain = _sparse_stage(config, dense)
        tell(config.label)
        for factors, power in itertools.product(kinds, MIRRORED):
            planting = _Planting(factors, power)
            planted = _sparse_stage(config, dense, planting)
            outcomes.append(_Outcome(config, factors, planting.logs, planted, plain, planting.change))
            tell(config.label)
    return [result for method in race.methods for factors in kinds for result in _results(outcomes, method.label, factors, draws)]


def stages(race: RaceConfig) -> int:
    """Sparse stages that the audit of `race` takes. Raises `ConfigError` for a cut that looks at no filter."""
    if blind := next((method.name for method in race.methods if method.name in BLIND), None):
        raise ConfigError(f"methods: {blind} looks at no filter, so a planting cannot tell anything about it")
    return len(race.contenders()) * (1 + len(get_args(Factors)) * len(MIRRORED))


class _Planting:
    """Rescales a contender's dense network, and makes sure that it still is the same function."""

    logs: NDArray[np.float64]  # (C,) log a
    change: Certificate

    def __init__(self, factors: Factors, power: int) -> None:
        self.factors, self.power = factors, power

    def __call__(self, contender: Contender) -> None:
        """The hook before sparse training."""
        drawn = draw_factors(contender.groups, contender.config.seed, self.factors)
        planted = {name: values**self.power for name, values in drawn.items()}
        images = contender.splits.test_x[:IMAGES]
        before = copy.deepcopy(contender.model)
        rescale_filters(contender.model, contender.groups, planted)
        self.logs = torch.cat(list(planted.values())).log().numpy()
        self.change = certify(before, contender.model, images)
        with torch.no_grad():
            largest = float(before.eval()(images).abs().max())
        allowed = 0.0 if self.factors == "powers_of_two" else ROUNDING * largest
        change = max(self.change.max_abs_logit_change, self.change.max_abs_logit_change_float32)
        assert change <= allowed, f"planting {self.factors} moved a logit by {change}, and {allowed} is allowed"


def _sparse_stage(config: ContenderConfig, dense: Path, plant: Callable[[Contender], None] = lambda contender: None) -> _Run:
    """Fork from the dense network, plant, train with the regularizer, decide; nothing is cut or written."""
    events: list[Event] = []
    contender = Contender(config, events.append, list, Folders(run=dense, dense=dense), plant)
    decided = contender.decide()
    assert decided is not None, "nobody can stop this run"
    masks = [mask.numpy() for mask in decided.decisions().kept.values()]
    return _Run(
        kept=np.concatenate(masks),
        group_index=np.repeat(np.arange(len(masks)), [len(mask) for mask in masks]),
        losses=tuple(event.loss for event in events if isinstance(event, StepLogged) and event.stage == "sparse"),
        state=contender.model.state_dict(),
    )


def _results(outcomes: Iterable[_Outcome], method: str, factors: Factors, draws: int) -> Iterator[RescaleResult]:
    """Over all seeds, then one a seed where there are several."""
    mine = [one for one in outcomes if (one.config.method.label, one.factors) == (method, factors)]
    yield _result(mine, draws)
    seeds = {one.config.seed: None for one in mine}
    if len(seeds) > 1:
        for seed in seeds:
            yield _result([one for one in mine if one.config.seed == seed], draws)


def _result(outcomes: Sequence[_Outcome], draws: int) -> RescaleResult:
    """The groups of each run are groups of their own, so the correlation is the mean over the runs."""
    groups = [one.planted.group_index + (one.planted.group_index.max() + 1) * place for place, one in enumerate(outcomes)]
    logs, kept = (np.concatenate(parts) for parts in ([one.logs for one in outcomes], [one.planted.kept for one in outcomes]))
    bias = audits.magnitude_bias(logs, kept, np.concatenate(groups), draws=draws)
    return RescaleResult(
        method=outcomes[0].config.method.label,
        factors=outcomes[0].factors,
        seeds=tuple({one.config.seed: None for one in outcomes}),
        correlation=bias.correlation,
        low=bias.low,
        high=bias.high,
        jaccard=float(np.mean([jaccard(one.planted.kept, one.plain.kept) for one in outcomes])),
        identical=all(np.array_equal(one.planted.kept, one.plain.kept) for one in outcomes),
        bit_identical=all(_same_bits(one.planted, one.plain) for one in outcomes),
        max_abs_logit_change=max(one.change.max_abs_logit_change for one in outcomes),
        max_abs_logit_change_float32=max(one.change.max_abs_logit_change_float32 for one in outcomes),
    )


def jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """|one and other| / |one or other| of two sets (C,) bool, 0..1; 1 for two empty ones. Jaccard, 1901."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 1.0


def _same_bits(one: _Run, other: _Run) -> bool:
    same = all(torch.equal(value, other.state[name]) for name, value in one.state.items())
    return same and one.losses == other.losses
