"""The story of an activation: which layers' affine parameters make it, and what happened to it since.

    unscaled   an operation with f(s x) != s f(x) for some s > 0: channels behind it cannot be rescaled
    moved      an operation with f(0) != 0: a silent channel does not arrive as zero

Both are found out by running the operation on random numbers, on multiples of them and on zeros.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SCALES = (2.0**-4, 2.0, 2.0**8)  # powers of two: exact, and far enough to leave the linear part of a clamp


@dataclass(frozen=True)
class Path:
    """What lies between a layer and an activation."""

    steps: int = 0
    unscaled: str | None = None  # the first operation that does not scale with its input
    moved: tuple[str, ...] = ()  # what makes something else of zero

    def then(self, unscaled: str | None, moved: str | None) -> "Path":
        """One operation more."""
        return Path(self.steps + 1, self.unscaled or unscaled, (*self.moved, moved) if moved else self.moved)


Story = dict[str, Path]  # layer name -> path from there


def merge(*stories: Story) -> Story:
    """Of what is computed from several activations."""
    merged: Story = {}
    for story in stories:
        for layer, path in story.items():
            known = merged.get(layer)
            if known is not None and known != path:
                path = Path(
                    max(known.steps, path.steps), known.unscaled or path.unscaled, tuple(dict.fromkeys(known.moved + path.moved))
                )
            merged[layer] = path
    return merged


def lengthen(story: Story, unscaled: str | None = None, moved: str | None = None) -> Story:
    """The story with one operation more."""
    return {layer: path.then(unscaled, moved) for layer, path in story.items()}


def probe(again: Callable[[Callable[[Tensor], Tensor]], Tensor], title: str) -> tuple[str | None, str | None]:
    """(unscaled, moved) of an operation. `again(replace)` runs it with `replace` applied to what it was given."""
    generator = torch.Generator().manual_seed(0)
    drawn: dict[int, Tensor] = {}

    def numbers(one: Tensor) -> Tensor:
        if id(one) not in drawn:
            drawn[id(one)] = torch.randn(one.shape, generator=generator)
        return drawn[id(one)].clone()

    at_zero = again(lambda one: torch.zeros(one.shape)).float().flatten()
    value = float(at_zero[at_zero.abs().argmax()]) if at_zero.numel() else 0.0
    expected = again(numbers)
    scaled = all(torch.equal(again(lambda one, s=scale: numbers(one) * s), expected * scale) for scale in SCALES)
    return None if scaled else f"{title} does not scale with its input", f"{title} maps 0 to {value:.3g}" if value else None


def acts_alone(again: Callable[[Callable[[Tensor], Tensor]], Tensor], shape: torch.Size) -> bool:
    """Whether every entry of the result depends on the entry in its own place alone, and on no other, place by place alike."""
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    half = torch.rand(shape, generator=generator) < 0.5
    order = torch.randperm(one.numel(), generator=generator)
    first = again(lambda _: one.clone())
    if first.shape != shape:
        return False
    mixed, shuffled = again(lambda _: torch.where(half, one, other)), again(lambda _: one.flatten()[order].view(shape))
    return torch.equal(mixed[half], first[half]) and torch.equal(shuffled.flatten(), first.flatten()[order])
