"""A store of each test's own."""

import pytest

from catalyst_core.store import open_store


@pytest.fixture
def store():
    """Opened where Catalyst looks by default."""
    opened = open_store()
    yield opened
    opened.close()
