"""A contender's regularizer, from its configuration and, once it trains, from the settings that are in force."""

from collections.abc import Sequence
from typing import Any

from catalyst_core.config import ContenderConfig
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers import Regularizer, build_regularizer


def watching(config: ContenderConfig, groups: Sequence[FilterGroup], name: str) -> Regularizer:
    """Method `name` with the race's budget and no schedule: it holds settings, or only looks. Raises as `build_regularizer`."""
    method = config.method
    strength = method.strength if name == method.name else None
    budget = _budget(config, name, config.pruning_ratio if config.macs_ratio is None else config.macs_ratio)
    seed = config.seed
    return build_regularizer(name, groups, **budget, strength=strength, solver=method.solver, generator_seed=seed)


def training(config: ContenderConfig, groups: Sequence[FilterGroup], settings: Regularizer, steps: int) -> Regularizer:
    """The contender's own method for so many sparse steps, as `settings` stand now. Raises as `build_regularizer`."""
    unit = "pruning_ratio" if config.macs_ratio is None else "macs_ratio"
    regularizer = build_regularizer(
        config.method.name,
        groups,
        **_budget(config, config.method.name, getattr(settings, unit)),
        strength=settings.strength,
        solver=settings.solver,  # type: ignore[arg-type]
        total_steps=steps,
        generator_seed=config.seed,
    )
    regularizer.schedule = settings.schedule
    return regularizer


def _budget(config: ContenderConfig, name: str, share: float | None) -> dict[str, Any]:
    method = config.method
    if method.start_ratio is not None and name == method.name:
        return {"start_ratio": method.start_ratio}
    unit = "pruning_ratio" if config.macs_ratio is None else "macs_ratio"
    return {unit: share, "allocation": method.allocation, "keep_at_least": method.keep_at_least}
