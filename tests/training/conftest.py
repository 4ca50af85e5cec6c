"""Fixtures around tiny races."""

import pytest
import torch

from catalyst_core.events import Event
from tests.training.tiny import METHODS, Recorder, contender


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Networks this small train fastest on one thread, and two tests of one configuration add up in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def record(tmp_path) -> Recorder:
    """Trains in a folder of this test's own."""
    return Recorder(tmp_path)


@pytest.fixture(scope="session")
def races(tmp_path_factory) -> dict[str, list[Event]]:
    """One race of all five methods, with one dense network: method -> its events."""
    record = Recorder(tmp_path_factory.mktemp("race"))
    return {method: record(contender(method), run=method) for method in METHODS}
