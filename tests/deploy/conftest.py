"""Exports of small pruned networks, made once: PyTorch's ONNX exporter takes seconds."""

import pytest

from tests.deploy.made import Made, pruned, real_digits
from tests.threads import one_thread  # noqa: F401


@pytest.fixture(scope="session")
def cnn() -> Made:
    """A third of the channels of our cnn, for digits."""
    return pruned("cnn", channels=1, size=8, share=0.33)


@pytest.fixture(scope="session")
def digits():
    """(200, 1, 8, 8) images and their labels."""
    return real_digits()
