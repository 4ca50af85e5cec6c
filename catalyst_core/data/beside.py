"""What the names of files and folders say: splits, images, and what only lies beside them.

Nothing that a folder holds is left out without a word but what is hidden or made by an operating system.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from catalyst_core.errors import DataError, shown
from catalyst_core.places import data_root

# All that Pillow knows of the formats that are read.
SUFFIXES = frozenset(
    f".{one}" for one in "png apng jpg jpeg jpe jfif bmp gif webp avif avifs tif tiff ppm pgm pbm pnm pfm".split()
)
SYSTEMS = frozenset(("__macosx", "thumbs.db", "desktop.ini"))  # what Macs and Windows add
# In any case; where there are several for one split, the first of these is taken.
SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test", "testing"),
}
NAMED = 5  # folders, at most


def is_visible(name: str) -> bool:
    """Whether a file or folder is somebody's own: not hidden, and nothing that a system adds to folders."""
    return not name.startswith(".") and name.casefold() not in SYSTEMS


def place(path: Path) -> str:
    """Where a file lies in its folder below the data root: train/cat/000.png."""
    root = data_root().resolve()
    parts = path.relative_to(root).parts[1:] if path.is_relative_to(root) else ()
    return "/".join(parts if len(parts) > 1 else path.parts[-2:])


def placed(path: Path) -> str:
    """The same as a message may repeat it, without quotes."""
    return shown(place(path)).strip("'\"")


def splits_among(folders: Collection[str], named: str, has_subfolders: Callable[[str], bool]) -> dict[str, str]:
    """Which of these is train, val and test, as far as they are there; none of them where all are classes.

    'train' is a class like others where only others are beside it and no folders are in it. `named`: the folder around them,
    as sentences call it. Raises `DataError`: one in two spellings, or nothing but splits and none to train on.
    """
    given = {split: _called(words, folders) for split, words in SPLITS.items()}
    found = {split: names[0] for split, names in given.items() if names}
    if "train" not in found:
        if 0 < len(folders) == sum(map(len, given.values())) and all(map(has_subfolders, folders)):
            beside = "it" if len(folders) == 1 else "them"
            raise DataError(f"{shown(named)} holds {' and '.join(map(shown, folders))} and no folder 'train' beside {beside}")
        return {}
    if len(found) == 1 < len(folders) and not has_subfolders(found["train"]):
        return {}
    for names in given.values():
        for one, other in pairwise(names):
            if one.casefold() == other.casefold():
                raise DataError(f"{shown(named)} holds {shown(one)} and {shown(other)}: rename one, or put them together")
    return found


def _called(words: Sequence[str], folders: Iterable[str]) -> list[str]:
    """Those of the folders with one of these names, in this order."""
    return sorted((name for name in folders if name.casefold() in words), key=lambda name: words.index(name.casefold()))


def left_out(train: str, folders: Sequence[str], files: int) -> tuple[str, ...]:
    """A sentence for folders beside the splits (one of them is `train`), and one for files that belong to no class."""
    said = []
    if folders:
        more = ", ..." if len(folders) > NAMED else ""
        said.append(f"left out, beside {train}/: {', '.join(map(shown, folders[:NAMED]))}{more}")
    if files:
        what = "file that is no image by its name or lies" if files == 1 else "files that are no images by their names or lie"
        said.append(f"left out: {files:,} other {what} in no class")
    return tuple(said)
