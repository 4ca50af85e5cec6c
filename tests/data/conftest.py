"""A data root of each test's own."""

import pytest


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty data root."""
    place = tmp_path / "images"
    place.mkdir()
    monkeypatch.setenv("CATALYST_DATA", str(place))
    return place
