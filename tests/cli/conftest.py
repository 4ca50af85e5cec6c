"""Commands in this process; nothing is trained."""

import pytest

from catalyst_core.engine import launcher
from catalyst_core.store import open_store


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch):
    """Whoever looks at a store starts workers for what is queued there: not here."""
    monkeypatch.setattr(launcher._children, "start", lambda store, run_id: None)


@pytest.fixture
def store(catalyst_home):
    """A store of each test's own, where Catalyst looks by default."""
    opened = open_store()
    yield opened
    opened.close()
