"""A user's own images: one subfolder a class below the data root, or train/ and test/ (val/) with such subfolders.

Without test/ the images are split 70 : 10 : 20. With train/ and val/ only, val/ is the test set; what is missing is
split off train/.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from catalyst_core.catalog import DATASETS
from catalyst_core.config import DataConfig
from catalyst_core.data.decoded import decoded
from catalyst_core.data.images import Header, inspect
from catalyst_core.data.listing import Files, Layout, layout
from catalyst_core.data.normalised import check_channels, held_bytes
from catalyst_core.data.sampling import Labelled, Raw, capped, stratified, without
from catalyst_core.errors import DataError, shown

VALIDATION, TEST = 2000, 10_000  # at most
INSPECTED = 2000  # images whose headers the preflight reads
SIZES = (8, 32)  # pixels a side, for the default


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
    bytes: int  # in memory

    @property
    def parts(self) -> tuple[Files, Files, Files]:
        """Train, val and test."""
        return self.train, self.val, self.test


def check_folder(config: DataConfig) -> None:
    """Raise `DataError`: outside the data root, empty, one class, unreadable or huge images, too large for the memory,
    or grey ones with a normalisation for colours."""
    listed(as_raced(config), np.random.default_rng(0))


def as_raced(config: DataConfig) -> DataConfig:
    """With the number of training images that a race fills in where none is given."""
    return config.model_copy(update={"train_images": config.train_images or DATASETS[config.name].images})


def read_folder(config: DataConfig, generator: np.random.Generator) -> Raw:
    """Read, crop to squares and resize; damaged images are skipped and named in the notes."""
    listing, skipped = listed(config, generator), list[Path]()
    parts = [read(files, listing, skipped) for files in listing.parts]
    notes = (f"{len(skipped)} of the images cannot be read and were skipped: {names(skipped)}",) if skipped else ()
    return Raw(*parts, classes=listing.layout.classes, notes=notes)


def listed(config: DataConfig, generator: np.random.Generator, named: str = "") -> Listing:
    """List the folder, draw the splits and look at some headers; `named`: as sentences call it.

    Raises `DataError` as `check_folder` does.
    """
    found = layout(config.folder, named)
    headers = _headers(found)
    good = [header for header in headers.values() if header]
    channels = 1 if all(header.grey for header in good) else 3
    check_channels(config.normalisation, channels)
    size = config.image_size or _default_size(good)
    if config.train_images is not None and config.train_images < len(found.classes):
        raise DataError(f"{config.train_images} training images are too few for {len(found.classes)} classes")
    parts = _split(found, config.train_images, generator)
    need = sum(held_bytes(len(files.paths) * channels * size**2) for files in parts)
    _check_memory(sum(len(files.paths) for files in parts), size, need)
    return Listing(found, headers, channels, size, *parts, bytes=need)


def _headers(found: Layout) -> dict[Path, Header | None]:
    """Of images all over the training set. Raises `DataError` where a class has no image that can be read."""
    paths, labels = found.train.paths, found.train.labels
    sample = np.unique(np.linspace(0, len(paths) - 1, INSPECTED).astype(int))
    headers = {paths[i]: inspect(paths[i]) for i in sample}
    seen = {int(labels[i]) for i in sample if headers[paths[i]]}
    more: dict[Path, Header | None] = {}
    for label in sorted(set(range(len(found.classes))) - seen):
        mine = [paths[i] for i in np.flatnonzero(labels == label)]
        first = next(((path, header) for path in mine if (header := inspect(path))), None)
        if first is None:
            raise DataError(f"none of the images of class {shown(found.classes[label])} can be read: {names(mine)}")
        more |= dict([first])
    return headers if any(headers.values()) else headers | more  # not in the sample: small classes do not change the size


def _default_size(headers: Sequence[Header]) -> int:
    smallest, largest = SIZES
    return int(np.clip(np.median([min(header.width, header.height) for header in headers]), smallest, largest))


def _check_memory(images: int, size: int, need: int) -> None:
    free = psutil.virtual_memory().available
    if need > free / 2:
        raise DataError(
            f"{images} images of {size} x {size} pixels take {need / 1e9:.1f} GB, more than half of the free memory "
            f"({free / 1e9:.1f} GB): choose a smaller image_size or fewer train_images"
        )


def _split(found: Layout, limit: int | None, generator: np.random.Generator) -> tuple[Files, Files, Files]:
    rest, test = _part(found.train, found.test, 0.2, TEST, generator)
    rest, val = _part(rest, found.val, 0.1 if found.test else 0.125, VALIDATION, generator)
    return rest.at(capped(rest.labels, limit, generator)), val, test


def _part(source: Files, given: Files | None, share: float, most: int, generator: np.random.Generator) -> tuple[Files, Files]:
    """Split a share of at most `most` images off `source`, or take that many of the given ones."""
    if given is not None:
        return source, given.at(capped(given.labels, max(most, int(source.labels.max()) + 1), generator))
    classes = len(np.unique(source.labels))
    chosen = stratified(source.labels, max(classes, min(most, round(share * len(source.labels)))), generator)
    return source.at(without(len(source.labels), chosen)), source.at(chosen)


def read(files: Files, listing: Listing, skipped: list[Path]) -> Labelled:
    """Decode these; what cannot be read joins `skipped`. Raises `DataError` where that is all of a class."""
    images, good = decoded(files.paths, listing.channels, listing.size)
    skipped += [path for path, fine in zip(files.paths, good, strict=True) if not fine]
    left = np.bincount(files.labels[good], minlength=len(listing.layout.classes))
    lost = [label for label in np.unique(files.labels) if not left[label]]
    if lost:
        mine = [files.paths[i] for i in np.flatnonzero(files.labels == lost[0])]
        raise DataError(f"none of the images drawn of class {shown(listing.layout.classes[lost[0]])} can be read: {names(mine)}")
    return Labelled(images, files.labels[good])


def names(paths: Sequence[Path], most: int = 3) -> str:
    """'cat/000.png, dog/001.png, ...': the first few."""
    return ", ".join(placed(path) for path in paths[:most]) + (", ..." if len(paths) > most else "")


def placed(path: Path) -> str:
    """The name of a file with the folder it lies in, as a message may repeat it."""
    return shown(f"{path.parent.name}/{path.name}").strip("'\"")
