"""The methods that race: `REGULARIZERS` maps a name of `catalog.METHODS` to its class; `build_regularizer` checks and builds."""

from collections.abc import Sequence
from typing import get_args

from catalyst_core.catalog import METHODS
from catalyst_core.config import Solver
from catalyst_core.errors import ConfigError
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers.base import Measurement, Regularizer, Settings, check_ratio, check_strength
from catalyst_core.regularizers.baselines import MagnitudeCut, RandomCut
from catalyst_core.regularizers.catalyst import Catalyst
from catalyst_core.regularizers.lasso import L1, GroupLasso
from catalyst_core.regularizers.rivals import GroupHoyerSquare, GrowingReg, Polarization, Slimming, SparseGroupLasso

__all__ = ["REGULARIZERS", "Measurement", "Regularizer", "build_regularizer"]

REGULARIZERS: dict[str, type[Regularizer]] = {
    "catalyst": Catalyst,
    "l1": L1,
    "group_lasso": GroupLasso,
    "slimming": Slimming,
    "sparse_group_lasso": SparseGroupLasso,
    "group_hoyer_square": GroupHoyerSquare,
    "polarization": Polarization,
    "growing_reg": GrowingReg,
    "none": MagnitudeCut,
    "random": RandomCut,
}

# A schedule is cut into this many steps of the regularizer, or more, of at most so many of the optimizer's each: that
# keeps its time below 1 % of training's even on the smallest network, where a step of the optimizer takes milliseconds.
BLOCKS, MOST_EVERY = 50, 5


def build_regularizer(
    name: str,
    groups: Sequence[FilterGroup],
    *,
    strength: float | None = None,
    pruning_ratio: float | None = None,
    start_ratio: float | None = None,
    solver: Solver = "proximal",
    total_steps: int | None = None,
    generator_seed: int = 0,
    every: int | None = None,
) -> Regularizer:
    """One of `REGULARIZERS` on `groups`.

    `strength` None: the method's default. `pruning_ratio` None: 0.5. `start_ratio` c (catalyst only): D_i = c n_i and no
    budget. `total_steps`: how many steps sparse training takes, which gives catalyst its ramp and its settling phase; None:
    a constant strength, and nothing settles by itself. Raises `ConfigError` for a setting outside its range, or one that
    the method does not have, and for no groups at all.
    """
    if name not in REGULARIZERS:
        raise ConfigError(f"unknown method {name!r}: one of {', '.join(REGULARIZERS)}")
    if not groups:
        raise ConfigError("the network has no group of channels that can be pruned losslessly")
    if solver not in get_args(Solver):
        raise ConfigError(f"solver must be one of {', '.join(get_args(Solver))}, not {solver!r}")
    if strength is not None and METHODS[name].strength is None:
        raise ConfigError(f"{name} has no strength")
    if start_ratio is not None and (name != "catalyst" or not 0 < start_ratio <= 100):
        raise ConfigError(f"start_ratio is a setting of catalyst in 0..100, not {start_ratio!r} of {name}")
    if total_steps is not None and total_steps < 1:
        raise ConfigError(f"total_steps must be at least 1, not {total_steps}")
    if every is None:
        every = 1 if total_steps is None else min(max(total_steps // BLOCKS, 1), MOST_EVERY)
    if every < 1:
        raise ConfigError(f"every must be at least 1, not {every}")
    settings = Settings(
        strength=check_strength(strength if strength is not None else METHODS[name].strength or 0.0),
        pruning_ratio=check_ratio(0.5 if pruning_ratio is None else pruning_ratio),
        start_ratio=start_ratio,
        solver=solver,
        total_steps=total_steps,
        generator_seed=generator_seed,
        every=every,
    )
    return REGULARIZERS[name](groups, settings)
