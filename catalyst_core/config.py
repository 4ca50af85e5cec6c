"""What a race is, as validated, frozen data: the only border where settings are checked.

A *race* is several *contenders* (method, its settings, seed) on one data set and one network. Everything below this
module trusts what it is given. `RaceConfig.build(**fields)` turns pydantic's findings into one `ConfigError` sentence.
"""

import hashlib
import json
import math
import unicodedata
from operator import not_
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from catalyst_core.catalog import DATASETS, DEFAULT_METHODS, METHODS, OWN, DatasetName, check_method, check_model
from catalyst_core.errors import ConfigError, StrengthError, shown
from catalyst_core.normalisations import FORM, misfit, normalisation

Magnitude = Literal["response", "folded", "weight"]
Solver = Literal["proximal", "subgradient"]
Allocation = Literal["uniform", "global"]
Ramp = Literal["ramp", "constant"]
Recovery = Literal["full", "adapters", "head"]
NAMED = r"^[A-Za-z0-9_]+(:[A-Za-z0-9_.]+)?$"
VARIANT = r"^([A-Za-z0-9.@=+_-]([A-Za-z0-9 .@=+_-]*[A-Za-z0-9.@=+_-])?)?$"
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # marks that set the direction of text
RAMP = (0.3, 2.0)  # catalyst: factors on the strength, geometric from the first to the second ...
RAMP_SHARE = 0.6  # ... over this share of the sparse steps
EVIDENCE_SHARE = 0.1  # catalyst: of the sparse steps, in front of the ramp, in which it only watches the gradients
# What may be said -> what a race keeps: races were stored with True and False before there were names.
AUGMENTATIONS: dict[str, Any] = {"none": False, "shift": "shift", "shift_flip": True, "strong": "strong"}


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class DataConfig(_Config):
    """Which images, and how many of them."""

    name: DatasetName = Field("digits", description="data set")
    folder: str = Field("", max_length=400, description="for 'folder': a folder below the data root, one subfolder a class")
    train_images: int | None = Field(
        None, ge=100, le=10_000_000, description="at most this many training images; None: the preset"
    )
    image_size: int | None = Field(None, ge=8, le=512, description="for 'folder': pixels a side that images are resized to")
    batch_size: int = Field(64, ge=8, le=4096, description="images a step")
    augment: bool | Literal["shift", "strong"] | None = Field(
        None,
        description="what happens to training images at random: none, shift, shift_flip, or strong (also brightness, contrast "
        "and erased rectangles); None: shift_flip for colour images only",
    )
    normalisation: str | None = Field(
        None,
        max_length=200,
        exclude_if=not_,  # what is stored, and its hashes, are as before there were any
        description="what images are normalised with, such as given weights were trained with: imagenet, half, unit, or mean/std "
        f"of pixels scaled to 0..1, such as {FORM}; None: the training images' own",
    )

    @field_validator("augment", mode="before")
    @classmethod
    def _a_name_or_what_it_stands_for(cls, given: Any) -> Any:
        if given is None or isinstance(given, bool):
            return given
        if not isinstance(given, str) or given not in AUGMENTATIONS:
            raise ValueError(f"one of {', '.join(AUGMENTATIONS)} is wanted, not {shown(given)}")
        return AUGMENTATIONS[given]

    @field_validator("normalisation")
    @classmethod
    def _without_spaces(cls, given: str | None) -> str | None:
        if given is None:
            return None
        text = "".join(given.split())
        normalisation(text)
        return text

    @model_validator(mode="after")
    def _folder_is_named(self) -> Self:
        if (self.name == "folder") != bool(self.folder):
            raise ValueError("'folder' names an image folder below the data root, for the data set 'folder' and no other")
        return self

    @model_validator(mode="after")
    def _normalisation_fits(self) -> Self:
        channels = DATASETS[self.name].channels if self.name in DATASETS else None
        if self.normalisation and channels and (why := misfit(self.normalisation, channels)):
            raise ValueError(f"normalisation {why}")
        return self

    @property
    def is_own(self) -> bool:
        """Whether the race was only watched: data, network and loop are its owner's."""
        return self.name == OWN


