"""What a regularizer can be told, as validated, frozen data: ranges, units and defaults of `build_regularizer`."""

import warnings
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalyst_core.allocation import Budget
from catalyst_core.catalog import METHODS
from catalyst_core.config import EVIDENCE_SHARE, Allocation, Ramp, Solver
from catalyst_core.errors import BudgetError, ConfigError

MOST_STRENGTH = 1e4
USUAL_RATIO = 0.5  # of the channels, where no budget is given
OF_THE_BUDGET = ("pruning_ratio", "macs_ratio", "keep_at_least")
LIVE = ("strength", "pruning_ratio", "macs_ratio", "solver", "schedule")  # may change while training runs


class Settings(BaseModel):
    """The settings in force; `changed` makes the next ones. Wrong ones raise one sentence: `build`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    strength: float = Field(ge=0, le=MOST_STRENGTH, description="lambda, in 1 / learning rate; catalyst: without its ramp")
    pruning_ratio: float | None = Field(None, gt=0, lt=1, description="share of the channels to prune; None: another budget")
    macs_ratio: float | None = Field(None, gt=0, lt=1, description="share of the network's MACs to remove; None: another budget")
    allocation: Allocation = Field("uniform", description="one ratio for every group, or one ranking over all of them")
    keep_at_least: float = Field(0.1, ge=0, lt=1, description="global only: share of every group that stays, and 1 channel")
    start_ratio: float | None = Field(None, gt=0, le=100, description="catalyst: fixed ratio c = D / n, and no budget")
    solver: Solver = Field("proximal", description="exact zeros by proximal steps, or the penalty added to the loss")
    schedule: Ramp = Field("ramp", description="catalyst: strength x 0.3 to 2, geometric over 60 % of total_steps; or constant")
    evidence_share: float = Field(
        EVIDENCE_SHARE, ge=0, le=0.5, description="catalyst: share of total_steps, before the ramp, that gathers evidence"
    )
    total_steps: int | None = Field(None, ge=1, description="optimizer steps of sparse training; None: open-ended")
    generator_seed: int = Field(0, description="random: of its draw")
    every: int = Field(1, ge=1, description="optimizer steps that are gathered into one step of the regularizer")

    @classmethod
    def build(cls, method: str, **given: Any) -> Self:
        """Validate the settings that are not None. Raises `ConfigError`, warns of what has no effect."""
        given = {name: value for name, value in given.items() if value is not None}
        if METHODS[method].strength is None and "strength" in given:
            raise ConfigError(f"{method} has no strength")
        if "start_ratio" in given and method != "catalyst":
            raise ConfigError(f"start_ratio is a setting of catalyst, not of {method}")
        if {"pruning_ratio", "macs_ratio"} <= given.keys():
            raise BudgetError("give pruning_ratio or macs_ratio, not both")
        for sentence in _without_effect(method, given):
            warnings.warn(sentence, UserWarning, stacklevel=3)
        if "start_ratio" in given:
            given |= {"pruning_ratio": None, "macs_ratio": None}
        elif "macs_ratio" not in given:
            given.setdefault("pruning_ratio", USUAL_RATIO)
        return cls._validated({"strength": METHODS[method].strength or 0.0} | given)

    def changed(self, **changes: Any) -> Self:
        """With other values, validated as in `build`."""
        return self._validated(self.model_dump() | changes)

    @property
    def budget(self) -> Budget | None:
        """None: a fixed ratio has none."""
        if self.macs_ratio is not None:
            return Budget("macs", self.macs_ratio)
        return None if self.pruning_ratio is None else Budget("channels", self.pruning_ratio)

    @property
    def kind(self) -> str:
        """What a state of these settings may be loaded into."""
        budget = "no budget" if self.budget is None else f"a budget in {self.budget.unit}"
        kept = f" keeping {self.keep_at_least:g}" if self.allocation == "global" else ""
        return f"{budget}, allocation {self.allocation}{kept}"

    @classmethod
    def _validated(cls, fields: dict[str, Any]) -> Self:
        try:
            return cls(**fields)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0])
            kind = BudgetError if name in OF_THE_BUDGET else ConfigError
            raise kind(f"{name} must {_allowed(name)}, not {first['input']!r}") from None


def _allowed(name: str) -> str:
    """The range or the vocabulary of a field, in words."""
    field = Settings.model_fields[name]
    if choices := [one for one in get_args(field.annotation) if isinstance(one, str)]:
        return f"be one of {', '.join(choices)}"
    bounds = {side: getattr(mark, side) for mark in field.metadata for side in ("ge", "gt", "le", "lt") if hasattr(mark, side)}
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if low is None:
        return "be a whole number"
    if high is None:
        return f"be a whole number of at least {low:g}"
    excluded = [f"{bounds[side]:g}" for side in ("gt", "lt") if side in bounds]
    text = {0: "", 1: f", {''.join(excluded)} excluded", 2: ", both excluded"}[len(excluded)]
    return f"lie between {low:g} and {high:g}{text}"


def _without_effect(method: str, given: dict[str, Any]) -> list[str]:
    """One sentence a setting that changes nothing."""
    fixed, found = "start_ratio" in given, []
    for name in ("pruning_ratio", "macs_ratio", "allocation", "keep_at_least"):
        if fixed and given.get(name, "uniform") != "uniform":
            found.append(f"{name} has no effect: a fixed start_ratio has no budget")
    if not fixed and "keep_at_least" in given and given.get("allocation", "uniform") == "uniform":
        found.append("keep_at_least has no effect with uniform allocation, which prunes every group alike")
    if "schedule" in given:
        if method != "catalyst":
            found.append(f"schedule has no effect on {method}: its strength is constant")
        elif fixed:
            found.append("schedule has no effect: with a fixed start_ratio the strength is constant")
        elif "total_steps" not in given:
            found.append("schedule has no effect without total_steps: the strength is constant")
    if "evidence_share" in given and (method != "catalyst" or fixed or "total_steps" not in given):
        found.append("evidence_share has no effect but on catalyst with a budget and total_steps")
    return found
