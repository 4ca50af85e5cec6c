"""Images in memory: few as float32, many as the bytes that were read, which become the same float32 numbers a batch at a time.

x = (bytes - mean) / std, channel by channel, in float32: subtraction and division are rounded the same way in a batch as
in the whole, so it makes no difference to training which of the two it was.
"""

# N = images, K = colour channels, S = pixels a side

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from catalyst_core.data.sampling import Raw
from catalyst_core.errors import DataError
from catalyst_core.normalisations import misfit, normalisation

if TYPE_CHECKING:
    import torch

LARGE = 2**28  # bytes of float32: more are not held in memory, a quarter of them is
COUNTED = 2**22  # pixels whose levels are counted at once
FLOAT_BYTES = 4


class Images:
    """Images x (N, K, S, S) that take a byte a value: a slice or an index tensor (B,) of them is float32 and normalised."""

    def __init__(self, pixels: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
        """`pixels` (N, K, S, S) uint8, `mean` and `std` (1, K, 1, 1) float32."""
        import torch

        writable = np.require(pixels, requirements="W")  # torch warns of others
        self._pixels, self._mean, self._std = (torch.from_numpy(one) for one in (writable, mean, std))

    def __len__(self) -> int:
        return len(self._pixels)

    @property
    def shape(self) -> "torch.Size":
        """(N, K, S, S)."""
        return self._pixels.shape

    def __getitem__(self, which: "slice | torch.Tensor") -> "torch.Tensor":
        return self._pixels[which].float().sub_(self._mean).div_(self._std)

    def split(self, count: int) -> "Iterator[torch.Tensor]":
        """All of them, `count` at a time."""
        return (self[start : start + count] for start in range(0, len(self), count))

    def numpy(self) -> np.ndarray:
        """The bytes as they were read: what tells one set of images from another."""
        return self._pixels.numpy()


def normalised(pixels: np.ndarray, mean: np.ndarray, std: np.ndarray) -> "torch.Tensor | Images":
    """Images (N, K, S, S) uint8 with each channel shifted and scaled; a tensor unless it would be `LARGE`."""
    if pixels.size * FLOAT_BYTES > LARGE:
        return Images(pixels, mean, std)
    import torch

    x = pixels - mean
    x /= std
    return torch.from_numpy(x)


def held_bytes(values: int) -> int:
    """What so many values of one split take in memory while they are read: their bytes, and the floats where these stay."""
    floats = values * FLOAT_BYTES
    return values if floats > LARGE else values + floats


def constants(raw: Raw, text: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (1, K, 1, 1) that its images are normalised with, in its own levels.

    `text`: as `DataConfig.normalisation`; None: those of the training images. Raises `DataError` where it is for others.
    """
    if text is None:
        return statistics(raw.train.x)
    channels = raw.train.x.shape[1]
    check_channels(text, channels)
    chosen = normalisation(text)
    mean, std = (np.resize(raw.white * np.array(one), (1, channels, 1, 1)) for one in (chosen.mean, chosen.std))
    return mean.astype(np.float32), std.astype(np.float32)


def check_channels(text: str | None, channels: int) -> None:
    """Raise `DataError` where images of so many channels cannot be normalised so."""
    if text is not None and (why := misfit(text, channels)):
        raise DataError(f"normalisation {why}")


def statistics(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, K, S, S) uint8 -> mean and standard deviation (1, K, 1, 1) of each channel; a constant channel is not scaled.

    From counts of the 256 levels: numpy's own `std` would hold all images in float64, eight times their bytes.
    """
    levels = np.arange(256.0)
    counts = np.zeros((pixels.shape[1], 256))
    step = max(1, COUNTED // pixels[0, 0].size)
    for start in range(0, len(pixels), step):
        for channel, count in enumerate(counts):
            count += np.bincount(pixels[start : start + step, channel].ravel(), minlength=256)
    total = counts.sum(axis=1)  # (K,)
    mean = counts @ levels / total  # whole numbers below 2^53 until the division: exact
    std = np.sqrt((counts * (levels - mean[:, None]) ** 2).sum(axis=1) / total)
    shape = (1, -1, 1, 1)
    return mean.astype(np.float32).reshape(shape), np.where(std > 0, std, 1.0).astype(np.float32).reshape(shape)
