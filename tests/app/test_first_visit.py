"""The race that ships with Catalyst: what it is, and what a first visit makes of it."""

import re
import shlex

import pytest
import streamlit as st

from catalyst_core import example
from catalyst_core.cli import racing
from catalyst_core.cli.parser import build_parser
from catalyst_core.store import open_store
from tests.app.helpers import ROOT, healthy, run, words

README = ROOT / "catalyst_core" / "example" / "README.md"


@pytest.fixture
def first(catalyst_home, monkeypatch):
    """A store that has never had a race, and a dashboard that may put the example into it."""
    monkeypatch.delenv("CATALYST_EXAMPLE")
    opened = open_store()
    yield opened
    opened.close()


def test_a_first_visit_finds_the_example_once(first):
    healthy(run())
    race = first.newest_race()
    assert race.id == example.RACE_ID
    assert race.state == "completed"
    for page in ("results", "lab", "runs"):
        at = healthy(run(page))
        assert race.title in str(words(at)) + str([one.options for one in at.selectbox] + [one.options for one in at.multiselect])
    assert "This is an example that ships with Catalyst" in words(at)
    first.delete_race(race.id)
    st.cache_resource.clear()  # as another start of the server
    healthy(run("runs"))
    assert first.races() == []


def test_the_example_is_what_its_command_makes_and_says_where_it_comes_from(first):
    assert example.adopt(first)
    race = first.race(example.RACE_ID)
    options = build_parser().parse_args(shlex.split(example.COMMAND)[3:])
    assert racing.race_config(options) == race.config
    said = example.provenance()
    assert example.COMMAND in README.read_text(encoding="utf-8")
    (commit,) = re.findall(r"commit ([0-9a-f]{40})", said["note"])
    assert commit in README.read_text(encoding="utf-8")
    assert said["versions"]["packages"]["torch"] in README.read_text(encoding="utf-8")
    assert example.FILE.stat().st_size < 720_000
    assert all((first.files / "runs" / one.id / "pruned.pt").is_file() for one in race.runs)


def test_without_room_or_when_it_is_not_wanted_there_is_no_example(first, monkeypatch):
    monkeypatch.setattr("catalyst_core.store.adoption.tempfile.TemporaryDirectory", no_room)
    assert "No race has been started yet" in words(healthy(run("runs")))
    monkeypatch.setenv("CATALYST_EXAMPLE", "0")
    assert not example.adopt(first)  # nothing is tried


def no_room(**_):
    raise OSError(28, "No space left on device")
