"""Images before normalisation, and stratified draws from them (numpy only)."""

# N = images, K = colour channels, S = pixels a side

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Labelled:
    """Images x (N, K, S, S) uint8 with labels y (N,) int64."""

    x: np.ndarray
    y: np.ndarray

    def at(self, indices: np.ndarray) -> "Labelled":
        """Those of them."""
        return Labelled(self.x[indices], self.y[indices])


@dataclass(frozen=True)
class Raw:
    """What a reader hands back."""

    train: Labelled
    val: Labelled
    test: Labelled
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    white: int = 255  # the level of the brightest pixel there may be; the darkest has 0


def stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """(N,) labels -> sorted indices of `count` images, every class in proportion, and at least one of each.

    Seats are shared out by largest remainder. `count` lies between the number of classes and N.
    """
    found, sizes = np.unique(labels, return_counts=True)
    assert len(found) <= count <= len(labels), (len(found), count, len(labels))
    exact = sizes * (count / len(labels))
    seats = np.maximum(np.floor(exact).astype(int), 1)
    while seats.sum() != count:  # hand out the rest; take back where "at least one" gave too many
        gap = exact - seats
        if seats.sum() < count:
            seats[np.argmax(np.where(seats < sizes, gap, -np.inf))] += 1
        else:
            seats[np.argmin(np.where(seats > 1, gap, np.inf))] -= 1
    drawn = [generator.permutation(np.flatnonzero(labels == label))[:n] for label, n in zip(found, seats, strict=True)]
    return np.sort(np.concatenate(drawn))


def without(total: int, indices: np.ndarray) -> np.ndarray:
    """0..total-1 except `indices`, sorted."""
    return np.setdiff1d(np.arange(total), indices)


def capped(labels: np.ndarray, limit: int | None, generator: np.random.Generator) -> np.ndarray:
    """Indices of all images, or of a stratified `limit` of them."""
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    return stratified(labels, limit, generator)
