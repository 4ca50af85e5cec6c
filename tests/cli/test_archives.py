"""`pack` and `unpack`, and `delete` of a race that waits for its purge."""

import json

from catalyst_core.cli import main
from tests.app.helpers import fill
from tests.cli.refusal import refusal


def test_a_race_is_packed_taken_in_elsewhere_and_refused_twice(store, tmp_path, capsys):
    race, out, other = fill(store), tmp_path / "mine.race", str(tmp_path / "other.db")
    assert main(["pack", race.id, "--out", str(out), "--as", "copy1", "--without", "dense", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"race": "copy1", "out": str(out), "bytes": out.stat().st_size}
    assert "there is such a file already" in refusal(capsys, ["pack", race.id, "--out", str(out)])
    assert "name some of pruned, dense" in refusal(capsys, ["pack", race.id, "--out", "x", "--without", "x"])
    assert main(["unpack", str(out), "--store", other, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"race": "copy1", "title": race.title}
    assert "is in the store already" in refusal(capsys, ["unpack", str(out), "--store", other])
    assert list(tmp_path.glob(".*")) == []


def test_delete_is_for_good_also_where_undo_is_possible(store, capsys):
    race = fill(store)
    store.hide_race(race.id)
    assert main(["delete", race.id, "--yes"]) == 0
    assert "is deleted" in capsys.readouterr().out
    assert store.deleted_lines() == []
