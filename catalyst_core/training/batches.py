"""Training batches that depend on nothing but (seed, epoch): every contender sees the same ones in the same order."""

# N = training images, K = colour channels, S = pixels a side, B = batch size

import numpy as np
import torch
from torch.nn import functional

from catalyst_core.data import Splits


class Batches:
    """An endless sequence of batches, addressed by the step since the run began; the incomplete last one is left out."""

    def __init__(self, splits: Splits, batch_size: int, seed: int, augment: bool | None = None) -> None:
        self._x, self._y = splits.train_x, splits.train_y
        self._size = min(batch_size, len(self._y))
        self._seed = seed
        self._augment = splits.channels == 3 if augment is None else augment
        self._pad = max(1, splits.size // 8)
        self.per_epoch = len(self._y) // self._size
        self._epoch = -1

    def at(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (B, K, S, S) and labels (B,) of that step."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._draw(epoch)
        rows = slice(place * self._size, (place + 1) * self._size)
        chosen = self._order[rows]
        x, y = self._x[chosen], self._y[chosen]
        return (shift_and_flip(x, self._pad, self._shifts[rows], self._flips[rows]) if self._augment else x), y

    def _draw(self, epoch: int) -> None:
        generator = np.random.default_rng([self._seed, epoch])
        images = len(self._y)
        self._order = torch.from_numpy(generator.permutation(images))
        self._shifts = torch.from_numpy(generator.integers(0, 2 * self._pad + 1, (images, 2)))
        self._flips = torch.from_numpy(generator.integers(0, 2, images).astype(bool))
        self._epoch = epoch


def shift_and_flip(x: torch.Tensor, pad: int, shifts: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """Pad x (B, K, S, S) by `pad` zeros, cut out windows that begin at shifts (B, 2), mirror left-right where flips (B,)."""
    images, _, size, _ = x.shape
    span = torch.arange(size)
    rows = shifts[:, :1] + span  # (B, S)
    columns = shifts[:, 1:] + span
    columns = torch.where(flips[:, None], columns.flip(1), columns)
    padded = functional.pad(x, (pad, pad, pad, pad)).movedim(1, 3)  # (B, S + 2 pad, S + 2 pad, K)
    picked = padded[torch.arange(images)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return picked.movedim(3, 1).contiguous()
