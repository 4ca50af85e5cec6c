"""The models folder of each test."""

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The models folder."""
    monkeypatch.setenv("CATALYST_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"
