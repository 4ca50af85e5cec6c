"""The embedded data set: 1,797 real handwritten digits, 8 x 8, that come with scikit-learn."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from catalyst_core.config import DataConfig
from catalyst_core.data.sampling import Labelled, Raw, capped, stratified, without
from catalyst_core.errors import DataError

VALIDATION, TEST = 200, 397  # 1,200 images remain for training
SIZE = 8
WHITE = 16  # grey levels are 0..16


def check_digits(config: DataConfig) -> None:
    """Raise `DataError` where scikit-learn is not installed."""
    _table()


def _table() -> Path:
    """scikit-learn's own file, found without importing scikit-learn, which would cost each contender 1.5 s at its start."""
    found = find_spec("sklearn")
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise DataError("digits is part of scikit-learn, which is not installed: pip install -r requirements.txt")


def read_digits(config: DataConfig, generator: np.random.Generator) -> Raw:
    """1,200 training (at most `train_images`), 200 validation and 397 test images."""
    table = np.loadtxt(_table(), delimiter=",")  # (1797, 65): 64 grey levels 0..16, then the digit
    images = Labelled(table[:, :-1].reshape(-1, 1, SIZE, SIZE).astype(np.uint8), table[:, -1].astype(np.int64))
    test = stratified(images.y, TEST, generator)
    rest = without(len(images.y), test)
    val = rest[stratified(images.y[rest], VALIDATION, generator)]
    train = np.setdiff1d(rest, val)
    train = train[capped(images.y[train], config.train_images, generator)]
    classes = tuple(str(digit) for digit in range(10))
    return Raw(images.at(train), images.at(val), images.at(test), classes, white=WHITE)
