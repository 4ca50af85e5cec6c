"""A whole race, and what one of its contenders is given."""

import hashlib
import json
from operator import not_
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from catalyst_core.catalog import DATASETS, DEFAULT_METHODS, MODELS, check_method, check_model
from catalyst_core.config.base import Config, check_visible, sentence
from catalyst_core.config.data import DataConfig
from catalyst_core.config.method import NAMED, MethodConfig
from catalyst_core.errors import ConfigError, StrengthError


class Schedule(Config):
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


class RaceConfig(Config):
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

    @property
    def brings_network(self) -> bool:
        """Whether the network or its weights are not ours: whether they fit the images shows only where they are tried."""
        return bool(self.weights) or self.model not in MODELS

    @classmethod
    def described(cls, **fields: Any) -> Self:
        """A race to look at, which may name methods, networks and settings that cannot be raced here. Raises as `build`."""
        try:
            config = cls(**fields)
        except ValidationError as error:
            raise ConfigError(sentence(error)) from None
        for where, text in (("title", config.title), ("data.folder", config.data.folder), ("weights", config.weights)):
            check_visible(where, text)
        return config

    @classmethod
    def build(cls, **fields: Any) -> Self:
        """Validate; raise one `ConfigError` sentence (what, where, allowed) for the first thing that is wrong."""
        config = cls.described(**fields)
        if config.data.is_own:  # what it trains, and how, is not ours to check
            return config
        check_model(config.model)
        for method in config.methods:
            check_method(method.name)
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


class ContenderConfig(Config):
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
