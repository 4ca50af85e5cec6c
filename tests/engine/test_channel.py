"""The worker's line to the store: nothing lost, nothing doubled, nothing waited for."""

import shutil
import subprocess
import sys
import threading
import time

import pytest

from catalyst_core.config import RaceConfig
from catalyst_core.engine import channel as channels
from catalyst_core.engine.channel import Channel
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.errors import NotFoundError, RunFinishedError, StoreUnavailableError
from catalyst_core.events import Command, Noted, StepLogged


@pytest.fixture
def run(store):
    race_id = store.create_race(RaceConfig.build(methods=[{"name": "l1"}]))
    run_id = store.race(race_id).runs[0].id
    store.claim(run_id, this_process(), slots=1)
    return store.run(run_id)


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_events_arrive_by_themselves_and_the_rest_on_leaving(store, run):
    with Channel(store, run) as channel:
        channel.emit(Noted(step=0, text="0"))
        until(lambda: len(store.events(run.id)) == 1)
        for step in range(1, 50):
            channel.emit(Noted(step=step, text=str(step)))
    assert [stored.event.text for stored in store.events(run.id)] == [str(step) for step in range(50)]


def test_commands_arrive_in_order(store, run):
    got = []
    with Channel(store, run) as channel:
        store.send(run.id, Command(name="strength", value=3.0))
        store.send(run.id, Command(name="stop"))
        until(lambda: got.extend(channel.commands()) or len(got) == 2)
    assert [command.name for command in got] == ["strength", "stop"]


def test_what_was_asked_before_it_began_is_there_at_its_first_step(store, run):
    """A fork with few steps left would otherwise end without the settings that it was made for."""
    store.send(run.id, Command(name="strength", value=3.0))
    with Channel(store, run) as channel:
        assert [command.value for command in channel.commands()] == [3.0]
        assert channel.commands() == []


def test_the_heart_beats_while_training_is_busy(store, run):
    before = store.run(run.id).heartbeat
    with Channel(store, run):
        until(lambda: store.run(run.id).heartbeat > before)


@pytest.mark.parametrize(
    ("take_away", "error"), [("fail", RunFinishedError), ("requeue", RunFinishedError), ("delete", NotFoundError)]
)
def test_a_worker_whose_run_was_taken_away_is_told(store, run, take_away, error):
    with Channel(store, run) as channel:
        store.fail(run, "declared dead", "")
        if take_away == "requeue":
            store.requeue(run.id)
        if take_away == "delete":
            store.delete_race(run.race_id)

        def told():
            try:
                channel.emit(Noted(step=1, text="still here"))
            except error:
                return True
            return False

        until(told)


def test_a_command_is_done_only_when_what_it_led_to_is_committed(store, run):
    """A worker that dies in between gets it again."""
    store.send(run.id, Command(name="strength", value=3.0))
    with Channel(store, run) as channel:
        until(channel.commands)
        time.sleep(0.6)
        assert [sent.command.value for sent in store.commands(run.id)] == [3.0]
        channel.emit(Noted(step=1, text="carried out"))
        channel.commands()
        until(lambda: not store.commands(run.id))
    assert [stored.event.text for stored in store.events(run.id)] == ["carried out"]


class Away:
    """Takes the store away and gives it back."""

    def __init__(self, store, monkeypatch):
        self.gone = False
        for name in ("append", "beat", "commands"):
            monkeypatch.setattr(store, name, self._sometimes(getattr(store, name)))

    def _sometimes(self, method):
        def call(*arguments, **options):
            if self.gone:
                raise StoreUnavailableError("database or disk is full")
            return method(*arguments, **options)

        return call


def test_while_the_store_is_away_events_are_safe_on_the_disk_and_arrive_once_when_it_is_back(store, run, monkeypatch):
    away = Away(store, monkeypatch)
    unsent = store.run_folder(run.id) / "unsent.jsonl"
    with Channel(store, run) as channel:
        away.gone = True
        for step in range(3):
            channel.emit(Noted(step=step, text=str(step)))
            channel.committed()
        assert len(unsent.read_text().splitlines()) == 3
        away.gone = False
        until(lambda: len(store.events(run.id)) == 3)
    assert [stored.event.text for stored in store.events(run.id)] == ["0", "1", "2"]
    assert not unsent.exists()


