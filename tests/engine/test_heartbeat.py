"""The truth about state: dead workers become failed runs with the reason; living ones are left alone."""

import dataclasses
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from catalyst_core.config import RaceConfig
from catalyst_core.engine import heartbeat
from catalyst_core.engine.heartbeat import is_alive, this_process, watch
from catalyst_core.store import Process


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield child
    child.kill()
    child.wait()


def identity(child):
    return dataclasses.replace(this_process(), pid=child.pid, created=psutil.Process(child.pid).create_time())


def queued_run(store):
    return store.race(store.create_race(RaceConfig.build(methods=[{"name": "l1"}]))).runs[0]


def test_a_process_is_alive_until_it_is_killed_zombies_included(sleeper):
    process = identity(sleeper)
    assert is_alive(process)
    assert not is_alive(dataclasses.replace(process, created=process.created - 100)), "a recycled pid is somebody else"
    sleeper.kill()
    psutil.Process(sleeper.pid)  # not waited for: still in the process table
    deadline = time.monotonic() + 10
    while is_alive(process):
        assert time.monotonic() < deadline


def test_a_killed_worker_fails_its_run_with_the_reason_and_the_log(store, sleeper):
    run = queued_run(store)
    store.claim(run.id, identity(sleeper), slots=1)
    heartbeat.log_path(store, run.id).write_text("\n".join(f"line {number}" for number in range(50)))
    assert watch(store) == []
    sleeper.kill()
    sleeper.wait()
    assert watch(store) == [run.id]
    seen = store.run(run.id)
    assert seen.state == "failed"
    assert f"pid {sleeper.pid}" in seen.reason
    assert seen.log_tail.splitlines() == [f"line {number}" for number in range(30, 50)]
    assert watch(store) == []


def test_a_worker_that_dies_in_the_queue_does_not_block_it(store, sleeper):
    run = queued_run(store)
    assert store.claim(run.id, identity(sleeper), slots=0) == 1
    sleeper.kill()
    sleeper.wait()
    assert watch(store) == [run.id]


def test_a_worker_that_never_came_is_noticed(store, monkeypatch):
    run = queued_run(store)
    assert watch(store) == []
    monkeypatch.setattr(heartbeat, "START_SECONDS", -1.0)
    assert watch(store) == [run.id]
    assert "did not start" in store.run(run.id).reason


def test_on_another_machine_only_silence_tells(store, monkeypatch):
    run = queued_run(store)
    store.claim(run.id, Process(1, 1.0, "another-host"), slots=1)
    assert watch(store) == []
    monkeypatch.setattr(heartbeat, "SILENT_SECONDS", -1.0)
    assert watch(store) == [run.id]
    assert "another-host" in store.run(run.id).reason
    assert store.run(run.id).heartbeat > datetime.now(UTC) - timedelta(minutes=1)
