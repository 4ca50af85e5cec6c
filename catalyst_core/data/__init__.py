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
from catalyst_core.data.official import check_official, read_official
from catalyst_core.data.sampling import Labelled

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

    Every channel is shifted and scaled to mean 0 and standard deviation 1 of the training images.
    """

    train_x: "torch.Tensor"
    train_y: "torch.Tensor"
    val_x: "torch.Tensor"
    val_y: "torch.Tensor"
    test_x: "torch.Tensor"
    test_y: "torch.Tensor"
    classes: tuple[str, ...]
    channels: int
    size: int  # pixels a side
    notes: tuple[str, ...] = ()  # sentences for a person: images that were skipped


def check_data(config: DataConfig) -> None:
    """Raise `DataError`, one sentence, when `load_data` could not succeed; takes seconds at most, needs no torch."""
    CHECKS[config.name](config)


def load_data(config: DataConfig, seed: int = 0) -> Splits:
    """Read the data set, downloading it only when no copy is on the machine.

    `seed` draws the splits and the capped training images; leave it alone for comparable results.
    Raises `DataError`: missing and offline, empty, unreadable, or too large for the memory.
    """
    raw = READERS[config.name](config, np.random.default_rng(seed))
    mean, std = _statistics(raw.train.x)
    train, val, test = (_tensors(part, mean, std) for part in (raw.train, raw.val, raw.test))
    _, channels, size, _ = raw.train.x.shape
    return Splits(*train, *val, *test, classes=raw.classes, channels=channels, size=size, notes=raw.notes)


def _statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, K, S, S) -> mean and standard deviation (1, K, 1, 1) of each channel; a constant channel is not scaled."""
    mean = x.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    std = x.std(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    return mean.astype(np.float32), np.where(std > 0, std, 1.0).astype(np.float32)


def _tensors(part: Labelled, mean: np.ndarray, std: np.ndarray) -> tuple["torch.Tensor", "torch.Tensor"]:
    import torch

    return torch.from_numpy((part.x - mean) / std), torch.from_numpy(part.y)
