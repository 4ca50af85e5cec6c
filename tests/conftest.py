"""Every test gets a home of its own, so none sees or leaves a race on the machine it runs on, and the same chance each time."""

import os
import random

import numpy as np
import pytest
import torch

from tests.store.server import Server, binaries


def same_chance():
    """Networks of random weights are the same in every run: one in fifty of them could otherwise have no living channel."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def pytest_collection():
    same_chance()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    same_chance()


@pytest.fixture(autouse=True)
def catalyst_home(tmp_path, monkeypatch):
    """A private $CATALYST_HOME (the store, checkpoints and downloads go there)."""
    home = tmp_path / "home"
    monkeypatch.setenv("CATALYST_HOME", str(home))
    monkeypatch.delenv("CATALYST_STORE", raising=False)
    return home


@pytest.fixture(scope="session")
def server():
    """The PostgreSQL server of this test run; without its binaries, tests of it are skipped, but in CI they fail."""
    folder = binaries()
    if folder is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("no PostgreSQL: initdb and pg_ctl are neither on PATH nor in /usr/lib/postgresql")
    started = Server(folder)
    yield started
    started.close()


@pytest.fixture
def postgres(server):
    """The URL of an empty database on it."""
    url = server.create()
    yield url
    server.drop(url)
