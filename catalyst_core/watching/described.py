"""What the store is told of a training loop of somebody's own: its method and its budget; of the rest nothing is known."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from catalyst_core.catalog import METHODS, OWN
from catalyst_core.config import EVIDENCE_SHARE, RaceConfig
from catalyst_core.errors import ConfigError, NoGroupsError
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers import Regularizer, Settings
from catalyst_core.wrappers import unwrap

CONTRACT = (  # the part of `regularizers.base` that watching uses
    "name", "strength", "current_strength", "pruning_ratio", "undecided", "seconds", "steps", "penalty", "measure", "decisions",
)  # fmt: skip
LONGEST = 60  # characters of a class name


def described(model: nn.Module, groups: Sequence[FilterGroup], reg: Regularizer, title: str) -> RaceConfig:
    """A race of one contender. Raises `ConfigError` where the three do not belong together, or the title cannot be one."""
    _check(model, groups, reg)
    settings: Settings | None = getattr(reg, "settings", None)
    macs = getattr(settings, "macs_ratio", None)
    seed = getattr(settings, "generator_seed", 0)
    return RaceConfig.build(
        data={"name": OWN},
        model=OWN,
        methods=[_method(groups, reg, settings)],
        seeds=(seed if 0 <= seed < 2**31 else 0,),
        title=title or type(unwrap(model)).__name__[:LONGEST],
        **({} if macs is None else {"macs_ratio": macs}),
        **({} if reg.pruning_ratio is None else {"pruning_ratio": reg.pruning_ratio}),
    )


def _check(model: nn.Module, groups: Sequence[FilterGroup], reg: Regularizer) -> None:
    if missing := [name for name in CONTRACT if not hasattr(reg, name)]:
        raise ConfigError(
            f"reg is a {type(reg).__name__} without {', '.join(missing)}: give what build_regularizer returns, or something "
            "with the contract of catalyst_core.regularizers.Regularizer"
        )
    if not groups or not all(isinstance(group, FilterGroup) for group in groups):
        raise NoGroupsError("groups are what find_groups(model, example_inputs) returns, and not none of them")
    if [group.name for group in getattr(reg, "groups", groups)] != [group.name for group in groups]:
        raise ConfigError("reg regularizes other groups than those given: build it with the same ones")
    channels, seen = sum(group.size for group in groups), len(reg.measure().magnitudes)
    if seen != channels:
        raise ConfigError(f"reg measures {seen} channels, the groups have {channels}: build it with the same groups")
    known = {id(parameter) for parameter in model.parameters()}
    if any(id(parameter) not in known for group in groups for parameter in group.parameters()):
        raise ConfigError("the groups are of another network than the one given: call find_groups on this one")


def _method(groups: Sequence[FilterGroup], reg: Regularizer, settings: Settings | None) -> dict[str, Any]:
    """The fields of a `MethodConfig`; what is usual is left out, as it would only make the label longer."""
    usual = METHODS[reg.name]
    fields: dict[str, Any] = {"name": reg.name}
    if usual.strength is not None and reg.strength not in (0, usual.strength):
        fields["strength"] = reg.strength
    if settings is None or usual.is_peer:
        return fields
    fields |= {"magnitude": groups[0].kind, "solver": settings.solver}
    if settings.start_ratio is not None:
        return fields | {"start_ratio": settings.start_ratio}
    if settings.allocation == "global":
        usually = Settings.model_fields["keep_at_least"].default
        fields |= {"allocation": "global", "keep_at_least": None if settings.keep_at_least == usually else settings.keep_at_least}
    if reg.name == "catalyst":
        fields |= {"schedule": settings.schedule}
        fields |= {} if settings.evidence_share == EVIDENCE_SHARE else {"evidence_share": settings.evidence_share}
    return fields
