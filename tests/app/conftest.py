"""The real pages in Streamlit's own test runner, on a store of this test alone."""

import pytest
import streamlit as st

from catalyst_core.engine import launcher
from catalyst_core.store import open_store


@pytest.fixture(autouse=True)
def _fresh_caches():
    """Streamlit's resources outlive an AppTest; a store of another test must not."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def started(monkeypatch):
    """No worker processes here: races are only recorded. The list of the runs that would have been started."""
    runs: list[str] = []
    monkeypatch.setenv("CATALYST_WORKERS", "8")
    monkeypatch.setenv("CATALYST_EXAMPLE", "0")
    monkeypatch.setattr(launcher._watch, "look", lambda store, live, sure=False: [])  # every worker here is this process
    monkeypatch.setattr(launcher, "prewarm", lambda: None)
    monkeypatch.setattr(launcher._children, "start", lambda store, run_id: runs.append(run_id))
    return runs


@pytest.fixture
def store(catalyst_home):
    opened = open_store()
    yield opened
    opened.close()
