"""A race in MLflow's file store, read back by MLflow's own client and compared with the events of the store."""

import json
import math
import os
import shutil
from pathlib import Path

import pytest

from catalyst_core.errors import ConfigError
from catalyst_core.events import Evaluated, Failed, StepLogged
from catalyst_core.export.repeat import repeat_command
from catalyst_core.others import mlflow_write, told
from catalyst_core.others.mlflow_write import ALLOWED, allowed, write_mlflow
from tests import synthetic

for name, value in ALLOWED.items():  # before MLflow is imported: it says that it is there, elsewhere, when it is
    os.environ.setdefault(name, value)
mlflow = pytest.importorskip("mlflow")


@pytest.fixture
def kept(memory, race, tmp_path):
    """A new file store with the race in it; a blank in its path."""
    out = tmp_path / "ml runs"
    write_mlflow(memory, race.id, out)
    return out


def client(out):
    return mlflow.MlflowClient(out.as_uri())


def runs_of(out, race):
    """The client, the race's experiment, and its runs by their names."""
    reader = client(out)
    experiment = next(one for one in reader.search_experiments() if one.tags.get("catalyst.race") == race.id)
    return reader, experiment, {run.info.run_name: run for run in reader.search_runs([experiment.experiment_id])}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_experiment_a_race_and_a_run_a_contender(kept, race):
    reader, experiment, runs = runs_of(kept, race)
    assert experiment.name == f"It’s a <b>race</b>; 100 % ({race.id})"
    assert experiment.tags["catalyst.title"] == "It's a <b>race</b>; 100 %"
    assert set(runs) == {"catalyst seed 0", "l1 0.03 seed 0", "catalyst seed 1", "l1 0.03 seed 1"}
    assert {one.name for one in reader.search_experiments()} == {"Default", experiment.name}
    for run, made in zip(race.runs, (runs[told.run_names(race)[run.id]] for run in race.runs), strict=True):
        assert made.data.params == {key: str(value) for key, value in told.settings(run).items()}
        assert (made.info.status, made.info.lifecycle_stage) == ("FINISHED", "active")
        assert made.data.tags["catalyst.run"] == run.id
        assert made.data.tags["catalyst.state"] == "completed"
        assert made.data.tags["mlflow.source.name"] == repeat_command(race.config)
        assert "catalyst.written_by.commit" in made.data.tags


def test_metrics_are_those_of_the_store_at_their_steps_and_times(kept, memory, race):
    reader, _, runs = runs_of(kept, race)
    run, made = race.runs[2], runs["catalyst seed 1"]
    events = memory.events(run.id)
    logged = [one for one in events if isinstance(one.event, StepLogged)]
    for field, name in told.LOGGED.items():
        found = [(one.step, one.timestamp, one.value) for one in reader.get_metric_history(made.info.run_id, name)]
        assert found == [(one.event.step, round(1000 * one.time), getattr(one.event, field)) for one in logged]
    judged = [one for one in events if isinstance(one.event, Evaluated)]
    found = [(one.step, one.value) for one in reader.get_metric_history(made.info.run_id, "validation/accuracy")]
    assert found == [(one.event.step, one.event.accuracy) for one in judged]
    final = made.data.metrics
    assert final["ledger/finetuned_accuracy"] == run.ledger["finetuned_accuracy"]
    assert final["ledger/validation/dense"] == 0.98
    assert "ledger/stopped" not in final


def test_ledger_and_changes_are_artifacts(kept, race, tmp_path):
    reader, _, runs = runs_of(kept, race)
    run, made = race.runs[1], runs["l1 0.03 seed 0"]
    assert {one.path for one in reader.list_artifacts(made.info.run_id)} == {"ledger.json", "changes.json"}
    folder = tmp_path / "downloaded"
    folder.mkdir()
    ledger = Path(reader.download_artifacts(made.info.run_id, "ledger.json", str(folder)))
    assert json.loads(ledger.read_text(encoding="utf-8")) == run.ledger
    (change,) = json.loads((kept / made.info.experiment_id / made.info.run_id / "artifacts" / "changes.json").read_text())
    assert (change["step"], change["what"]) == (201, "pruning_ratio from 0.5 to 0.6, by ada")


