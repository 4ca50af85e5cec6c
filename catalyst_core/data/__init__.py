"""Labelled images as tensors, in fixed splits: train (capped), validation (for choices), test (for the ledger).

`check_data` is the cheap preflight of the process that serves the pages: it imports neither torch nor torchvision.
Splits are stratified and always drawn with the same seed, so every race on a data set is judged on the same images.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catalyst_core.config import DataConfig
from catalyst_core.data.digits import check_digits, read_digits
from catalyst_core.data.folder import check_folder, read_folder
from catalyst_core.data.normalised import Images, constants
from catalyst_core.data.normalised import normalised as in_memory
from catalyst_core.data.official import check_official, read_official
from catalyst_core.data.seen import Seen, seen
from catalyst_core.errors import DataError

if TYPE_CHECKING:
    import torch

READERS = {
    "digits": read_digits,
    "fashion_mnist": read_official,
    "mnist": read_official,
    "cifar10": read_official,
    "cifar100": read_official,
    "folder": read_folder,
}
CHECKS = {
    "digits": check_digits,
    "fashion_mnist": check_official,
    "mnist": check_official,
    "cifar10": check_official,
    "cifar100": check_official,
    "folder": check_folder,
}


@dataclass(frozen=True)
class Splits:
    """A data set in memory: images (N, channels, size, size) float32, labels (N,) int64.

    Every channel is shifted and scaled, to mean 0 and standard deviation 1 of the training images or as the configuration
    says. Many images are `Images`, which take a quarter of the memory: slices, index tensors, `split`, `shape` and `len` give
    what a tensor would.
    """

    train_x: "torch.Tensor | Images"
    train_y: "torch.Tensor"
    val_x: "torch.Tensor | Images"
    val_y: "torch.Tensor"
    test_x: "torch.Tensor | Images"
    test_y: "torch.Tensor"
    classes: tuple[str, ...]
    channels: int
    size: int  # pixels a side
    notes: tuple[str, ...] = ()  # sentences for a person: images that were skipped
    seen: Seen | None = None  # what is kept of them with a network


def check_data(config: DataConfig) -> None:
    """Raise `DataError`, one sentence, when `load_data` could not succeed; takes seconds at most, needs no torch."""
    _refuse_own(config)
    CHECKS[config.name](config)


def load_data(config: DataConfig, seed: int = 0) -> Splits:
    """Read the data set, downloading it only when no copy is on the machine.

    `seed` draws the splits and the capped training images; leave it alone for comparable results.
    Raises `DataError`: missing and offline, empty, unreadable, too large for the memory, or of other
    channels than its normalisation.
    """
    import torch

    _refuse_own(config)
    raw = READERS[config.name](config, np.random.default_rng(seed))
    mean, std = constants(raw, config.normalisation)
    _, channels, size, _ = raw.train.x.shape
    parts = {}
    for name in ("train", "val", "test"):
        part = getattr(raw, name)
        parts |= {f"{name}_x": in_memory(part.x, mean, std), f"{name}_y": torch.from_numpy(part.y)}
    return Splits(**parts, classes=raw.classes, channels=channels, size=size, notes=raw.notes, seen=seen(raw, mean, std))


def _refuse_own(config: DataConfig) -> None:
    if config.is_own:
        others = ", ".join(READERS)
        raise DataError(f"'own' are the data of a training loop that Catalyst only watches: a race needs one of {others}")
