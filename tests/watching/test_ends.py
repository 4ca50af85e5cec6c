"""Stores that are away, processes that are killed or stand still, several ranks: a training never ends because it is watched."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from catalyst_core import watch
from catalyst_core.config import RaceConfig
from catalyst_core.engine import heartbeat, launcher
from catalyst_core.engine.channel import Guest
from catalyst_core.engine.heartbeat import is_alive, this_process
from catalyst_core.errors import ConfigError, StoreUnavailableError
from catalyst_core.events import Command
from catalyst_core.store import open_store
from catalyst_core.watching import Unwatched, voice
from tests.watching.loops import loop

ROOT = Path(__file__).resolve().parents[2]


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def stand_still(child, store):
    """Stop a process where it holds no lock: one that stands still in the middle of a transaction holds up everybody."""
    locked = True
    while locked:
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        with closing(sqlite3.connect(store._backend.path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                os.kill(child.pid, signal.SIGCONT)
                time.sleep(0.05)
            else:
                locked = False


class Away:
    """Takes the store away and gives it back."""

    def __init__(self, store, monkeypatch, *names):
        self.gone = False
        for name in names or ("append", "beat", "commands"):
            monkeypatch.setattr(store, name, self._sometimes(getattr(store, name)))

    def _sometimes(self, method):
        def call(*arguments, **options):
            if self.gone:
                raise StoreUnavailableError("store elsewhere: connection refused")
            return method(*arguments, **options)

        return call


def logged(store):
    return [one.event.step for one in store.events(store.newest_race().runs[0].id, kinds=["step"])]


def test_what_was_said_while_the_store_was_away_arrives_once(store, monkeypatch, every_step):
    mine, away = loop(), Away(store, monkeypatch)
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        mine.steps(watched, 2)
        away.gone = True
        mine.steps(watched, 4)
        away.gone = False
        mine.steps(watched, 1)
    assert logged(store) == list(range(1, 8))
    assert store.newest_race().state == "completed"


def test_of_what_waits_there_is_an_end_and_the_numbers_in_between_are_not_lost(store, monkeypatch, every_step):
    monkeypatch.setattr(voice, "MOST_WAITING", 6)
    mine, away = loop(), Away(store, monkeypatch)
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        away.gone = True
        for loss in range(1, 31):
            watched.step(loss=float(loss))
        away.gone = False
        until(lambda: not watched._voice.is_behind)
    events = [one.event for one in store.events(store.newest_race().runs[0].id, kinds=["step"])]
    weights = [now.step - before for before, now in zip([0] + [one.step for one in events], events, strict=False)]
    assert len(events) < 6
    assert events[-1].step == 30
    assert sum(one.loss * weight for one, weight in zip(events, weights, strict=True)) == pytest.approx(sum(range(1, 31)))


def test_a_store_that_is_away_at_the_end_is_not_waited_for_for_long(store, monkeypatch, every_step, caplog):
    monkeypatch.setattr(Guest, "patience", 0.5)
    mine, away = loop(), Away(store, monkeypatch)
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        until(lambda: store.events(f"{watched.race_id}-00"))
        away.gone = True
        mine.steps(watched, 3)
    run = store.newest_race().runs[0]
    assert '"kind":"finished"' in (store.run_folder(run.id) / "unsent.jsonl").read_text()
    assert run.state == "running"
    assert "connection refused" in caplog.text


@pytest.mark.parametrize("name", ["create_race", "race"])
def test_a_store_that_is_away_at_the_beginning_warns_and_nothing_is_watched(store, monkeypatch, name):
    mine, away = loop(), Away(store, monkeypatch, name)
    away.gone = True
    unwatched = pytest.warns(UserWarning, match="connection refused: this training goes on unwatched")
    with unwatched as warned, watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        mine.steps(watched, 2)
    assert isinstance(watched, Unwatched)
    assert warned[0].filename == __file__


@pytest.mark.parametrize("take_away", ["fail", "delete"])
def test_a_run_that_somebody_took_away_is_said_once_and_the_training_goes_on(store, take_away, every_step, caplog):
    mine = loop(total_steps=None)
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        run = store.newest_race().runs[0]
        store.fail(run, "declared dead", "")
        if take_away == "delete":
            store.delete_race(run.race_id)
        until(lambda: mine.steps(watched, 1) or watched._voice.is_over)
        mine.steps(watched, 2)
    assert caplog.text.count("this training goes on unwatched") == 1


@pytest.fixture
def process(store):
    """A process that trains for ever, and the run of it."""
    command = [sys.executable, "-m", "tests.watching.loops", store.url]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        race_id = child.stdout.readline().strip()
        assert race_id, child.stderr.read()
        until(lambda: store.race(race_id).runs[0].step > 0)
        yield child, f"{race_id}-00"
    finally:
        child.kill()
        child.communicate()


def test_a_killed_process_is_found_dead_and_cannot_go_on_from_here(store, process):
    child, run_id = process
    assert launcher.watch(store) == []
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert launcher.watch(store) == [run_id]
    run = store.run(run_id)
    assert (run.state, run.reason) == (
        "failed",
        f"its own process (pid {child.pid}) is gone: it was killed, or ended without a word",
    )
    for go_on in (
        lambda: launcher.resume_run(store, run_id),
        lambda: launcher.resume_race(store, run.race_id),
        lambda: launcher.fork(store, run_id, "000001-kept", "again"),
    ):
        with pytest.raises(ConfigError, match="this training is watched, not run, by Catalyst"):
            go_on()
    assert store.run(run_id).state == "failed"


def test_a_process_that_stands_still_is_declared_dead_later_than_a_worker_and_never_ended(store, process, monkeypatch):
    child, run_id = process
    monkeypatch.setattr(heartbeat, "SURE_SECONDS", 0.0)
    stand_still(child, store)
    mine, watcher = store.run(run_id).process, heartbeat.Watch()
    monkeypatch.setattr(heartbeat, "SILENT_SECONDS", 0.0)
    assert [watcher.look(store) for _ in range(3)] == [[], [], []]
    monkeypatch.setattr(heartbeat, "WATCHED_SECONDS", 0.0)
    until(lambda: watcher.look(store) == [run_id])
    assert store.run(run_id).reason.startswith("its own process hung: no sign of life for ")
    assert is_alive(mine)
    os.kill(child.pid, signal.SIGCONT)
    time.sleep(1.0)
    assert child.poll() is None  # it trains on, unwatched


def test_ctrl_c_in_a_process_of_its_own(store, process):
    child, run_id = process
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert store.run(run_id).state == "stopped"


def test_stop_in_a_process_of_its_own(store, process):
    child, run_id = process
    assert launcher.stop_race(store, run_id.partition("-")[0]) == 1
    assert child.wait(60) == 0
    assert store.run(run_id).state == "stopped"


def test_a_watched_training_holds_no_slot_and_cannot_be_paused(store):
    mine = loop()
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        with pytest.raises(ConfigError, match="watched, not run"):
            launcher.send_race(store, watched.race_id, Command(name="pause"))
        queued = store.race(store.create_race(RaceConfig.build(methods=[{"name": "l1"}, {"name": "none"}])))
        assert launcher._is_short_of_workers(store.live_runs())
        assert store.assign(this_process().host, 1) == [run.id for run in queued.runs]
        assert store.claim(queued.runs[0].id, this_process(), slots=1) == 0
        assert store.claim(queued.runs[1].id, this_process(), slots=1) == 1
        for run in queued.runs:
            store.fail(store.run(run.id), "over", "")


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_both_kinds_of_store_take_it(backend, tmp_path, request):
    url = str(tmp_path / "races.db") if backend == "sqlite" else request.getfixturevalue("postgres")
    mine = loop()
    with watch(mine.model, mine.groups, mine.reg, store=url) as watched:
        watched.evaluated(0.5)
        mine.steps(watched, 3)
    store = open_store(url)
    run = store.race(watched.race_id).runs[0]
    assert (run.state, run.step, run.accuracy, run.process) == ("completed", 3, 0.5, this_process())
    store.close()


RANK = """
import sys, torch
from torch import distributed
from catalyst_core import watch
from catalyst_core.events import Command
from catalyst_core.store import open_store
from tests.watching.loops import loop
rank, meeting, url = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.set_num_threads(1)
distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
mine, store = loop(total_steps=None), open_store(url)
with watch(mine.model, mine.groups, mine.reg, store=url, learning_rate=0.05) as watched:
    distributed.barrier()
    if rank == 0:
        store.send(f"{watched.race_id}-00", Command(name="strength", value=2.0))
        while not store.events(f"{watched.race_id}-00", kinds=["note"]):
            mine.steps(watched, 1)
    else:
        mine.steps(watched, 3)
print(type(watched).__name__, repr(watched.race_id), mine.reg.strength, len(store.races()))
distributed.destroy_process_group()
"""


def test_of_several_ranks_the_first_one_alone_is_watched_and_changes_reach_none(store, tmp_path):
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    commands = [[sys.executable, "-c", RANK, str(rank), str(tmp_path / "meeting"), store.url] for rank in range(2)]
    ranks = [subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) for command in commands]
    try:
        said = [rank.communicate(timeout=270) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
    assert [rank.returncode for rank in ranks] == [0, 0], said
    race = store.newest_race()
    assert said[0][0] == f"Watched '{race.id}' 1.0 1\n"
    assert said[1][0] == "Unwatched '' 1.0 1\n"
    assert race.state == "completed"
    (note,) = [one.event.text for one in store.events(race.runs[0].id, kinds=["note"]) if "strength" in one.event.text]
    assert "several processes" in note
