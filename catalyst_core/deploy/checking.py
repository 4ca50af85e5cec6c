"""Whether a file computes what the network does: logits compared on the same images, in batches of several sizes."""

# N = images, K = classes

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from catalyst_core.errors import ConfigError, NetworkError, said_by

LIMIT = 1e-4  # the largest difference of a logit that a file may have
FEW, MANY = 7, 64  # images in a batch, beside one
MOST = 1000  # images
NOISE = 128  # images of random numbers


@dataclass(frozen=True)
class Sample:
    """Images that a network is checked on."""

    images: Tensor  # (N, ...)
    labels: Tensor | None = None  # (N,) int64: then the accuracy is measured
    name: str = "images"  # what they are: "test images of digits"

    @staticmethod
    def noise(example: Tensor) -> "Sample":
        """Images like the example (N, ...) of standard normal numbers, always the same."""
        generator = torch.Generator().manual_seed(0)
        images = torch.randn((NOISE, *example.shape[1:]), generator=generator, dtype=example.dtype)
        return Sample(images, name="images of random numbers")


class Checks:
    """The logits of a network in evaluation mode, and how far others are from them."""

    def __init__(self, model: nn.Module, sample: Sample) -> None:
        """Takes the first 1,000 images. Raises `ConfigError` without any, or with another number of labels, and
        `NetworkError` where the network does not run on them.
        """
        count = len(sample.images)
        if not count or (sample.labels is not None and len(sample.labels) != count):
            labels = "no labels" if sample.labels is None else f"{len(sample.labels)} labels"
            raise ConfigError(f"sample: {count} images and {labels}; at least one image is needed, and a label each or none")
        images = sample.images[:MOST].detach().cpu().contiguous()
        self.sample = Sample(images, None if sample.labels is None else sample.labels[:MOST].cpu(), sample.name)
        self.batches = [images[:1], images[:FEW], cycled(images, MANY)]
        self.batches += [batch for batch in images[MANY:].split(MANY) if len(batch)]
        self._expected = [_answer(model, batch) for batch in self.batches]

    @property
    def described(self) -> dict[str, Any]:
        """What was checked on, as plain data."""
        sizes = sorted({len(batch) for batch in self.batches})
        return {"images": len(self.sample.images), "of": self.sample.name, "batches": sizes}

    @property
    def accuracy(self) -> float | None:
        """Share of the images that the network classifies as they are labelled; None without labels."""
        if self.sample.labels is None:
            return None
        count = len(self.sample.images)
        logits = torch.cat([self._expected[2][:count], *self._expected[3:]])
        return float((logits.argmax(1) == self.sample.labels).double().mean())

    def compare(self, call: Callable[[Tensor], Tensor], *, exact: bool = False) -> float:
        """The largest absolute difference of a logit.

        Raises `NetworkError` above 1e-4, or above 0 where it has to be `exact`, and where the call fails.
        """
        worst = 0.0
        for batch, logits in zip(self.batches, self._expected, strict=True):
            distance = _distance(_alike(_answer(call, batch), logits), logits)
            worst = max(worst, distance) if distance == distance else distance  # a number that is none is no agreement
        if not worst <= (0.0 if exact else LIMIT):
            allowed = "not a bit may differ" if exact else f"at most {LIMIT:g} is allowed"
            largest = max(float(logits.abs().max()) for logits in self._expected)
            said = f"it gives other logits than the network, by {worst:.1e} at most, and {allowed}"
            raise NetworkError(f"{said} (the largest logit is {largest:.1e})")
        return worst


def cycled(images: Tensor, count: int) -> Tensor:
    """(N, ...) -> (count, ...): the first ones, again from the start where there are fewer."""
    return images[torch.arange(count) % len(images)]


@torch.no_grad()
def _answer(call: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    try:
        return call(batch)
    except Exception as error:  # whatever a foreign runtime raises
        raise NetworkError(f"it does not run on a batch of {len(batch)} ({said_by(error)})") from error


def _alike(found: Tensor, expected: Tensor) -> Tensor:
    """`found`, which has shape and type of what is expected. Raises `NetworkError`."""
    said = [f"{tuple(one.shape)} {str(one.dtype).removeprefix('torch.')}" for one in (found, expected)]
    if said[0] != said[1]:
        raise NetworkError(f"it answers with {said[0]} where the network answers with {said[1]}")
    return found


def _distance(found: Tensor, expected: Tensor) -> float:
    return 0.0 if torch.equal(found, expected) else float((found - expected).abs().max())
