"""`tensorboard read`, `tensorboard write` and `mlflow write` on the command line."""

import json

import numpy as np
import pytest

from catalyst_core.cli import main
from tests.app.helpers import fill
from tests.cli.refusal import refusal
from tests.others.made import event_file, histo

RNG = np.random.default_rng(1)
MISSING = "is not installed here: pip install -r requirements-extras.txt"


@pytest.fixture
def logs(tmp_path):
    for run in ("a", "b"):
        looks = [(step, [histo(tag, RNG.normal(0, 0.1, 100)) for tag in ("conv.weight", "fc.weight")]) for step in (0, 5)]
        event_file(tmp_path / "logs" / run, looks)
    return str(tmp_path / "logs")


def test_histograms_are_listed(logs, capsys):
    assert main(["tensorboard", "read", logs, "--tag", "conv*", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == 2
    assert [(one["run"], one["tag"], one["looks"], one["last"]) for one in told["histograms"]] == [
        ("a", "conv.weight", 2, 5),
        ("b", "conv.weight", 2, 5),
    ]
    assert main(["tensorboard", "read", logs]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "a  conv.weight  2 looks, steps 0 to 5"


@pytest.mark.parametrize("figure", ["rows", "overlay", "map"])
def test_each_figure_becomes_a_file(figure, logs, tmp_path, capsys):
    for ending, begins in {"csv": b"panel,trace,x", "svg": b"<?xml", "html": b"<!doctype html>"}.items():
        out = tmp_path / f"figure.{ending}"
        words = ["tensorboard", "read", logs, "--tag", "conv.weight", "--run", "b", "--figure", figure, "--step", "3"]
        assert main([*words, "--out", str(out), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["bytes"] == out.stat().st_size
        assert out.read_bytes().startswith(begins)


def test_wrong_input_is_one_sentence_and_nothing_is_made(logs, tmp_path, capsys):
    out = str(tmp_path / "figure.html")
    assert "no histogram is called 'conv'" in refusal(capsys, ["tensorboard", "read", logs, "--tag", "conv", "--out", out])
    assert "there is no file or folder" in refusal(capsys, ["tensorboard", "read", logs + "x", "--out", out])
    assert "has to end in one of .html" in refusal(capsys, ["tensorboard", "read", logs, "--out", "figure.gif"])
    assert "invalid choice" in refusal(capsys, ["tensorboard", "read", logs, "--figure", "x"])
    blocked = str(tmp_path / "logs" / "a" / "events.out.tfevents.1" / "x.csv")
    assert "cannot be written" in refusal(capsys, ["tensorboard", "read", logs, "--out", blocked])
    assert not (tmp_path / "figure.html").exists()


def test_what_is_left_out_is_said(tmp_path, capsys, monkeypatch):
    bad = histo("w", [0.1, 0.2])
    bad.histo.bucket[0] = -1
    event_file(tmp_path, [(step, [histo("w", [0.1, 0.2])]) for step in range(9)] + [(9, [bad])])
    monkeypatch.setattr("catalyst_core.others.tensorboard_read.MOST_LOOKS", 4)
    assert main(["tensorboard", "read", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "1 histograms were left out" in said
    assert "of 1 histograms with very many steps not every step was kept" in said


def test_a_race_is_written_for_tensorboard_and_again(store, tmp_path, capsys):
    race = fill(store)
    for _ in range(2):
        assert main(["tensorboard", "write", race.id[:4], "--out", str(tmp_path / "logs"), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["out"] == str(tmp_path / "logs" / race.id)
        assert len(told["files"]) == len(race.runs)
    assert main(["tensorboard", "read", str(tmp_path / "logs"), "--tag", "filters/*", "--json"]) == 0
    assert {one["tag"] for one in json.loads(capsys.readouterr().out)["histograms"]} == {
        "filters/magnitude",
        "filters/catalyst",
        "filters/margin",
    }
    assert "none in" in refusal(capsys, ["tensorboard", "write", "ffff", "--out", str(tmp_path)])


def test_a_race_is_written_for_mlflow_once(store, tmp_path, capsys):
    race, out = fill(store), str(tmp_path / "mlruns")
    assert main(["mlflow", "write", race.id, "--out", out]) == 0
    said = capsys.readouterr().out
    assert f"race {race.id}: {len(race.runs)} runs in {out}, experiment {race.title} ({race.id})" in said
    assert "maintenance" in said
    assert "MLFLOW_ALLOW_FILE_STORE=true" in said
    assert "already" in refusal(capsys, ["mlflow", "write", race.id, "--out", out])


def test_without_the_packages_it_is_said_how_to_get_them(store, tmp_path, capsys, monkeypatch, logs):
    race = fill(store)
    monkeypatch.setattr("catalyst_core.others.find_spec", lambda name: None)
    out = ["--out", str(tmp_path / "out")]
    assert f"TensorBoard {MISSING}" in refusal(capsys, ["tensorboard", "write", race.id, *out])
    assert f"TensorBoard {MISSING}" in refusal(capsys, ["tensorboard", "read", logs])
    assert f"MLflow {MISSING}" in refusal(capsys, ["mlflow", "write", race.id, *out])
    assert not (tmp_path / "out").exists()
