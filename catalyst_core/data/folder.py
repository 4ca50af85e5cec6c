"""A user's own images: one subfolder a class below the data root, or train/ and test/ (val/) with such subfolders.

Without test/ the images are split 70 : 10 : 20. With train/ and val/ only, val/ is the test set; what is missing is
split off train/.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import psutil

from catalyst_core.catalog import DATASETS
from catalyst_core.config import DataConfig
from catalyst_core.data.images import Header, inspect
from catalyst_core.data.listing import Files, Layout, layout, names
from catalyst_core.data.normalised import check_channels, held_bytes
from catalyst_core.data.reading import Listing, read
from catalyst_core.data.sampling import Raw, capped, stratified, without
from catalyst_core.errors import DataError, shown

VALIDATION, TEST = 2000, 10_000  # at most
INSPECTED = 2000  # images whose headers the preflight reads
SIZES = (8, 32)  # pixels a side, for the default

Drawn = tuple[Files, Files, Files]  # train, val and test
Headers = dict[Path, Header | None]  # None: no image


def check_folder(config: DataConfig) -> None:
    """Raise `DataError`: outside the data root, empty, one class, unreadable or huge images, too large for the memory,
    or grey ones with a normalisation for colours."""
    listed(as_raced(config), np.random.default_rng(0))


def as_raced(config: DataConfig) -> DataConfig:
    """With the number of training images that a race fills in where none is given."""
    return config.model_copy(update={"train_images": config.train_images or DATASETS[config.name].images})


def read_folder(config: DataConfig, generator: np.random.Generator) -> Raw:
    """Read, crop to squares and resize; damaged images are skipped and named in the notes."""
    listing = listed(config, generator)
    found = read(listing)
    count = len(found.damaged)
    skipped = [f"{count} of the images cannot be read and were skipped: {names(found.damaged)}"] * bool(count)
    return Raw(*found.parts, classes=listing.layout.classes, notes=(*skipped, *listing.layout.left_out))


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
    parts, spares = _split(found, config.train_images, generator)
    need = sum(held_bytes(len(files.paths) * channels * size**2) for files in parts)
    _check_memory(sum(len(files.paths) for files in parts), size, need)
    return Listing(found, headers, channels, size, *parts, spares=spares, bytes=need)


def _headers(found: Layout) -> Headers:
    """Of images all over the training set. Raises `DataError` where a class has too few images that can be read."""
    paths = found.train.paths
    sample = np.unique(np.linspace(0, len(paths) - 1, INSPECTED).astype(int))
    headers = {paths[i]: inspect(paths[i]) for i in sample}
    given = [part for part in zip((found.val, found.test), found.origins[1:], strict=True) if part[0]]
    more = _of_each_class(found.classes, found.train, found.origins[0], 3 - len(given), headers)
    for files, origin in given:
        _of_each_class(found.classes, files, origin, 1, {})
    return headers if any(headers.values()) else headers | more  # not in the sample: small classes do not change the size


def _of_each_class(classes: Sequence[str], files: Files, origin: str, least: int, known: Headers) -> Headers:
    """The first `least` images of every class that can be read. Raises `DataError` where there are fewer."""
    found: Headers = {}
    for label, name in enumerate(classes):
        mine = [files.paths[i] for i in np.flatnonzero(files.labels == label)]
        headers = ((path, known[path] if path in known else inspect(path)) for path in mine)
        good = list(islice(((path, header) for path, header in headers if header), least))
        if len(good) < least:
            damaged = names([path for path in mine if path not in dict(good)])
            where = f"class {shown(name)}" + f" in {origin}/" * bool(origin)
            count = f"{len(good)} of the {len(mine)}" if good else "none of the"
            raise DataError(f"{count} images of {where} can be read, and every split needs one of its own: {damaged}")
        found |= good
    return found


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


def _split(found: Layout, limit: int | None, generator: np.random.Generator) -> tuple[Drawn, Drawn]:
    """Train, val and test, and what each of them may take from instead of damaged images."""
    rest, test = _part(found.train, found.test, 0.2, TEST, generator)
    rest, val = _part(rest, found.val, 0.1 if found.test else 0.125, VALIDATION, generator)
    spares = (rest, *(rest if given is None else given for given in (found.val, found.test)))
    return (rest.at(capped(rest.labels, limit, generator)), val, test), spares


def _part(source: Files, given: Files | None, share: float, most: int, generator: np.random.Generator) -> tuple[Files, Files]:
    """Split a share of at most `most` images off `source`, or take that many of the given ones."""
    if given is not None:
        return source, given.at(capped(given.labels, max(most, int(source.labels.max()) + 1), generator))
    classes = len(np.unique(source.labels))
    chosen = stratified(source.labels, max(classes, min(most, round(share * len(source.labels)))), generator)
    return source.at(without(len(source.labels), chosen)), source.at(chosen)
