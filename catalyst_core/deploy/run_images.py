"""The images of a run: what its network was trained on, and those that its files can be checked on."""

from typing import Any

import numpy as np
import torch

from catalyst_core.config import ContenderConfig
from catalyst_core.data import READERS
from catalyst_core.data.normalised import constants, normalised
from catalyst_core.data.official import SOURCES, find_copy
from catalyst_core.data.sampling import Raw
from catalyst_core.data.seen import Seen, digest, seen
from catalyst_core.deploy.checking import MOST, Sample
from catalyst_core.errors import DataError


def images_of(config: ContenderConfig, recipe: dict[str, Any]) -> tuple[Seen | None, Sample | None, str]:
    """What it was trained on, as kept with it; its test images as far as they are here; a sentence where something is missing."""
    raw, why = _read(config, recipe)
    if "images" not in recipe:  # of a version that kept nothing
        if raw is None:
            return None, None, f"{why}, so nothing is said about their classes and pixels."
        mean, std = constants(raw, config.data.normalisation)
        return seen(raw, mean, std), _sample(raw, mean, std), "Classes and pixels are those of the images as they are by now."
    known = Seen(**recipe["images"])
    if raw is not None and (raw.classes != known.classes or digest(raw.test) != known.test):
        raw, why = None, "The test images on this machine are others than those of the race"
    if raw is None:
        return known, None, f"{why}, so the files were checked on random numbers."
    mean, std = (np.array(one, dtype=np.float32).reshape(1, -1, 1, 1) for one in (known.mean, known.std))
    return known, _sample(raw, mean, std), ""


def _read(config: ContenderConfig, recipe: dict[str, Any]) -> tuple[Raw | None, str]:
    """The images of its data set, or the beginning of a sentence where they are not here, or do not fit. None are downloaded."""
    name = config.data.name
    try:
        if name in SOURCES and find_copy(name) is None:
            return None, f"The images of {name} are not on this machine"
        raw = READERS[name](config.data, np.random.default_rng(0))
    except DataError as error:
        return None, f"The images could not be read ({error})"
    if raw.train.x.shape[1:] != (recipe["channels"], recipe["size"], recipe["size"]) or len(raw.classes) != recipe["classes"]:
        return None, "The images in the folder are not those that it was trained on"
    return raw, ""


def _sample(raw: Raw, mean: np.ndarray, std: np.ndarray) -> Sample:
    """The test images, or 1,000 of them drawn at random: folders come sorted by class."""
    count = len(raw.test.y)
    if count <= MOST:
        chosen, name = raw.test, "test images"
    else:
        places = np.sort(np.random.default_rng(0).choice(count, MOST, replace=False))
        chosen, name = raw.test.at(places), f"test images (drawn from {count:,})"
    images = normalised(chosen.x, mean, std)
    return Sample(images[:], torch.from_numpy(chosen.y), name)
