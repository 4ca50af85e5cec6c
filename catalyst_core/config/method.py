"""One method with its settings."""

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from catalyst_core.catalog import METHODS
from catalyst_core.config.base import Config
from catalyst_core.errors import ConfigError, shown

Magnitude = Literal["response", "folded", "weight"]
Solver = Literal["proximal", "subgradient"]
Allocation = Literal["uniform", "global"]
Ramp = Literal["ramp", "constant"]
Recovery = Literal["full", "adapters", "head"]
NAMED = r"^[A-Za-z0-9_]+(:[A-Za-z0-9_.]+)?$"
VARIANT = r"^([A-Za-z0-9.@=+_-]([A-Za-z0-9 .@=+_-]*[A-Za-z0-9.@=+_-])?)?$"
RAMP = (0.3, 2.0)  # catalyst: factors on the strength, geometric from the first to the second ...
RAMP_SHARE = 0.6  # ... over this share of the sparse steps
EVIDENCE_SHARE = 0.1  # catalyst: of the sparse steps, in front of the ramp, in which it only watches the gradients


class MethodConfig(Config):
    """One method with its settings."""

    name: str = Field(max_length=40, pattern=NAMED, description="method")
    strength: float | None = Field(None, gt=0, le=1e4, description="lambda (catalyst: a factor on its ramp); None: the default")
    start_ratio: float | None = Field(None, gt=0, le=100, description="catalyst only: fixed ratio c = D/n instead of a budget")
    evidence_share: float | None = Field(
        None, ge=0, le=0.5, description="catalyst only: share of the sparse steps that only gather evidence; None: 0.1"
    )
    schedule: Ramp = Field("ramp", description="catalyst only: a strength that rises, or a constant one")
    solver: Solver = Field("proximal", description="exact zeros by proximal steps, or the penalty added to the loss")
    magnitude: Magnitude = Field("response", description="which vector is a filter's F_i")
    canonicalize: bool = Field(False, description="rescale every filter to n_i = 1 before sparse training (same function)")
    allocation: Allocation = Field("uniform", description="the budget in every group alike, or by one ranking over all groups")
    keep_at_least: float | None = Field(
        None, ge=0, lt=1, description="global allocation only: share of every group that stays, and 1 channel; None: 0.1"
    )
    recovery: Recovery = Field(
        "full",
        description="how the smaller network is fine-tuned: all its weights; low-rank adapters beside frozen weights, biases and "
        "normalisations only; or, depth only, its new head alone",
    )
    variant: str = Field("", max_length=40, pattern=VARIANT, description="a name that tells a fork from its origin")

    @model_validator(mode="before")
    @classmethod
    def _peers_add_to_gradients(cls, fields: Any) -> Any:
        """Their own code decides how they regularize: the solver has one value."""
        if isinstance(fields, dict) and (method := METHODS.get(fields.get("name"))) and method.is_peer:
            return {"solver": "subgradient", **fields}
        return fields

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        if self._is_peer:
            usual = {"solver": "subgradient", "magnitude": "response", "canonicalize": False, "allocation": "uniform"}
            for name, value in usual.items():
                if getattr(self, name) != value:
                    owner = METHODS[self.name].source
                    raise ValueError(f"{name} of {self.name} is {str(value).lower()}: its regularizer and cut are {owner}'s")
        if self.start_ratio is not None and self.name != "catalyst":
            raise ValueError(f"start_ratio is a setting of catalyst, not of {self.name}")
        if self.name != "catalyst" and (self.evidence_share is not None or self.schedule != "ramp"):
            setting = "schedule" if self.evidence_share is None else "evidence_share"
            raise ValueError(f"{setting} is a setting of catalyst, not of {self.name}")
        if self.start_ratio is not None and (self.evidence_share is not None or self.schedule != "ramp"):
            raise ValueError("a fixed start_ratio has no evidence_share and no schedule: its strength is constant")
        if METHODS[self.name].strength is None and self.strength is not None:
            raise ValueError(f"{self.name} has no strength")
        whole_blocks = METHODS[self.name].cuts == "blocks"
        if self.recovery == ("adapters" if whole_blocks else "head"):
            allowed = "full or head: it has a new head" if whole_blocks else "full or adapters: it has no new head"
            raise ValueError(f"recovery of {self.name} is {allowed}")
        if whole_blocks and self.allocation != "uniform":
            raise ValueError(f"{self.name} removes whole blocks: there is no allocation to choose")
        if self.keep_at_least is not None and self.allocation == "uniform":
            raise ValueError("keep_at_least is a setting of global allocation, not of uniform")
        if self.start_ratio is not None and self.allocation == "global":
            raise ValueError("a fixed start_ratio has no budget that global allocation could spread")
        return self

    @property
    def _is_peer(self) -> bool:
        return METHODS[self.name].is_peer

    @property
    def effective_strength(self) -> float:
        """The strength in force; 0 for methods without one."""
        default = METHODS[self.name].strength
        return self.strength if self.strength is not None else (default or 0.0)

    def strength_below(self, learning_rate: float) -> float:
        """What every strength of this method must stay below: a step of catalyst, learning rate x strength, below 1.

        At the peak `learning_rate`, and at the end of the ramp where there is one. Infinite for the other methods.
        """
        if self.name != "catalyst":
            return math.inf
        ends_in_a_ramp = self.start_ratio is None and self.schedule == "ramp"
        return 1 / (learning_rate * (RAMP[1] if ends_in_a_ramp else 1.0))

    @property
    def label(self) -> str:
        """Short and unique among the settings of one method: 'catalyst', 'l1 0.03', 'catalyst c=1.3', 'l1 0.03 (variant)'."""
        parts: list[str] = [self.name]
        if self.start_ratio is not None:
            parts.append(f"c={self.start_ratio:g}")
        if self.strength is not None:
            parts.append(f"{self.strength:g}")
        if self.evidence_share is not None:
            parts.append(f"evidence={self.evidence_share:g}")
        parts += ["constant"] * (self.schedule == "constant")
        solver = "subgradient" if self._is_peer else "proximal"
        usual = ((self.solver, solver), (self.magnitude, "response"), (self.allocation, "uniform"))
        parts += [value for value, default in usual if value != default]
        if self.keep_at_least is not None:
            parts.append(f"keep={self.keep_at_least:g}")
        parts += ["canonical"] * self.canonicalize
        parts += [self.recovery] * (self.recovery != "full")
        return " ".join(parts + [f"({self.variant})"] * bool(self.variant))


def parse_method(text: str) -> dict[str, Any]:
    """'l1', 'l1:strength=0.03', 'catalyst:start_ratio=1.3:strength=3' -> fields of `MethodConfig` (unchecked)."""
    name, *settings = text.strip().split(":")
    fields: dict[str, Any] = {"name": name}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"method {shown(text)}: {shown(setting)} is not of the form setting=value")
        fields[key.strip()] = value.strip()
    return fields
