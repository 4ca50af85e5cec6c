"""The methods that race: `REGULARIZERS` maps a name of `catalog.METHODS` to its class; `build_regularizer` checks and builds."""

from collections.abc import Sequence

from catalyst_core.config import Allocation, Ramp, Solver
from catalyst_core.errors import ConfigError, NoGroupsError
from catalyst_core.groups import FilterGroup
from catalyst_core.owner import owner
from catalyst_core.regularizers.base import Measurement, Regularizer
from catalyst_core.regularizers.baselines import MagnitudeCut, RandomCut
from catalyst_core.regularizers.catalyst import Catalyst
from catalyst_core.regularizers.lasso import L1, GroupLasso
from catalyst_core.regularizers.owned import owned
from catalyst_core.regularizers.rivals import GroupHoyerSquare, GrowingReg, Polarization, Slimming, SparseGroupLasso
from catalyst_core.regularizers.settings import Settings

__all__ = ["REGULARIZERS", "Measurement", "Regularizer", "Settings", "build_regularizer", "refuse_no_groups"]

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
REASONS = 3  # that a message lists


def build_regularizer(
    name: str,
    groups: Sequence[FilterGroup],
    *,
    strength: float | None = None,
    pruning_ratio: float | None = None,
    macs_ratio: float | None = None,
    allocation: Allocation = "uniform",
    keep_at_least: float | None = None,
    start_ratio: float | None = None,
    solver: Solver = "proximal",
    schedule: Ramp | None = None,
    evidence_share: float | None = None,
    total_steps: int | None = None,
    generator_seed: int = 0,
    every: int | None = None,
) -> Regularizer:
    """One of `REGULARIZERS`, or one that the owner registered, on `groups`, which `find_groups` returns.

    `Settings` has the range of every setting.

    `strength` None: the method's default, which suits learning rates around 0.1; for Catalyst the sum of learning rate x strength
    over the sparse stage should reach about 20 (README, measured), so small learning rates and short stages ask for a larger one.
    The budget is `pruning_ratio`, a share of the channels (None: 0.5), or `macs_ratio`, a share of the network's MACs.
    `allocation` "uniform": one ratio for every group; "global": one ranking over all groups, of which `keep_at_least`
    (None: 0.1) stays in each. `start_ratio` c (catalyst only): D_i = c n_i and no budget.
    `total_steps`: how many steps sparse training takes, which gives catalyst its ramp (`schedule` None or "ramp") and its
    settling phase; None: a constant strength, and nothing settles by itself.
    `evidence_share` (catalyst with a budget and `total_steps`; None: 0.1): the share of them that only gathers evidence from
    the gradients; 0 begins at D_i = n_i. `every`: so many steps are gathered into one.

    Raises `ConfigError` for a setting outside its range, or one that the method does not have, `BudgetError` for a budget that
    cannot be met, `NoGroupsError` where there are no groups, `NonFiniteError` for NaN or infinity in a filter. Warns of a setting
    without effect.
    """
    kind = REGULARIZERS.get(name) or owned(name)
    if kind is None:
        raise ConfigError(f"unknown method {name!r}: one of {', '.join((*REGULARIZERS, *owner().regularizers))}")
    refuse_no_groups(groups)
    if every is None and total_steps is not None:
        every = min(max(int(total_steps) // BLOCKS, 1), MOST_EVERY)
    settings = Settings.build(
        name,
        strength=strength,
        pruning_ratio=pruning_ratio,
        macs_ratio=macs_ratio,
        allocation=allocation,
        keep_at_least=keep_at_least,
        start_ratio=start_ratio,
        solver=solver,
        schedule=schedule,
        evidence_share=evidence_share,
        total_steps=total_steps,
        generator_seed=generator_seed,
        every=every,
    )
    return kind(groups, settings)


def refuse_no_groups(groups: Sequence[FilterGroup]) -> None:
    """Raises `NoGroupsError` where these are none, with why the network's channels were left out."""
    if not isinstance(groups, Sequence) or not all(isinstance(group, FilterGroup) for group in groups):
        found = type(groups).__name__
        raise NoGroupsError(f"groups are what find_groups returns, not a {found}: call find_groups(model, example_inputs) first")
    if not groups:
        skipped = [f"{name}: {reason}" for name, reason in getattr(groups, "skipped", {}).items()]
        more = f"; and {len(skipped) - REASONS} more" if len(skipped) > REASONS else ""
        reasons = f" ({'; '.join(skipped[:REASONS])}{more})" if skipped else ""
        raise NoGroupsError(f"the network has no group of channels that can be pruned losslessly{reasons}")
