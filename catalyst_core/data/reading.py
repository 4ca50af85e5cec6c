"""The splits of an image folder, decoded.

Damaged images are skipped. Where that would leave a class without an image in a split, one that can be read and could have
been drawn instead takes the place; all others stay where they were drawn.
"""

# N = images, K = classes

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalyst_core.data.decoded import decoded
from catalyst_core.data.images import Header, read_image
from catalyst_core.data.listing import Files, Layout, names
from catalyst_core.data.sampling import Labelled
from catalyst_core.errors import DataError, shown


@dataclass(frozen=True)
class Listing:
    """What a folder holds, and how a race reads it."""

    layout: Layout
    headers: dict[Path, Header | None]  # of some training images; None: no image
    channels: int
    size: int  # pixels a side
    train: Files
    val: Files
    test: Files
    spares: tuple[Files, Files, Files]  # of train, val and test: what they were drawn from, or gave to the others
    bytes: int  # in memory

    @property
    def parts(self) -> tuple[Files, Files, Files]:
        """Train, val and test."""
        return self.train, self.val, self.test


@dataclass(frozen=True)
class Decoded:
    """The splits with every image in memory."""

    parts: tuple[Labelled, Labelled, Labelled]  # train, val and test
    looked_at: int  # images that were decoded
    damaged: tuple[Path, ...]  # of them


def read(listing: Listing) -> Decoded:
    """Decode what was drawn. Raises `DataError` where too few images of a class can be read for every split to have one.

    The test images come first: they are the same ones whatever is trained on.
    """
    reader = _Reader(listing)
    test, val, train = (
        reader.part(name, getattr(listing, name), spare)
        for name, spare in zip(("test", "val", "train"), listing.spares[::-1], strict=True)
    )
    return Decoded((train, val, test), reader.looked_at, tuple(sorted(reader.damaged)))


class _Reader:
    """One split after the other."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self.damaged: dict[Path, int] = {}  # its class
        self.moved: set[Path] = set()  # into the place of one that is damaged
        self.looked_at = 0

    def part(self, name: str, files: Files, spare: Files) -> Labelled:
        """Decode these, with others of `spare` for classes of which none can be read."""
        if self.moved or self.damaged:
            files = files.at(np.flatnonzero([self._is_free(path) for path in files.paths]))
        images, good = decoded(files.paths, self._listing.channels, self._listing.size)
        self.looked_at += len(good)
        self.damaged |= {files.paths[i]: int(files.labels[i]) for i in np.flatnonzero(~good)}
        labels = files.labels[good]
        lost = np.setdiff1d(np.arange(len(self._listing.layout.classes)), labels)
        if not len(lost):
            return Labelled(images, labels)
        more = [self._instead(int(label), name, spare) for label in lost]
        return Labelled(np.concatenate((images, more)), np.concatenate((labels, lost)))

    def _instead(self, label: int, name: str, spare: Files) -> np.ndarray:
        """The first image (channels, size, size) of the class that can be read and has no other place."""
        for path in (spare.paths[i] for i in np.flatnonzero(spare.labels == label)):
            if not self._is_free(path):
                continue
            self.looked_at += 1
            image = read_image(path, self._listing.channels, self._listing.size)
            if image is not None:
                self.moved.add(path)
                return image
            self.damaged[path] = label
        damaged = sorted(path for path, its in self.damaged.items() if its == label)
        raise DataError(
            f"too few images of class {shown(self._listing.layout.classes[label])} can be read, {name} is left without one: "
            f"{names(damaged)}"
        )

    def _is_free(self, path: Path) -> bool:
        return path not in self.damaged and path not in self.moved
