"""The truth about state: dead and hung workers become failed runs with the reason; living ones are left alone."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from catalyst_core.config import RaceConfig
from catalyst_core.engine import heartbeat
from catalyst_core.engine.heartbeat import Watch, is_alive, this_process
from catalyst_core.events import StageStarted
from catalyst_core.store import Process

AWAY = Process(1, 1.0, "another-host", "its-boot")


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield child
    child.kill()
    child.wait()


@pytest.fixture
def watch():
    return Watch()


def identity(child):
    return dataclasses.replace(this_process(), pid=child.pid, created=psutil.Process(child.pid).create_time())


def queued_run(store):
    return store.race(store.create_race(RaceConfig.build(methods=[{"name": "l1"}]))).runs[0]


def running(store, process):
    run = queued_run(store)
    assert store.claim(run.id, process, slots=99) == 0
    return store.run(run.id)


def later(store, monkeypatch, seconds):
    """The store's clock runs ahead, as if nobody's heart had beaten meanwhile."""
    real = type(store).now
    monkeypatch.setattr(type(store), "now", lambda self: real(self) + seconds)


def test_a_process_is_alive_until_it_is_killed_zombies_included(sleeper):
    process = identity(sleeper)
    assert is_alive(process)
    assert not is_alive(dataclasses.replace(process, created=process.created - 100)), "a recycled pid is somebody else"
    sleeper.kill()
    psutil.Process(sleeper.pid)  # not waited for: still in the process table
    deadline = time.monotonic() + 10
    while is_alive(process):
        assert time.monotonic() < deadline


def test_a_killed_worker_fails_its_run_with_the_reason_and_the_log(store, sleeper, watch):
    run = running(store, identity(sleeper))
    heartbeat.log_path(store, run.id).write_text("\n".join(f"line {number}" for number in range(50)))
    assert watch.look(store) == []
    sleeper.kill()
    sleeper.wait()
    assert watch.look(store) == [run.id]
    seen = store.run(run.id)
    assert seen.state == "failed"
    assert f"pid {sleeper.pid}" in seen.reason
    assert seen.log_tail.splitlines() == [f"line {number}" for number in range(30, 50)]
    assert watch.look(store) == []


def test_a_recycled_pid_fools_nobody_and_its_process_is_left_alone(store, sleeper, watch):
    run = running(store, dataclasses.replace(identity(sleeper), created=1000.0))
    assert watch.look(store) == [run.id]
    assert sleeper.poll() is None


def test_a_worker_that_dies_in_the_queue_does_not_block_it(store, sleeper, watch):
    run = queued_run(store)
    assert store.claim(run.id, identity(sleeper), slots=0) == 1
    sleeper.kill()
    sleeper.wait()
    assert watch.look(store) == [run.id]


def test_a_worker_that_never_came_is_noticed_and_a_run_without_one_just_waits(store, watch, monkeypatch):
    alone = queued_run(store)
    assert store.assign("here", 1) == [alone.id]
    waiting = queued_run(store)
    later(store, monkeypatch, heartbeat.START_SECONDS + 1)
    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    assert watch.look(store) == [alone.id]
    assert "did not start within 30 s" in store.run(alone.id).reason
    assert store.run(waiting.id).state == "queued"


def test_after_a_restart_of_the_machine_its_runs_have_failed_with_that_reason(store, watch, monkeypatch):
    old = running(store, dataclasses.replace(this_process(), boot="an earlier one"))
    assigned = queued_run(store)
    store.assign("here", 99)
    later(store, monkeypatch, 60.0)
    monkeypatch.setattr(psutil, "boot_time", lambda: time.time() - 30)
    assert watch.look(store) == [old.id, assigned.id]
    assert {store.run(run.id).reason for run in (old, assigned)} == {"machine restarted"}
    assert store.requeue(old.id)


def test_a_worker_that_hangs_is_noticed_within_ten_seconds_and_ended(store, sleeper, watch):
    os.kill(sleeper.pid, signal.SIGSTOP)
    run = running(store, identity(sleeper))
    assert heartbeat.SILENT_SECONDS + heartbeat.SURE_SECONDS + 1.0 < 10.0
    deadline = time.monotonic() + 20
    while not watch.look(store):
        assert time.monotonic() < deadline
        time.sleep(0.25)
    assert "hung: no sign of life" in store.run(run.id).reason
    assert sleeper.wait(10) == -signal.SIGKILL


def test_who_looks_only_once_gets_the_answer_too(store, watch, monkeypatch):
    run = running(store, AWAY)
    assert watch.look(store) == []
    later(store, monkeypatch, heartbeat.SILENT_SECONDS + 1)
    monkeypatch.setattr(heartbeat, "SURE_SECONDS", 0.01)
    assert Watch().look(store, sure=True) == [run.id]


def test_a_store_that_was_away_accuses_nobody(store, watch, monkeypatch):
    """After it is back every heart has stood still; those that beat again are left alone."""
    run = running(store, AWAY)
    real = type(store).now
    later(store, monkeypatch, 60.0)
    assert watch.look(store) == []
    store.beat(run.id)
    monkeypatch.setattr(type(store), "now", real)
    monkeypatch.setattr(heartbeat, "SURE_SECONDS", 0.0)
    assert watch.look(store) == []
    assert store.run(run.id).state == "running"


def test_a_full_disk_accuses_nobody(store, watch, monkeypatch):
    running(store, AWAY)
    later(store, monkeypatch, 60.0)
    monkeypatch.setattr(heartbeat, "SURE_SECONDS", 0.0)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("", (), {"free": 0})())
    assert [watch.look(store), watch.look(store)] == [[], []]


def test_a_waiting_worker_may_be_busy_with_imports(store, watch, monkeypatch):
    run = queued_run(store)
    store.claim(run.id, AWAY, slots=0)
    monkeypatch.setattr(heartbeat, "SURE_SECONDS", 0.0)
    later(store, monkeypatch, heartbeat.QUEUED_SECONDS - 5)
    assert [watch.look(store), watch.look(store)] == [[], []]


def test_a_worker_that_the_system_killed_for_memory_is_told_from_others(store, sleeper, watch, monkeypatch):
    run = running(store, identity(sleeper))
    store.append(run.id, [StageStarted(step=0, stage="dense", steps=1, total_steps=1)])
    store.beat(run.id, rss=3 * 2**30)
    heartbeat.note_kills(store.run_folder(run.id))
    sleeper.kill()
    sleeper.wait()
    kills = heartbeat.memory_kills()
    monkeypatch.setattr(heartbeat, "memory_kills", lambda: kills + 1)
    assert watch.look(store) == [run.id]
    assert "the machine's memory ran out (it used 3.0 GiB)" in store.run(run.id).reason
