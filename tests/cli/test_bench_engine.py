"""`bench engine` says what was asked for; its parts run here in small."""

import json

import pytest

from catalyst_core.bench import engine
from catalyst_core.cli import main
from tests.cli.refusal import refusal

KEYS = {
    "kills", "lost_events", "doubled_events", "bit_identical", "append_ms_median", "read_new_ms_median", "watched_slowdown",
    "store_mb", "runs_list_ms",
}  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """Without the parts that start workers: these have tests of their own."""
    killed = {"kills": 2, "kills_by_stage": {"dense": 2}, "lost_events": 0, "doubled_events": 0, "bit_identical": True}
    monkeypatch.setattr(engine, "_killed", lambda kills, seed: killed)
    monkeypatch.setattr(engine, "_watched", lambda: {"watched_slowdown": 0.01})
    monkeypatch.setattr(engine, "_store_mb", lambda: 4.0)
    monkeypatch.setattr(engine, "_start_seconds", lambda store: 1.0)
    monkeypatch.setattr(engine, "RACES", 3)
    monkeypatch.setattr(engine, "SNAPSHOTS", 200)
    monkeypatch.setattr(engine, "REPEATS", 3)


def test_json_has_every_number(small, capsys):
    assert main(["bench", "engine", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) >= KEYS
    assert all(found[key] > 0 for key in ("append_ms_median", "read_new_ms_median", "runs_list_ms"))


def test_text_says_the_same(small, capsys):
    assert main(["bench", "engine"]) == 0
    said = capsys.readouterr().out
    assert "2 kills (2 dense): 0 events lost, 0 doubled, bit-identical" in said


def test_a_number_of_kills_outside_its_range_is_refused(capsys):
    assert "0..10000" in refusal(capsys, ["bench", "engine", "--kills", "-1"])
