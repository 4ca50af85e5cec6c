"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100: a copy on the machine first, torchvision's download second."""

import contextlib
import errno
import gzip
import io
import os
import socket
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalyst_core.config import DataConfig
from catalyst_core.data.sampling import Labelled, Raw, capped, stratified, without
from catalyst_core.errors import DataError
from catalyst_core.places import data_root

VALIDATION = 2000  # images split off the official training set
CHECK_SECONDS, DOWNLOAD_SECONDS = 3.0, 20.0  # of silence on the network before giving up

_IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_CIFAR10_FILES = (*(f"data_batch_{part}" for part in range(1, 6)), "test_batch", "batches.meta")
_DIGITS = tuple(str(digit) for digit in range(10))
_CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


@dataclass(frozen=True)
class Source:
    """Where a data set may lie, and where it comes from."""

    torchvision: str  # name of the class in torchvision.datasets
    files: tuple[str, ...]
    folders: tuple[str, ...]  # below the data root, or absolute: where systems are known to install it
    url: str  # asked before a race whether a download can work
    archive: str = ""  # a downloaded archive in the data root, not yet unpacked
    classes: tuple[str, ...] = ()  # () : read from the files


SOURCES: dict[str, Source] = {
    "fashion_mnist": Source(
        "FashionMNIST",
        _IDX_FILES,
        ("FashionMNIST/raw", "fashion-mnist", "/usr/share/datasets/fashion-mnist"),  # the last: Debian's dataset-fashion-mnist
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-labels-idx1-ubyte.gz",
        classes=_CLOTHES,
    ),
    "mnist": Source(
        "MNIST",
        _IDX_FILES,
        ("MNIST/raw", "mnist", "/usr/share/datasets/mnist"),
        "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
        classes=_DIGITS,
    ),
    "cifar10": Source(
        "CIFAR10",
        _CIFAR10_FILES,
        ("cifar-10-batches-py",),
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        archive="cifar-10-python.tar.gz",
    ),
    "cifar100": Source(
        "CIFAR100",
        ("train", "test", "meta"),
        ("cifar-100-python",),
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        archive="cifar-100-python.tar.gz",
    ),
}


def places(name: str) -> list[Path]:
    """The folders in which a copy of the data set is looked for, in order."""
    return [data_root() / folder for folder in SOURCES[name].folders]


def find_copy(name: str) -> Path | None:
    """The first place that holds every file of the data set (as it is, or gzipped), or None."""
    files = SOURCES[name].files
    return next((place for place in places(name) if all(_path(place, file) for file in files)), None)


def check_official(config: DataConfig) -> None:
    """Raise `DataError` when there is no copy and the download's server does not answer."""
    source = SOURCES[config.name]
    if find_copy(config.name) or (source.archive and (data_root() / source.archive).is_file()):
        return
    request = urllib.request.Request(source.url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=CHECK_SECONDS):
            return
    except (OSError, ValueError):
        raise DataError(_missing(config.name)) from None


def read_official(config: DataConfig, generator: np.random.Generator) -> Raw:
    """Official test set; 2,000 validation images (at most a tenth) off the training set, then the cap."""
    place = find_copy(config.name) or _download(config.name)
    source = SOURCES[config.name]
    try:
        train, test, classes = _read_idx_set(source, place) if source.classes else _read_cifar(source, place)
    except DataError:
        raise
    except Exception as error:  # a damaged file can fail in any way inside gzip, pickle or numpy
        raise DataError(f"the copy of {config.name} in {place} is damaged ({error}): delete or replace it") from None
    val = stratified(train.y, min(VALIDATION, len(train.y) // 10), generator)
    kept = without(len(train.y), val)
    kept = kept[capped(train.y[kept], config.train_images, generator)]
    return Raw(train.at(kept), train.at(val), test, classes)


def _path(place: Path, file: str) -> Path | None:
    return next((path for path in (place / file, place / f"{file}.gz") if path.is_file()), None)


def _read_idx_set(source: Source, place: Path) -> tuple[Labelled, Labelled, tuple[str, ...]]:
    train_x, train_y, test_x, test_y = (_read_idx(place, file) for file in source.files)
    parts = [Labelled(x[:, None], y.astype(np.int64)) for x, y in ((train_x, train_y), (test_x, test_y))]
    for part in parts:
        if len(part.x) != len(part.y) or not set(np.unique(part.y)) <= set(range(len(source.classes))):
            raise DataError(f"the labels in {place} do not belong to its images: delete or replace that copy")
    return parts[0], parts[1], source.classes


def _read_idx(place: Path, file: str) -> np.ndarray:
    """An IDX file: two zero bytes, type 8 (uint8), the number of dimensions, each as big-endian int32, the data."""
    path = _path(place, file)
    assert path is not None, (place, file)
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        content = stream.read()
    if content[:3] != b"\x00\x00\x08":
        raise DataError(f"{path} is damaged (not an IDX file of bytes): delete or replace it")
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _read_cifar(source: Source, place: Path) -> tuple[Labelled, Labelled, tuple[str, ...]]:
    from torchvision import datasets

    parts = [getattr(datasets, source.torchvision)(place.parent, train=train) for train in (True, False)]
    images = [Labelled(np.moveaxis(part.data, 3, 1), np.asarray(part.targets, dtype=np.int64)) for part in parts]
    return images[0], images[1], tuple(parts[0].classes)


def _download(name: str) -> Path:
    """Download with torchvision into a scratch folder; only complete files reach the data root."""
    from filelock import FileLock
    from torchvision import datasets

    root, source = data_root(), SOURCES[name]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"):
            if found := find_copy(name):  # another contender was faster
                return found
            with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}-") as scratch, _quiet_and_impatient():
                if source.archive and (root / source.archive).is_file():
                    os.symlink(root / source.archive, Path(scratch) / source.archive)
                getattr(datasets, source.torchvision)(scratch, download=True)
                _move_files(Path(scratch), root)
    except (OSError, RuntimeError) as error:
        raise DataError(_why(name, error)) from None
    return places(name)[0]


def _move_files(scratch: Path, root: Path) -> None:
    for path in sorted(scratch.rglob("*")):
        if path.is_file() and path.parent != scratch:  # the archive itself stays behind
            target = root / path.relative_to(scratch)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)


@contextlib.contextmanager
def _quiet_and_impatient() -> Iterator[None]:
    """torchvision prints its progress and would wait for ever on a silent server."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _why(name: str, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"there is no disk space left below {data_root()} to download {name}"
    if isinstance(error, PermissionError):
        return f"{data_root()} cannot be written to, so {name} cannot be downloaded there"
    return _missing(name)


def _missing(name: str) -> str:
    looked = ", ".join(str(place) for place in places(name))
    return (
        f"{name} is not on this machine and its server cannot be reached; put its files into a folder that is looked in: {looked}"
    )
