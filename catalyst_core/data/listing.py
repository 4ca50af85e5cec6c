"""Which image files a folder below the data root holds, class by class. Names only: no file is opened.

Every path, symbolic links included, has to lie below the data root. One look at each folder says of all its entries what
they are; asking for each file by itself takes most of the time of a preflight.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalyst_core.data.beside import SUFFIXES, is_visible, left_out, place, placed, splits_among
from catalyst_core.errors import DataError, shown
from catalyst_core.places import confined, data_root

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
    left_out: tuple[str, ...] = ()  # sentences: folders that are no split, files that are no images

    @property
    def counts(self) -> np.ndarray:
        """Images of each class, of all splits (K,)."""
        labels = [files.labels for files in (self.train, self.val, self.test) if files]
        return np.bincount(np.concatenate(labels), minlength=len(self.classes))


def layout(folder: str, named: str = "") -> Layout:
    """The folder of that name below the data root; `named`: as sentences call it.

    Raises `DataError`: outside the data root, not there, empty, one class, classes that are too small or do not match, a
    split in two spellings, none to train on.
    """
    named, root = named or folder, data_root().resolve()
    lister = _Lister(root)
    base = lister.confined(root / folder, named)
    try:
        if not base.is_dir():
            raise DataError(f"there is no folder {shown(named)} below the data root {root}")
        return lister.layout(base, named)
    except OSError as error:
        raise DataError(f"the folder {shown(named)} cannot be read: {error.strerror or error}") from None


def names(paths: Sequence[Path], most: int = 3) -> str:
    """'cat/000.png, dog/001.png, ...': the first few."""
    return ", ".join(placed(path) for path in paths[:most]) + (", ..." if len(paths) > most else "")


class _Lister:
    """Looks into folders below `root`, and counts the files there that are no images of a class."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._others = 0

    def layout(self, base: Path, named: str) -> Layout:
        """What `base` holds. Raises `DataError`, `OSError`."""
        parts = self._subfolders(base)
        given = splits_among(parts, named, lambda name: bool(self._subfolders(parts[name])))
        self._pass_over(base, *(parts[name] for name in given.values()))
        if not given:
            classes = self._classes(parts, named)
            return Layout(base, tuple(classes), _files(classes), None, None, ("", "", ""), left_out("", (), self._others))
        source, val, test = given["train"], given.get("val", ""), given.get("test", "")
        if not test:  # what is called validation is what is judged on
            val, test = "", val
        train = self._classes(self._subfolders(parts[source]), f"{named}/{source}")
        held = {name: _files(self._like(train, parts[name], f"{named}/{name}")) for name in (val, test) if name}
        beside = left_out(source, sorted(set(parts) - {source, val, test}), self._others)
        return Layout(base, tuple(train), _files(train), held.get(val), held.get(test), (source, val, test), beside)

    def confined(self, path: Path, named: str) -> Path:
        """`path` with its symbolic links followed, which has to lie below the data root."""
        outside = f"leads out of the data root {self._root}; only folders below it are read"
        return confined(path, self._root, lambda why: DataError(f"{shown(named)} {why}"), outside)

    def _subfolders(self, base: Path) -> dict[str, Path]:
        with os.scandir(base) as entries:
            found = sorted(entry.name for entry in entries if is_visible(entry.name) and entry.is_dir())
        return {name: self.confined(base / name, f"{base.name}/{name}") for name in found}

    def _pass_over(self, *folders: Path) -> None:
        """Count the files that lie in these and so in no class."""
        for folder in folders:
            with os.scandir(folder) as entries:
                self._others += sum(is_visible(entry.name) and not entry.is_dir() for entry in entries)

    def _images(self, folder: Path) -> list[Path]:
        """All of them, those of a folder in front of those of its subfolders, by name. Links to folders are not followed."""
        found, waiting = [], [str(folder)]
        while waiting:
            place = waiting.pop()
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
            for entry in listed:
                if not is_visible(entry.name) or entry.is_dir():
                    continue
                if os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                    found.append(self._image(entry))
                else:
                    self._others += 1
            waiting += [entry.path for entry in reversed(listed) if entry.is_dir(follow_symlinks=False)]
        return found

    def _image(self, entry: os.DirEntry[str]) -> Path:
        """Where `entry` is. Opening a pipe would wait for its other end, a device has no end."""
        path = Path(entry.path)
        if not entry.is_file(follow_symlinks=False):
            file = self.confined(path, place(path))
            if file.exists() and not file.is_file():
                raise DataError(f"{shown(place(path))} is a pipe, a socket or a device, not an image: take it out")
        return path

    def _classes(self, folders: dict[str, Path], named: str) -> dict[str, list[Path]]:
        found = {name: self._images(path) for name, path in folders.items()}
        if not any(found.values()):
            raise DataError(f"{shown(named)} holds no images: it needs one subfolder a class with images in it")
        if len(found) < 2:
            raise DataError(
                f"{shown(named)} holds one class ({shown(next(iter(found)))}); at least two subfolders with images are needed"
            )
        small = next((name for name, paths in found.items() if len(paths) < SMALLEST_CLASS), None)
        if small is not None:
            count = "1 image" if len(found[small]) == 1 else f"{len(found[small]) or 'no'} images"
            raise DataError(
                f"class {shown(small)} in {shown(named)} has {count}; at least {SMALLEST_CLASS} are needed: "
                "add some, or take its folder away"
            )
        return found

    def _like(self, train: dict[str, list[Path]], folder: Path, named: str) -> dict[str, list[Path]]:
        folders = self._subfolders(folder)
        if unknown := sorted(set(folders) - set(train)):
            raise DataError(f"class {shown(unknown[0])} is in {shown(named)} but not in the training images")
        found = {name: self._images(folders[name]) if name in folders else [] for name in train}
        if empty := [name for name, paths in found.items() if not paths]:
            raise DataError(f"{shown(named)} has no images of class {shown(empty[0])}")
        return found


def _files(classes: dict[str, list[Path]]) -> Files:
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(paths) for paths in classes.values()])
    return Files(tuple(path for paths in classes.values() for path in paths), labels)
