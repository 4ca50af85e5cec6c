"""Fixtures around tiny races."""

import pytest

from catalyst_core.events import Event
from tests.threads import one_thread  # noqa: F401
from tests.training.tiny import METHODS, Recorder, contender


@pytest.fixture
def record(tmp_path) -> Recorder:
    """Trains in a folder of this test's own."""
    return Recorder(tmp_path)


@pytest.fixture(scope="session")
def races(tmp_path_factory) -> dict[str, list[Event]]:
    """One race of all five methods, with one dense network: method -> its events."""
    record = Recorder(tmp_path_factory.mktemp("race"))
    return {method: record(contender(method), run=method) for method in METHODS}
