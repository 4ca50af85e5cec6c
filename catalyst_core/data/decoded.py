"""Decoded images, kept below the home: contenders of a race, and races on the same images, decode them once.

What is kept belongs to these files as they were (names, sizes, times of change) and to what was made of them. What was used
longest ago goes when there is more than `MOST_BYTES`. Without room, or where the home cannot be written, nothing is kept.
"""

# N = images, K = colour channels, S = pixels a side

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from catalyst_core.data.images import DECODING, read_image
from catalyst_core.places import home
from catalyst_core.whole import writing

MOST_BYTES = 8 * 2**30
SHARE = 0.25  # of them, for one set of images, at most
WORTHWHILE = 500  # images: fewer are decoded in no time
_SPOILED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def decoded(paths: Sequence[Path], channels: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The images that can be read, (N, channels, size, size) uint8, and a mask (len(paths),) of which they are.

    Raises `DataError` above 50 megapixels.
    """
    if len(paths) < WORTHWHILE:
        return _decode(paths, channels, size)
    place = _folder() / f"{_key(paths, channels, size)}.npz"
    kept = _load(place)
    if kept is None:
        kept = _decode(paths, channels, size)
        with contextlib.suppress(OSError):
            _keep(place, *kept)
    return kept


def _folder() -> Path:
    return home() / "cache" / "images"


def _decode(paths: Sequence[Path], channels: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """One after the other, into one array: a list of them beside it would take the memory twice."""
    images = np.empty((len(paths), channels, size, size), np.uint8)
    good = np.zeros(len(paths), bool)
    count = 0
    for place, path in enumerate(paths):
        image = read_image(path, channels, size)
        if image is not None:
            images[count], good[place] = image, True
            count += 1
    return images[:count], good


def _key(paths: Sequence[Path], channels: int, size: int) -> str:
    digest = hashlib.sha256(f"{DECODING} {channels} {size}\n".encode())
    for path in paths:
        with contextlib.suppress(OSError):  # gone since it was listed: it cannot be read either
            known = path.stat()
            digest.update(os.fsencode(path) + f"\0{known.st_size} {known.st_mtime_ns} {known.st_ctime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _load(place: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """None where it is not there, or spoiled."""
    try:
        with place.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            images, good = content["images"], content["good"]
        os.utime(place)
    except _SPOILED:
        return None
    return images, good


def _keep(place: Path, images: np.ndarray, good: np.ndarray) -> None:
    if images.nbytes > SHARE * MOST_BYTES:
        return
    with writing(place) as stream:
        np.savez(stream, images=images, good=good)
    _tidy(place.parent)


def _tidy(folder: Path) -> None:
    """Delete what was used longest ago."""
    files = sorted(((entry.stat(), entry.path) for entry in os.scandir(folder)), key=lambda file: -file[0].st_mtime)
    total = 0
    for known, path in files:
        total += known.st_size
        if total > MOST_BYTES:
            Path(path).unlink(missing_ok=True)