class MethodConfig(_Config):
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


class Schedule(_Config):
    """How long, and with which optimizer (SGD with momentum). None: the data set's preset."""

    dense_epochs: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="epochs of dense training, shared by all contenders; 0, the preset, with given weights and their own head",
    )
    sparse_epochs: int | None = Field(None, ge=1, le=1000, description="epochs with the regularizer")
    finetune_epochs: int | None = Field(None, ge=0, le=1000, description="epochs after the cut")
    learning_rate: float = Field(0.1, gt=0, le=10, description="peak; one cosine over dense, one over sparse + finetune")
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD")
    weight_decay: float = Field(5e-4, ge=0, le=1, description="on everything but the regularized parameters")
    recalibrate: bool = Field(True, description="re-estimate the BatchNorm statistics after the cut")


class RaceConfig(_Config):
    """A whole race: contenders = methods x seeds."""

    data: DataConfig = DataConfig()
    model: str = Field("cnn", max_length=100, pattern=NAMED, description="network: ours, or torchvision:NAME or timm:NAME")
    weights: str = Field("", max_length=200, description="of a trained network: a file below the models folder; '': none")
    fresh_head: bool = Field(
        False,
        exclude_if=not_,
        description="given weights without their last layer, which begins at random: for other classes than they were trained on",
    )
    methods: tuple[MethodConfig, ...] = Field(
        tuple(MethodConfig(name=name) for name in DEFAULT_METHODS), min_length=1, max_length=40, description="contenders"
    )
    pruning_ratio: float = Field(0.5, gt=0, lt=1, description="share of the channels to prune")
    macs_ratio: float | None = Field(
        None, gt=0, lt=1, description="share of the network's multiply-accumulates to remove, instead of a share of the channels"
    )
    seeds: tuple[int, ...] = Field((0,), min_length=1, max_length=20, description="one contender a method and seed")
    schedule: Schedule = Schedule()
    title: str = Field("", max_length=120, description="a name for people")

    @model_validator(mode="after")
    def _contenders_differ(self) -> Self:
        labels = [method.label for method in self.methods]
        twice = {label for label in labels if labels.count(label) > 1}
        if twice:
            raise ValueError(f"{sorted(twice)[0]!r} is listed twice; give the two different settings")
        if self.schedule.dense_epochs == 0 and not self.weights:
            raise ValueError("dense_epochs must be at least 1 where no weights are given: an untrained network tells nothing")
        if self.fresh_head and not self.weights:
            raise ValueError("fresh_head is for given weights: name their file in weights")
        if self.schedule.dense_epochs == 0 and self.fresh_head:
            raise ValueError("dense_epochs must be at least 1 with fresh_head: an untrained last layer tells nothing")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is listed twice")
        if any(not 0 <= seed < 2**31 for seed in self.seeds):
            raise ValueError("a seed is outside 0..2147483647")
        return self

    @classmethod
    def build(cls, **fields: Any) -> Self:
        """Validate; raise one `ConfigError` sentence (what, where, allowed) for the first thing that is wrong."""
        try:
            config = cls(**fields)
        except ValidationError as error:
            raise ConfigError(_sentence(error)) from None
        if config.data.is_own:  # what it trains, and how, is not ours to check
            _check_visible("title", config.title)
            return config
        # What follows is not part of the model: races that were stored before it was refused, or elsewhere, must stay readable.
        check_model(config.model)
        for method in config.methods:
            check_method(method.name)
        for where, text in (("title", config.title), ("data.folder", config.data.folder), ("weights", config.weights)):
            _check_visible(where, text)
        if config.data.image_size is not None and config.data.name != "folder":
            side = DATASETS[config.data.name].size
            raise ConfigError(f"data.image_size is for 'folder': the images of {config.data.name} are {side} x {side} pixels")
        for method in config.methods:
            most = method.strength_below(config.schedule.learning_rate)
            if method.effective_strength >= most:
                raise StrengthError(
                    f"{method.label}: with a learning rate of {config.schedule.learning_rate:g} the strength must stay below "
                    f"{most:g}, not {method.effective_strength:g}, or a step would carry n - D across zero by itself"
                )
        return config

    @property
    def unknown(self) -> set[str] | None:
        """The fields that say nothing about a watched race, for `model_dump`; None for one of ours."""
        return {"data", "model", "weights", "schedule"} if self.data.is_own else None

    def contenders(self) -> list["ContenderConfig"]:
        """One a method and seed, in the order given, seeds outermost."""
        return [self.contender(method, seed) for seed in self.seeds for method in self.methods]

    def contender(self, method: MethodConfig, seed: int) -> "ContenderConfig":
        """This race as seen by one of its contenders, with the data set's preset filled in."""
        preset = DATASETS.get(self.data.name)  # a watched race has none
        dense, sparse, finetune = preset.epochs if preset else (None, None, None)
        if self.weights and not self.fresh_head:
            dense = 0
        chosen = self.schedule
        return ContenderConfig(
            data=self.data.model_copy(update={"train_images": self.data.train_images or (preset.images if preset else None)}),
            model=self.model,
            weights=self.weights,
            fresh_head=self.fresh_head,
            method=method,
            pruning_ratio=self.pruning_ratio,
            macs_ratio=self.macs_ratio,
            seed=seed,
            schedule=chosen.model_copy(
                update={
                    "dense_epochs": chosen.dense_epochs if chosen.dense_epochs is not None else dense,
                    "sparse_epochs": chosen.sparse_epochs if chosen.sparse_epochs is not None else sparse,
                    "finetune_epochs": chosen.finetune_epochs if chosen.finetune_epochs is not None else finetune,
                }
            ),
        )