def test_what_a_killed_worker_left_on_the_disk_is_sent_by_the_next_one_but_for_a_torn_line(store, run, monkeypatch):
    away = Away(store, monkeypatch)
    away.gone = True
    killed = Channel(store, run)
    for key in ("sparse:1", ""):
        killed.emit(Noted(step=1, text="promised", key=key))
    killed.committed()
    with open(store.run_folder(run.id) / "unsent.jsonl", "a") as file:
        file.write('{"step": 2, "kind": "no')
    away.gone = False
    with Channel(store, run) as channel:
        channel.emit(Noted(step=1, text="promised", key="sparse:1"))  # said again
        channel.emit(Noted(step=2, text="new", key="sparse:2"))
    assert [(stored.event.text, stored.event.key) for stored in store.events(run.id)] == [
        ("promised", "sparse:1"),
        ("promised", "@0.1.1"),
        ("new", "sparse:2"),
    ]


def test_an_answer_that_is_lost_after_the_commit_doubles_nothing(store, run, monkeypatch):
    append, answers = store.append, []

    def lost(*arguments, **options):
        append(*arguments, **options)
        answers.append(arguments)
        if len(answers) == 1:
            raise StoreUnavailableError("server closed the connection unexpectedly")

    monkeypatch.setattr(store, "append", lost)
    with Channel(store, run) as channel:
        channel.emit(Noted(step=0, text="once"))
        until(lambda: len(answers) > 1)
    assert [stored.event.text for stored in store.events(run.id)] == ["once"]


def test_without_room_training_waits_says_why_and_goes_on_when_there_is_some(store, run, monkeypatch):
    free = {"free": 0}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("", (), free)())
    monkeypatch.setattr(channels, "WAIT_SECONDS", 0.05)
    with Channel(store, run) as channel:
        channel.emit(Noted(step=7, text="before"))
        until(lambda: channel._room.lacking)
        waiting = threading.Thread(target=channel.commands)
        waiting.start()
        until(lambda: store.run(run.id).state == "paused")
        assert "0 MiB free" in store.run(run.id).note
        free["free"] = 2**40
        waiting.join(20)
        assert not waiting.is_alive()
        until(lambda: store.run(run.id).state == "running")
    said = [stored.event for stored in store.events(run.id)]
    assert [event.kind for event in said] == ["note", "state", "note", "state"]
    assert "waiting for disk space" in said[2].text
    assert {event.step for event in said} == {7}


def test_a_refused_file_is_tried_again_only_after_another_look_at_the_disk(store, run):
    with Channel(store, run) as channel:
        channel.no_room(OSError(28, "No space left on device"))
        channel.emit(Noted(step=1, text="goes on"))
    kinds = [stored.event.kind for stored in store.events(run.id)]
    assert kinds == ["state", "note", "state", "note"]


def test_a_training_that_hangs_is_ended_with_the_reason(store, run):
    code = """
import sys, time
from catalyst_core.engine import channel
from catalyst_core.store import open_store
channel.STALL_SECONDS = 1.0
store = open_store(sys.argv[1])
with channel.Channel(store, store.run(sys.argv[2])):
    time.sleep(600)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, store.url, run.id], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "time.sleep" in done.stderr or "<string>" in done.stderr
    assert store.run(run.id).state == "failed"
    assert "it hung: no step for" in store.run(run.id).reason


def test_events_come_with_keys_of_their_attempt(store, run):
    with Channel(store, run) as channel:
        channel.emit(Noted(step=0, text="a"))
        channel.emit(step_logged())
    assert [stored.event.key for stored in store.events(run.id)] == ["@0.1.1", "sparse:4"]


def step_logged():
    numbers = dict.fromkeys(("epoch", "loss", "penalty", "strength", "learning_rate", "seconds", "accuracy", "share_pruned"), 0.5)
    return StepLogged(step=1, stage="sparse", key="sparse:4", **numbers)
