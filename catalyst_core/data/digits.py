"""The embedded data set: 1,797 real handwritten digits, 8 x 8, that come with scikit-learn."""

from importlib.util import find_spec

import numpy as np

from catalyst_core.config import DataConfig
from catalyst_core.data.sampling import Labelled, Raw, capped, stratified, without
from catalyst_core.errors import DataError

VALIDATION, TEST = 200, 397  # 1,200 images remain for training


def check_digits(config: DataConfig) -> None:
    """Raise `DataError` where scikit-learn is not installed."""
    if find_spec("sklearn") is None:
        raise DataError("digits is part of scikit-learn, which is not installed: pip install -r requirements.txt")


def read_digits(config: DataConfig, generator: np.random.Generator) -> Raw:
    """1,200 training (at most `train_images`), 200 validation and 397 test images."""
    check_digits(config)
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = Labelled(bunch.images[:, None].astype(np.uint8), bunch.target.astype(np.int64))
    test = stratified(images.y, TEST, generator)
    rest = without(len(images.y), test)
    val = rest[stratified(images.y[rest], VALIDATION, generator)]
    train = np.setdiff1d(rest, val)
    train = train[capped(images.y[train], config.train_images, generator)]
    return Raw(images.at(train), images.at(val), images.at(test), tuple(str(digit) for digit in range(10)))
