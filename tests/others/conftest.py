"""Races with made-up events; nothing is trained, no worker is started."""

import pytest

from catalyst_core.store import open_store
from tests import synthetic


@pytest.fixture
def store(catalyst_home):
    """A store of each test's own, where Catalyst looks by default."""
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture
def memory():
    """A store in memory, whose times and events a test can foresee."""
    return synthetic.MemoryStore()


@pytest.fixture
def race(memory):
    """A finished race of two contenders with two seeds and a live change."""
    methods = ({"name": "catalyst"}, {"name": "l1", "strength": 0.03})
    return synthetic.whole_race(memory, synthetic.config(methods, seeds=(0, 1), title="It's a <b>race</b>; 100 %"))