class ContenderConfig(_Config):
    """Everything one worker needs to know; presets are filled in, so no field of the schedule is None, but of a watched race."""

    data: DataConfig
    model: str
    weights: str = ""
    fresh_head: bool = Field(False, exclude_if=not_)
    method: MethodConfig
    pruning_ratio: float
    macs_ratio: float | None = None  # the budget, where given
    seed: int
    schedule: Schedule

    @property
    def label(self) -> str:
        """The method's label with the seed, for logs."""
        return f"{self.method.label} seed {self.seed}"

    def dense_key(self) -> str:
        """Name of the dense checkpoint that all contenders with the same dense stage share: a hash of what shapes it."""
        schedule = self.schedule.model_dump(include={"dense_epochs", "learning_rate", "momentum", "weight_decay"})
        parts: list[Any] = [self.data.model_dump(), self.model, self.seed, schedule]
        if self.weights:
            parts.append(self.weights)
        if self.fresh_head:
            parts.append("fresh_head")
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


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


def _check_visible(where: str, text: str) -> None:
    """Refuse what would break lines, move a terminal's cursor or turn around the text beside it."""
    hidden = next((one for one in text if unicodedata.category(one) in ("Cc", "Zl", "Zp") or one in TURNING), None)
    if hidden is not None:
        raise ConfigError(f"{where}: take out the character U+{ord(hidden):04X}, which cannot be seen, from {shown(text)}")


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(shown(part).strip("'") for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        said = "only letters a to z, digits, spaces inside and . @ = + - _ are allowed"
        if first["loc"][-1] in ("name", "model"):
            said = "only letters a to z, digits and _ are allowed, and : in front of a network of another library"
    got = "" if first["type"] in ("value_error", "missing") else f", not {shown(first['input'])}"
    said = said[0].lower() + said[1:]
    return f"{where}: {said}{got}" if where else said