def test_numbers_that_are_not_finite_and_failures_are_kept(memory, tmp_path):
    race = memory.create(synthetic.config(({"name": "l1"}, {"name": "none"})))
    for run, event in zip(race.runs, synthetic.run_events(race.runs[0].config), strict=False):
        memory.append(run.id, event)
    numbers = {"epoch": 1.0, "seconds": 1.0, "loss": math.nan, "accuracy": 0.1, "penalty": math.inf, "strength": 1.0}
    logged = StepLogged(step=3, stage="dense", learning_rate=0.1, share_pruned=0.0, **numbers)
    memory.append(race.runs[0].id, logged, Failed(step=3, reason="the loss was NaN"))
    memory.append(race.runs[1].id, Failed(step=0, reason="no memory"))
    write_mlflow(memory, race.id, tmp_path / "out")
    reader, _, runs = runs_of(tmp_path / "out", race)
    made = runs["l1 seed 0"]
    assert made.info.status == "FAILED"
    assert made.data.tags["catalyst.reason"] == "the loss was NaN"
    assert math.isnan(made.data.metrics["train/loss"])
    assert made.data.metrics["regularizer/penalty"] == math.inf
    assert reader.list_artifacts(made.info.run_id) == []


def test_a_race_is_not_written_twice(kept, memory, race):
    before = contents(kept)
    with pytest.raises(ConfigError, match=f"race {race.id} is in .* already: experiment 'It’s a"):
        write_mlflow(memory, race.id, kept)
    assert contents(kept) == before
    _, experiment, _ = runs_of(kept, race)
    client(kept).delete_experiment(experiment.experiment_id)
    with pytest.raises(ConfigError, match=r"as a deleted experiment, in ml runs/\.trash"):
        write_mlflow(memory, race.id, kept)
    shutil.rmtree(kept / ".trash" / experiment.experiment_id)
    write_mlflow(memory, race.id, kept)
    assert len(runs_of(kept, race)[2]) == 4


def test_a_store_that_others_use_stays_as_it_is(tmp_path, memory, race, capfd):
    reader = client(tmp_path / "mlruns")
    mine = reader.create_run(reader.create_experiment("mine"), run_name="mine")
    (tmp_path / "mlruns" / "models").mkdir()
    (tmp_path / "mlruns" / "odd").mkdir()  # no experiment: MLflow says so with a traceback, and goes on
    before = contents(tmp_path / "mlruns")
    write_mlflow(memory, race.id, tmp_path / "mlruns")
    after = contents(tmp_path / "mlruns")
    assert {path: after.get(path) for path in before} == before
    assert reader.get_run(mine.info.run_id).info.run_name == "mine"
    assert len(runs_of(tmp_path / "mlruns", race)[2]) == 4
    assert "Traceback" not in capfd.readouterr().err
    other = synthetic.whole_race(memory, synthetic.config(({"name": "none"},), title="It's a <b>race</b>; 100 %"))
    write_mlflow(memory, other.id, tmp_path / "mlruns")  # the title alone would be taken
    assert len(reader.search_experiments()) == 4


@pytest.mark.parametrize("start", ["new", "empty", "in use"])
def test_it_is_there_whole_or_not_at_all(start, memory, race, tmp_path, monkeypatch):
    out = tmp_path / "out"
    if start == "empty":
        out.mkdir()
    elif start == "in use":
        write_mlflow(memory, synthetic.whole_race(memory, synthetic.config(({"name": "none"},))).id, out)
    before = contents(tmp_path)
    events, asked = memory.events, []

    def until_the_store_is_away(run_id):
        asked.append(run_id)
        if len(asked) == 3:
            raise OSError(5, "Input/output error")
        return events(run_id)

    monkeypatch.setattr(memory, "events", until_the_store_is_away)
    with pytest.raises(ConfigError, match="cannot be written: Input/output error"):
        write_mlflow(memory, race.id, out)
    assert len(asked) == 3
    assert contents(tmp_path) == before
    monkeypatch.undo()
    write_mlflow(memory, race.id, out)
    assert len(runs_of(out, race)[2]) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_no_file_store_or_not_finished_is_refused(memory, race, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(ConfigError, match="is no file store of MLflow"):
            write_mlflow(memory, race.id, place)
    half = synthetic.half_race(memory)
    with pytest.raises(ConfigError, match="is running: MLflow gets it once all of its contenders have ended"):
        write_mlflow(memory, half.id, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_store_that_mlflow_cannot_read_is_one_sentence(kept, memory, race):
    experiment = runs_of(kept, race)[1].experiment_id
    (kept / experiment / "meta.yaml").write_text("experiment_id: [")
    with pytest.raises(ConfigError, match="MLflow cannot read"):
        write_mlflow(memory, race.id, kept)


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    with allowed():
        assert {name: os.environ[name] for name in ALLOWED} == ALLOWED
    assert "MLFLOW_ALLOW_FILE_STORE" not in os.environ
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"


def test_mlflow_still_refuses_file_stores_unless_allowed(kept, monkeypatch):
    """What the command tells its user; when this fails, the sentence is out of date."""
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    with pytest.raises(mlflow.MlflowException, match="maintenance mode"):
        client(kept).search_experiments()
    assert "MLFLOW_ALLOW_FILE_STORE=true" in mlflow_write.MAINTENANCE
