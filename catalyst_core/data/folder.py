"""A user's own images: one subfolder a class below the data root, or train/ and test/ (val/) with such subfolders.

Without test/ the images are split 70 : 10 : 20. With train/ and val/ only, val/ is the test set; what is missing is
split off train/. Every path, symbolic links included, has to lie below the data root.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from catalyst_core.config import DataConfig, data_root
from catalyst_core.data.decoded import decoded
from catalyst_core.data.images import Header, inspect
from catalyst_core.data.sampling import Labelled, Raw, capped, stratified, without
from catalyst_core.errors import DataError, shown

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))
VALIDATION_NAMES = ("val", "valid", "validation")
VALIDATION, TEST = 2000, 10_000  # at most
SMALLEST_CLASS = 5  # images
INSPECTED = 2000  # images whose headers the preflight reads
SIZES = (8, 32)  # pixels a side, for the default


@dataclass(frozen=True)
class Files:
    """Image paths with labels (N,)."""

    paths: tuple[Path, ...]
    labels: np.ndarray

    def at(self, indices: np.ndarray) -> "Files":
        """Those of them."""
        return Files(tuple(self.paths[i] for i in indices), self.labels[indices])


@dataclass(frozen=True)
class Listing:
    """What a folder holds; val and test are None where they have to be split off."""

    classes: tuple[str, ...]
    train: Files
    val: Files | None
    test: Files | None
    channels: int
    size: int  # pixels a side


def check_folder(config: DataConfig) -> None:
    """Raise `DataError`: outside the data root, empty, one class, unreadable or huge images, too large for the memory."""
    _list(config)


def read_folder(config: DataConfig, generator: np.random.Generator) -> Raw:
    """Read, crop to squares and resize; damaged images are skipped and named in the notes."""
    listing = _list(config)
    train, val, test = _split(listing, config.train_images, generator)
    skipped: list[Path] = []
    parts = [_read(files, listing, skipped) for files in (train, val, test)]
    notes = (f"{len(skipped)} of the images cannot be read and were skipped: {_names(skipped)}",) if skipped else ()
    return Raw(*parts, classes=listing.classes, notes=notes)


def _list(config: DataConfig) -> Listing:
    root, folder = data_root().resolve(), config.folder
    base = _confined(root / folder, root, folder)
    try:
        if not base.is_dir():
            raise DataError(f"there is no folder {shown(folder)} below the data root {root}")
        parts = _subfolders(base, root)
        if "train" not in parts:
            return _described(config, _classes(parts, folder), None, None)
        train = _classes(_subfolders(parts["train"], root), f"{folder}/train")
        val_name = next((name for name in VALIDATION_NAMES if name in parts), None)
        val = _like(train, _subfolders(parts[val_name], root), f"{folder}/{val_name}") if val_name else None
        test = _like(train, _subfolders(parts["test"], root), f"{folder}/test") if "test" in parts else None
    except OSError as error:
        raise DataError(f"the folder {shown(folder)} cannot be read: {error.strerror or error}") from None
    return _described(config, train, val, test) if test else _described(config, train, None, val)


def _confined(path: Path, root: Path, named: str) -> Path:
    """`path` with its symbolic links followed, which has to lie below the data root."""
    try:
        resolved = path.resolve()
    except (OSError, ValueError, RuntimeError):  # a zero byte, a loop of links
        raise DataError(f"{shown(named)} is not a path that can be followed") from None
    if not resolved.is_relative_to(root):
        raise DataError(f"{shown(named)} leads out of the data root {root}; only folders below it are read")
    return resolved


def _subfolders(base: Path, root: Path) -> dict[str, Path]:
    names = sorted(entry.name for entry in os.scandir(base) if entry.is_dir() and not entry.name.startswith("."))
    return {name: _confined(base / name, root, f"{base.name}/{name}") for name in names}


def _images(folder: Path) -> list[Path]:
    root, found = data_root().resolve(), []
    for place, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                found.append(_image(path, root, f"{folder.name}/{name}"))
    return found


def _image(path: Path, root: Path, named: str) -> Path:
    """The file behind `path`. Opening a pipe would wait for its other end, a device has no end."""
    file = _confined(path, root, named) if path.is_symlink() else path
    if file.exists() and not file.is_file():
        raise DataError(f"{shown(named)} is a pipe, a socket or a device, not an image: take it out")
    return file


def _classes(folders: dict[str, Path], named: str) -> dict[str, list[Path]]:
    found = {name: _images(path) for name, path in folders.items()}
    if not any(found.values()):
        raise DataError(f"{shown(named)} holds no images: it needs one subfolder a class with images in it")
    if len(found) < 2:
        raise DataError(
            f"{shown(named)} holds one class ({shown(next(iter(found)))}); at least two subfolders with images are needed"
        )
    small = next((name for name, paths in found.items() if len(paths) < SMALLEST_CLASS), None)
    if small is not None:
        raise DataError(
            f"class {shown(small)} in {shown(named)} has {len(found[small])} images; at least {SMALLEST_CLASS} are needed"
        )
    return found


def _like(train: dict[str, list[Path]], folders: dict[str, Path], named: str) -> dict[str, list[Path]]:
    if unknown := sorted(set(folders) - set(train)):
        raise DataError(f"class {shown(unknown[0])} is in {shown(named)} but not in the training images")
    found = {name: _images(folders[name]) if name in folders else [] for name in train}
    if empty := [name for name, paths in found.items() if not paths]:
        raise DataError(f"{shown(named)} has no images of class {shown(empty[0])}")
    return found


def _described(
    config: DataConfig, train: dict[str, list[Path]], val: dict[str, list[Path]] | None, test: dict[str, list[Path]] | None
) -> Listing:
    files = _files(train)
    sample = np.unique(np.linspace(0, len(files.paths) - 1, INSPECTED).astype(int))
    headers = [inspect(files.paths[i]) for i in sample]
    good = [header for header in headers if header]
    for label, name in enumerate(train):
        if not any(headers[k] for k in np.flatnonzero(files.labels[sample] == label)):
            raise DataError(f"none of the images of class {shown(name)} can be read: {_names(train[name])}")
    channels = 1 if all(header.grey for header in good) else 3
    size = config.image_size or _default_size(good)
    if config.train_images is not None and config.train_images < len(train):
        raise DataError(f"{config.train_images} training images are too few for {len(train)} classes")
    _check_memory(min(len(files.paths), (config.train_images or len(files.paths)) + VALIDATION + TEST), channels, size)
    return Listing(tuple(train), files, val and _files(val), test and _files(test), channels, size)


def _files(classes: dict[str, list[Path]]) -> Files:
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(paths) for paths in classes.values()])
    return Files(tuple(path for paths in classes.values() for path in paths), labels)


def _default_size(headers: list[Header]) -> int:
    smallest, largest = SIZES
    return int(np.clip(np.median([min(header.width, header.height) for header in headers]), smallest, largest))


def _check_memory(images: int, channels: int, size: int) -> None:
    need, free = images * channels * size**2 * 4, psutil.virtual_memory().available
    if need > free / 2:
        raise DataError(
            f"{images} images of {size} x {size} pixels take {need / 1e9:.1f} GB, more than half of the free memory "
            f"({free / 1e9:.1f} GB): choose a smaller image_size or fewer train_images"
        )


def _split(listing: Listing, limit: int | None, generator: np.random.Generator) -> tuple[Files, Files, Files]:
    rest, test = _part(listing.train, listing.test, 0.2, TEST, generator)
    rest, val = _part(rest, listing.val, 0.1 if listing.test else 0.125, VALIDATION, generator)
    return rest.at(capped(rest.labels, limit, generator)), val, test


def _part(source: Files, given: Files | None, share: float, most: int, generator: np.random.Generator) -> tuple[Files, Files]:
    """Split a share of at most `most` images off `source`, or take that many of the given ones."""
    if given is not None:
        return source, given.at(capped(given.labels, max(most, int(source.labels.max()) + 1), generator))
    classes = len(np.unique(source.labels))
    chosen = stratified(source.labels, max(classes, min(most, round(share * len(source.labels)))), generator)
    return source.at(without(len(source.labels), chosen)), source.at(chosen)


def _read(files: Files, listing: Listing, skipped: list[Path]) -> Labelled:
    images, good = decoded(files.paths, listing.channels, listing.size)
    skipped += [path for path, fine in zip(files.paths, good, strict=True) if not fine]
    for label in np.unique(files.labels):
        if not good[files.labels == label].any():
            raise DataError(f"none of the images drawn of class {shown(listing.classes[label])} can be read: {_names(skipped)}")
    return Labelled(images, files.labels[good])


def _names(paths: list[Path]) -> str:
    return ", ".join(shown(path.name).strip("'") for path in paths[:3]) + (", ..." if len(paths) > 3 else "")
