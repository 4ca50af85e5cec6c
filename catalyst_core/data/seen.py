"""What a network was trained on, as plain data that is kept with it: who uses it later may have other images, or none."""

# N = images, K = colour channels, S = pixels a side

import hashlib
from dataclasses import dataclass

import numpy as np

from catalyst_core.data.sampling import Labelled, Raw


@dataclass(frozen=True)
class Seen:
    """Classes, pixels and counts of the images of a race."""

    classes: tuple[str, ...]  # in the order of the logits
    mean: tuple[float, ...]  # (K,): images are (pixels - mean) / std
    std: tuple[float, ...]
    white: int  # pixels are whole numbers from 0 to this
    counts: dict[str, int]  # images of train, val and test
    test: str  # `digest` of the test images


def seen(raw: Raw, mean: np.ndarray, std: np.ndarray) -> Seen:
    """Of images that are normalised with `mean` and `std` (1, K, 1, 1)."""
    counts = {name: len(getattr(raw, name).y) for name in ("train", "val", "test")}
    numbers = (tuple(one.ravel().tolist()) for one in (mean, std))
    return Seen(raw.classes, *numbers, white=raw.white, counts=counts, test=digest(raw.test))


def digest(images: Labelled) -> str:
    """A hash of pixels and labels."""
    found = hashlib.blake2b(np.ascontiguousarray(images.x), digest_size=16)
    found.update(np.ascontiguousarray(images.y, dtype="<i8"))
    return found.hexdigest()
