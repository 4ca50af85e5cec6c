"""Every test gets a home of its own, so none sees or leaves a race on the machine it runs on."""

import pytest


@pytest.fixture(autouse=True)
def catalyst_home(tmp_path, monkeypatch):
    """A private $CATALYST_HOME (the store, checkpoints and downloads go there)."""
    home = tmp_path / "home"
    monkeypatch.setenv("CATALYST_HOME", str(home))
    monkeypatch.delenv("CATALYST_STORE", raising=False)
    return home
