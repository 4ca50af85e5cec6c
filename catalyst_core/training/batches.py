"""Training batches that depend on nothing but (seed, epoch): every contender sees the same ones in the same order.

What happens to the images of an epoch is drawn beside their order, for all of them at once: a batch in the middle of it
is the same whether or not those before it were made.
"""

# N = training images, K = colour channels, S = pixels a side, B = batch size

from collections.abc import Callable

import numpy as np
import torch

from catalyst_core.data import Splits

GAIN, BIAS = 0.4, 0.4  # strong: contrast 1 - GAIN to 1 + GAIN, brightness up to BIAS of the normalisation's deviation up or down
ERASED = 0.5  # strong: the share of the images that lose a rectangle of an eighth to a half of S a side

Draws = dict[str, torch.Tensor]  # what was drawn for each image of an epoch, by name


class Batches:
    """An endless sequence of batches, addressed by the step since the run began; the incomplete last one is left out."""

    def __init__(self, splits: Splits, batch_size: int, seed: int, augment: bool | str | None = None) -> None:
        """`augment`: what `DataConfig` keeps."""
        self._x, self._y = splits.train_x, splits.train_y
        self._size = min(batch_size, len(self._y))
        self._seed = seed
        self._changes = CHANGES[splits.channels == 3 if augment is None else augment]
        self._pad = max(1, splits.size // 8)
        self._side = splits.size
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
        drawn = {name: values[rows] for name, values in self._drawn.items()}
        for change in self._changes:
            x = change(x, self._pad, drawn)
        return x, y

    def _draw(self, epoch: int) -> None:
        # Order and shifts come first, whatever the preset: what is drawn after them does not move them.
        generator = np.random.default_rng([self._seed, epoch])
        images = len(self._y)
        self._order = torch.from_numpy(generator.permutation(images))
        drawn = {"shifts": generator.integers(0, 2 * self._pad + 1, (images, 2)), "flips": generator.integers(0, 2, images) > 0}
        if _erase in self._changes:
            drawn |= _draw_strong(generator, images, self._side)
        self._drawn = {name: torch.from_numpy(values) for name, values in drawn.items()}
        self._epoch = epoch


def shift_and_flip(x: torch.Tensor, pad: int, shifts: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """Pad x (B, K, S, S) by `pad` zeros, cut out windows that begin at shifts (B, 2), mirror left-right where flips (B,)."""
    given, size = x.numpy(), x.shape[-1]
    made = np.zeros(given.shape, given.dtype)
    # Copying rectangles one image at a time takes a sixth of the time that one gather over all of them takes.
    for image, window, (down, right), flip in zip(given, made, (shifts - pad).tolist(), flips.tolist(), strict=True):
        (to_rows, rows), (to_columns, columns) = _overlap(down, size), _overlap(right, size)
        target = window[:, :, ::-1] if flip else window
        target[:, to_rows, to_columns] = image[:, rows, columns]
    return torch.from_numpy(made)


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    """Where the pixels of a line of `size` come to lie in a window that begins `by` after it, and which of them do."""
    return slice(max(0, -by), size - max(0, by)), slice(max(0, by), size - max(0, -by))


def relight(x: torch.Tensor, gains: torch.Tensor, biases: torch.Tensor) -> torch.Tensor:
    """gain x + bias for x (B, K, S, S), gains and biases (B,): contrast about the normalisation's mean colour, brightness."""
    return x * gains[:, None, None, None] + biases[:, None, None, None]


def erase(x: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """x (B, K, S, S) with zeros, the normalisation's mean colour, in the boxes (B, 4): top, left, height, width.

    There is none where these are 0.
    """
    span = torch.arange(x.shape[-1])
    top, left, height, width = (side[:, None] for side in boxes.unbind(1))  # (B, 1)
    rows = (span >= top) & (span < top + height)  # (B, S)
    columns = (span >= left) & (span < left + width)
    return x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def _draw_strong(generator: np.random.Generator, images: int, side: int) -> dict[str, np.ndarray]:
    sizes = generator.integers(max(1, side // 8), side // 2 + 1, (images, 2))  # height, width
    sizes *= generator.random((images, 1)) < ERASED
    return {
        "gains": generator.uniform(1 - GAIN, 1 + GAIN, images).astype(np.float32),
        "biases": generator.uniform(-BIAS, BIAS, images).astype(np.float32),
        "boxes": np.concatenate([generator.integers(0, side - sizes + 1), sizes], axis=1),
    }


def _shift(x: torch.Tensor, pad: int, drawn: Draws) -> torch.Tensor:
    return shift_and_flip(x, pad, drawn["shifts"], torch.zeros_like(drawn["flips"]))


def _shift_flip(x: torch.Tensor, pad: int, drawn: Draws) -> torch.Tensor:
    return shift_and_flip(x, pad, drawn["shifts"], drawn["flips"])


def _relight(x: torch.Tensor, pad: int, drawn: Draws) -> torch.Tensor:
    return relight(x, drawn["gains"], drawn["biases"])


def _erase(x: torch.Tensor, pad: int, drawn: Draws) -> torch.Tensor:
    return erase(x, drawn["boxes"])


CHANGES: dict[bool | str, tuple[Callable[[torch.Tensor, int, Draws], torch.Tensor], ...]] = {
    False: (),
    "shift": (_shift,),
    True: (_shift_flip,),
    "strong": (_shift_flip, _relight, _erase),
}
