"""Which images a race is on."""

from operator import not_
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from catalyst_core.catalog import DATASETS, OWN, DatasetName
from catalyst_core.config.base import Config
from catalyst_core.errors import shown
from catalyst_core.normalisations import FORM, misfit, normalisation

# What may be said -> what a race keeps: races were stored with True and False before there were names.
AUGMENTATIONS: dict[str, Any] = {"none": False, "shift": "shift", "shift_flip": True, "strong": "strong"}


class DataConfig(Config):
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
