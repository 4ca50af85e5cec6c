"""Real contenders in real processes: started, steered, killed, found again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from catalyst_core.config import RaceConfig
from catalyst_core.engine import launcher, room
from catalyst_core.engine.heartbeat import is_alive, log_tail
from catalyst_core.errors import DataError, StoreError
from catalyst_core.events import Command
from catalyst_core.store import open_store

ROOT = Path(__file__).resolve().parents[2]
LEDGER_KEYS = {
    "method", "seed", "dense_accuracy", "sparse_accuracy", "post_prune_accuracy", "recalibrated_accuracy",
    "finetuned_accuracy", "macs", "macs_dense", "params", "params_dense", "channels_pruned", "channels_total",
    "max_abs_logit_change", "changed_predictions", "decision_gap", "magnitude_bias", "train_seconds", "regularizer_seconds",
}  # fmt: skip

STARTER = """
import sys, time
from catalyst_core.config import RaceConfig
from catalyst_core.engine import launcher, room
from catalyst_core.store import open_store
launcher.prewarm()
print(launcher.start_race(open_store(sys.argv[1]), RaceConfig.model_validate_json(sys.argv[2])), flush=True)
time.sleep(600)
"""
WARM_SERVER = """
import time, psutil
from catalyst_core.engine import launcher, room
launcher.prewarm()
print(psutil.Process().children()[0].pid, flush=True)
time.sleep(600)
"""


def config(methods=("catalyst", "none"), sparse_epochs=2, seeds=(0,)):
    return RaceConfig.build(
        data={"name": "digits", "train_images": 200, "batch_size": 32},
        methods=[{"name": name} for name in methods],
        seeds=seeds,
        schedule={"dense_epochs": 1, "sparse_epochs": sparse_epochs, "finetune_epochs": 1},
    )


ENDLESS = config(methods=("catalyst", "l1"), sparse_epochs=1000)


def until(condition, seconds=90.0, log=lambda: ""):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain\n{log()}"
        time.sleep(0.05)


def states(store, race_id):
    launcher.watch(store)
    return [run.state for run in store.race(race_id).runs]


def logs(store, race_id):
    return lambda: "\n".join(
        f"{run.label} {run.state} {run.reason}\n{log_tail(store, run.id)}" for run in store.race(race_id).runs
    )


def finish(store, race_id):
    until(lambda: not {"queued", "running", "stopping"} & set(states(store, race_id)), log=logs(store, race_id))


def kill_workers(store):
    for run in store.live_runs():
        if run.process and is_alive(run.process):
            os.kill(run.process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(str(tmp_path_factory.mktemp("engine") / "races.db"))
    yield opened
    kill_workers(opened)
    opened.close()


@pytest.fixture(scope="module")
def finished(store):
    """A small race that ran to its end."""
    race_id = launcher.start_race(store, config())
    finish(store, race_id)
    return store.race(race_id)


@pytest.fixture
def endless(store):
    """A race in its sparse stage that would go on for minutes."""
    race_id = launcher.start_race(store, ENDLESS)
    until(lambda: all(run.stage == "sparse" and run.step > 30 for run in store.race(race_id).runs), log=logs(store, race_id))
    yield race_id
    kill_workers(store)
    until(lambda: store.race(race_id).is_finished or launcher.watch(store) is None, seconds=20)


def test_every_contender_ends_with_a_complete_ledger(finished, store):
    assert [run.state for run in finished.runs] == ["completed", "completed"], logs(store, finished.id)()
    for run in finished.runs:
        assert set(run.ledger) >= LEDGER_KEYS
        assert run.progress == 1.0
    catalyst, cut = (run.ledger for run in finished.runs)
    assert catalyst["max_abs_logit_change"] <= 1e-10
    assert cut["max_abs_logit_change"] > 1e-3
    assert catalyst["dense_accuracy"] == cut["dense_accuracy"]
    assert catalyst["sparse_steps"] + catalyst["finetune_steps"] == cut["sparse_steps"] + cut["finetune_steps"]


def test_what_a_worker_said_is_whole_and_in_order(finished, store):
    for run in finished.runs:
        events = [stored.event for stored in store.events(run.id)]
        kinds = [event.kind for event in events]
        assert kinds.count("groups") == kinds.count("pruned") == kinds.count("finished") == 1
        assert kinds[-1] == "finished"
        assert [event.step for event in events] == sorted(event.step for event in events)
        assert sum(event.decided for event in events if event.kind == "filters") == 1


def test_the_dense_network_is_trained_once_and_shared(finished, store):
    def dense_steps(race):
        return sum(e.event.stage == "dense" for e in store.race_events(race.id, kinds=["step"]))

    assert dense_steps(finished) > 0
    trained = [{e.run_id for e in store.race_events(finished.id, kinds=["step"]) if e.event.stage == "dense"}]
    assert len(trained) == 1
    again = launcher.start_race(store, config(methods=("random",)))
    finish(store, again)
    assert dense_steps(store.race(again)) == 0
    assert store.race(again).runs[0].ledger["dense_accuracy"] == finished.runs[0].ledger["dense_accuracy"]


def test_the_same_race_twice_gives_the_same_numbers(finished, store):
    again = launcher.start_race(store, config())  # as many contenders, so as many threads each
    finish(store, again)
    for first, second in zip(finished.runs, store.race(again).runs, strict=True):
        differ = {key for key in first.ledger if first.ledger[key] != second.ledger[key]}
        assert not {key for key in differ if "seconds" not in key and "latency" not in key}


def test_a_killed_worker_fails_with_the_reason_and_the_others_go_on(endless, store):
    victim, other = store.race(endless).runs
    before = store.events(victim.id)
    os.kill(victim.process.pid, signal.SIGKILL)
    until(lambda: states(store, endless)[0] == "failed", seconds=10)
    seen = store.run(victim.id)
    assert f"pid {victim.process.pid} is gone" in seen.reason.replace("(", "").replace(")", "")
    assert str(store.events(victim.id)[: len(before)]) == str(before), "no committed event is lost"
    step = store.run(other.id).step
    until(lambda: store.run(other.id).step > step)
    assert launcher.resume_race(store, endless) == 1
    assert store.run(victim.id).step > 0, "it goes on where it was"
    until(lambda: store.run(victim.id).state == "running", log=logs(store, endless))
    until(lambda: store.run(victim.id).step > seen.step, log=logs(store, endless))
    assert store.run(victim.id).attempt == 2
    assert str(store.events(victim.id)[: len(before)]) == str(before), "and nothing it had said is gone"


def test_commands_act_and_leave_a_mark(endless, store):
    catalyst, l1 = store.race(endless).runs
    assert launcher.send_race(store, endless, Command(name="strength", value=2.5, who="test"), label="catalyst") == 1
    until(lambda: store.events(catalyst.id, kinds=["setting"]))
    (change,) = [stored.event for stored in store.events(catalyst.id, kinds=["setting"])]
    assert (change.name, change.old, change.new, change.who) == ("strength", 1.0, 2.5, "test")
    assert store.events(l1.id, kinds=["setting"]) == []

    launcher.send_race(store, endless, Command(name="pause"))
    until(lambda: states(store, endless) == ["paused", "paused"])
    time.sleep(0.6)
    steps = [run.step for run in store.race(endless).runs]
    time.sleep(1.0)
    assert [run.step for run in store.race(endless).runs] == steps
    launcher.send_race(store, endless, Command(name="resume"))
    until(lambda: states(store, endless) == ["running", "running"])
    until(lambda: all(run.step > step for run, step in zip(store.race(endless).runs, steps, strict=True)))

    assert launcher.stop_race(store, endless) == 2
    finish(store, endless)
    stopped = store.race(endless).runs
    assert [run.state for run in stopped] == ["stopped", "stopped"]
    assert stopped[0].ledger["max_abs_logit_change"] is not None
    assert stopped[0].ledger["finetuned_accuracy"] is None


def test_the_end_of_whoever_started_it_does_not_touch_a_race(store):
    command = [sys.executable, "-c", STARTER, store.url, ENDLESS.model_dump_json()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as starter:
        race_id = starter.stdout.readline().strip()
        os.killpg(starter.pid, signal.SIGKILL)
    until(lambda: store.race(race_id).runs[0].stage == "sparse", log=logs(store, race_id))
    launcher.stop_race(store, race_id)
    finish(store, race_id)


def test_a_standby_that_nobody_uses_ends_with_its_server():
    with subprocess.Popen([sys.executable, "-c", WARM_SERVER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        standby = psutil.Process(int(server.stdout.readline()))
        server.kill()
    until(lambda: not standby.is_running() or standby.status() == psutil.STATUS_ZOMBIE)


def test_no_more_at_once_than_there_are_slots(store, monkeypatch):
    monkeypatch.setenv("CATALYST_WORKERS", "1")
    race_id = launcher.start_race(store, ENDLESS)
    until(lambda: states(store, race_id) == ["running", "queued"])
    assert store.race(race_id).runs[1].place == 1
    launcher.send_race(store, race_id, Command(name="stop"), label="l1")
    assert states(store, race_id)[1] == "stopped"
    launcher.stop_race(store, race_id)
    finish(store, race_id)
    assert states(store, race_id) == ["stopped", "stopped"]


def test_a_race_that_cannot_start_leaves_nothing(store, monkeypatch):
    before = [race.id for race in store.races()]
    with pytest.raises(DataError, match="missing"):
        launcher.start_race(store, RaceConfig.build(data={"name": "folder", "folder": "missing"}, model="cnn"))
    monkeypatch.setattr(room, "START_FREE", 2**62)
    with pytest.raises(StoreError, match="no disk space"):
        launcher.start_race(store, config())
    assert [race.id for race in store.races()] == before


def test_the_command_line_runs_a_race_to_its_end(store):
    options = "--methods catalyst,l1 --strength l1=0.02 --pruning-ratio 0.7 --seed 1 --json".split()
    short = "--train-images 200 --batch-size 32 --dense-epochs 1 --sparse-epochs 2 --finetune-epochs 1".split()
    command = [sys.executable, "-m", "catalyst_core", "race", *options, *short, "--store", store.url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [(row["method"], row["seed"]) for row in said["ledger"]] == [("catalyst", 1), ("l1", 1)]
    assert all(set(row) >= LEDGER_KEYS for row in said["ledger"])
    assert said["config"]["pruning_ratio"] == 0.7
    assert "%" in done.stderr
    assert store.race(said["race"]).is_finished, "the dashboard finds races started here"
