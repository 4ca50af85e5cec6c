"""A contender's regularizer, from its configuration and, once it trains, from the settings that are in force."""

from collections.abc import Sequence
from typing import Any

from catalyst_core.catalog import METHODS
from catalyst_core.config import ContenderConfig
from catalyst_core.depth import DepthCut
from catalyst_core.groups import FilterGroup
from catalyst_core.peers import Network, build_peer
from catalyst_core.regularizers import Regularizer, Settings, build_regularizer


def watching(config: ContenderConfig, groups: Sequence[FilterGroup], name: str, network: Network) -> Regularizer:
    """Method `name` with the race's budget and no schedule: it holds settings, or only looks. Raises as `_build`."""
    strength = config.method.strength if name == config.method.name else None
    share = config.pruning_ratio if config.macs_ratio is None else config.macs_ratio
    chosen = {"strength": strength, "solver": config.method.solver}
    regularizer = _build(config, groups, name, network, **_budget(config, name, share), **chosen)
    regularizer.schedule = config.method.schedule
    return regularizer


def training(
    config: ContenderConfig, groups: Sequence[FilterGroup], settings: Regularizer, steps: int, network: Network
) -> Regularizer:
    """The contender's own method for so many sparse steps, as `settings` stand now. Raises as `_build`."""
    name, unit = config.method.name, "pruning_ratio" if config.macs_ratio is None else "macs_ratio"
    budget = _budget(config, name, getattr(settings, unit))
    chosen = {"strength": settings.strength, "solver": settings.solver, "total_steps": steps}
    if config.method.evidence_share is not None:
        chosen["evidence_share"] = config.method.evidence_share
    regularizer = _build(config, groups, name, network, **budget, **chosen)
    regularizer.schedule = settings.schedule
    return regularizer


def _build(config: ContenderConfig, groups: Sequence[FilterGroup], name: str, network: Network, **settings: Any) -> Regularizer:
    """Ours or a peer's. Raises as `build_regularizer`, `build_peer` and `DepthCut`."""
    if METHODS[name].cuts == "blocks":
        return DepthCut(groups, Settings.build(name, **settings), network)
    if METHODS[name].is_peer:
        return build_peer(name, groups, network, **settings)
    return build_regularizer(name, groups, **settings, generator_seed=config.seed)


def _budget(config: ContenderConfig, name: str, share: float | None) -> dict[str, Any]:
    method = config.method
    if method.start_ratio is not None and name == method.name:
        return {"start_ratio": method.start_ratio}
    unit = "pruning_ratio" if config.macs_ratio is None else "macs_ratio"
    return {unit: share, "allocation": method.allocation, "keep_at_least": method.keep_at_least}
