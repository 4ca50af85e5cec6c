"""Both back ends: a store in a file of its own, and one in a database of its own on a real PostgreSQL server."""

import pytest

from catalyst_core.store import open_store
from tests.store.made import ME, config


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Where a new store is to be, for both back ends in turn."""
    return f"sqlite:///{tmp_path / 'races.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture
def store(url):
    """An empty store on both back ends in turn."""
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def race(store):
    """Three queued runs."""
    return store.race(store.create_race(config()))


@pytest.fixture
def run(store, race):
    """A running run that this test owns."""
    assert store.claim(race.runs[0].id, ME, slots=1) == 0
    return store.run(race.runs[0].id)
