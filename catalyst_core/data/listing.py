"""Which image files a folder below the data root holds, class by class. Names only: no file is opened.

Every path, symbolic links included, has to lie below the data root. One look at each folder says of all its entries what
they are; asking for each file by itself takes most of the time of a preflight.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalyst_core.errors import DataError, shown
from catalyst_core.places import confined, data_root

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))
VALIDATION_NAMES = ("val", "valid", "validation")
SMALLEST_CLASS = 5  # images


@dataclass(frozen=True)
class Files:
    """Image paths with labels (N,)."""

    paths: tuple[Path, ...]
    labels: np.ndarray

    def at(self, indices: np.ndarray) -> "Files":
        """Those of them."""
        return Files(tuple(self.paths[i] for i in indices), self.labels[indices])


@dataclass(frozen=True)
class Layout:
    """What a folder holds; val and test are None where they have to be split off."""

    base: Path
    classes: tuple[str, ...]
    train: Files
    val: Files | None
    test: Files | None
    origins: tuple[str, str, str]  # the subfolder of train, val and test; '' where there is none

    @property
    def counts(self) -> np.ndarray:
        """Images of each class, of all splits (K,)."""
        labels = [files.labels for files in (self.train, self.val, self.test) if files]
        return np.bincount(np.concatenate(labels), minlength=len(self.classes))


def layout(folder: str, named: str = "") -> Layout:
    """The folder of that name below the data root; `named`: as sentences call it.

    Raises `DataError`: outside the data root, not there, empty, one class, classes that are too small or do not match.
    """
    named, root = named or folder, data_root().resolve()
    base = _confined(root / folder, root, named)
    try:
        if not base.is_dir():
            raise DataError(f"there is no folder {shown(named)} below the data root {root}")
        parts = _subfolders(base, root)
        if "train" not in parts:
            classes = _classes(parts, named, root)
            return Layout(base, tuple(classes), _files(classes), None, None, ("", "", ""))
        train = _classes(_subfolders(parts["train"], root), f"{named}/train", root)
        val_name = next((name for name in VALIDATION_NAMES if name in parts), "")
        given = {name: _files(_like(train, parts[name], f"{named}/{name}", root)) for name in (val_name, "test") if name in parts}
    except OSError as error:
        raise DataError(f"the folder {shown(named)} cannot be read: {error.strerror or error}") from None
    if "test" not in given:  # what is called validation is what is judged on
        return Layout(base, tuple(train), _files(train), None, given.get(val_name), ("train", "", val_name))
    return Layout(base, tuple(train), _files(train), given.get(val_name), given["test"], ("train", val_name, "test"))


def _confined(path: Path, root: Path, named: str) -> Path:
    """`path` with its symbolic links followed, which has to lie below the data root."""
    outside = f"leads out of the data root {root}; only folders below it are read"
    return confined(path, root, lambda why: DataError(f"{shown(named)} {why}"), outside)


def _subfolders(base: Path, root: Path) -> dict[str, Path]:
    with os.scandir(base) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return {name: _confined(base / name, root, f"{base.name}/{name}") for name in names}


def _images(folder: Path, root: Path) -> list[Path]:
    """All of them, those of a folder in front of those of its subfolders, by name. Links to folders are not followed."""
    found, waiting = [], [str(folder)]
    while waiting:
        place = waiting.pop()
        with os.scandir(place) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            name = entry.name
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES and not entry.is_dir():
                found.append(_image(entry, root, f"{folder.name}/{name}"))
        waiting += [entry.path for entry in reversed(listed) if entry.is_dir(follow_symlinks=False)]
    return found


def _image(entry: os.DirEntry[str], root: Path, named: str) -> Path:
    """The file behind `entry`. Opening a pipe would wait for its other end, a device has no end."""
    if entry.is_file(follow_symlinks=False):
        return Path(entry.path)
    file = _confined(Path(entry.path), root, named)
    if file.exists() and not file.is_file():
        raise DataError(f"{shown(named)} is a pipe, a socket or a device, not an image: take it out")
    return file


def _classes(folders: dict[str, Path], named: str, root: Path) -> dict[str, list[Path]]:
    found = {name: _images(path, root) for name, path in folders.items()}
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


def _like(train: dict[str, list[Path]], folder: Path, named: str, root: Path) -> dict[str, list[Path]]:
    folders = _subfolders(folder, root)
    if unknown := sorted(set(folders) - set(train)):
        raise DataError(f"class {shown(unknown[0])} is in {shown(named)} but not in the training images")
    found = {name: _images(folders[name], root) if name in folders else [] for name in train}
    if empty := [name for name, paths in found.items() if not paths]:
        raise DataError(f"{shown(named)} has no images of class {shown(empty[0])}")
    return found


def _files(classes: dict[str, list[Path]]) -> Files:
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(paths) for paths in classes.values()])
    return Files(tuple(path for paths in classes.values() for path in paths), labels)
