"""`model`: a run's network as files, from the command line."""

import json
import zipfile

import pytest

from catalyst_core.cli import main
from tests.cli.refusal import refusal
from tests.deploy.runs import trained
from tests.threads import one_thread  # noqa: F401


@pytest.fixture
def quick(monkeypatch):
    """Five turns a network are enough here."""
    from catalyst_core.deploy import of_run

    write = of_run.write_run
    monkeypatch.setattr(of_run, "write_run", lambda *words, **given: write(*words, **given, seconds=0))


def test_a_run_becomes_a_zip_and_the_record_is_printed(store, tmp_path, capsys, quick):
    run, out = trained(store), tmp_path / "mine.zip"
    assert main(["model", run.race_id, "--out", str(out), "--round-to", "8", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["race"], record["run"], record["out"]) == (run.race_id, run.id, str(out))
    assert set(record["files"]) | {"README.md"} == {name.removeprefix("mine/") for name in zipfile.ZipFile(out).namelist()}
    assert all(one["rounded"] % 8 == 0 for one in record["widths"].values())
    assert record["checks"].keys() == {"network.py", "network.onnx", "network.pt2"}
    assert main(["model", run.id, "--out", str(out)]) == 0  # an earlier one is replaced
    text = capsys.readouterr().out
    assert f"run {run.id}: catalyst seed 0; 7 files in {out}" in text
    assert [line.split()[:2] for line in text.splitlines() if "onnxruntime" in line and "warning" not in line] == [
        ["onnxruntime", "1"],
        ["onnxruntime", "64"],
    ]
    taken = tmp_path / "thesis"
    taken.mkdir()
    (taken / "thesis.tex").write_text("x")
    assert "holds other files" in refusal(capsys, ["model", run.id, "--out", str(taken)])
    assert "round_to must be 8 or 16, not 5" in refusal(capsys, ["model", run.id, "--out", "new", "--round-to", "5"])


def test_what_is_wrong_is_one_sentence(store, tmp_path, capsys):
    from catalyst_core.config import RaceConfig

    race = store.race(store.create_race(RaceConfig.build(methods=[{"name": "l1"}, {"name": "none"}])))
    out = str(tmp_path / "model")
    assert "name one, such as" in refusal(capsys, ["model", race.id, "--out", out])
    assert "has no pruned network" in refusal(capsys, ["model", race.runs[0].id, "--out", out])
    assert "none in" in refusal(capsys, ["model", "nowhere", "--out", out])
    assert "--out" in refusal(capsys, ["model", race.runs[0].id])
    assert "--round-to" in refusal(capsys, ["model", race.id, "--out", out, "--round-to", "x"])


def test_help_names_the_files_and_the_keys(capsys):
    with pytest.raises(SystemExit):
        main(["model", "--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in ("network.onnx", "network.pt2", "widths", "latency", "warnings", "--round-to", "DIR|ZIP"))
