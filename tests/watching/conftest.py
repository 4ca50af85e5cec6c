"""A store of each test's own, and a loop that is looked at after every step."""

import pytest

from catalyst_core.store import open_store
from catalyst_core.watching import pace
from tests.threads import one_thread  # noqa: F401


@pytest.fixture
def store():
    """Opened where Catalyst looks by default."""
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture
def every_step(monkeypatch):
    """Looks at every step."""
    monkeypatch.setattr(pace, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(pace, "COST", 0)
