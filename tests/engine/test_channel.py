"""The worker's line to the store: nothing lost, nothing doubled, nothing waited for."""

import time

import pytest

from catalyst_core.config import RaceConfig
from catalyst_core.engine.channel import Channel
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.errors import NotFoundError, RunFinishedError, StoreError
from catalyst_core.events import Command, Noted


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


def test_what_the_store_refuses_for_a_while_is_kept_and_arrives_once(store, run, monkeypatch):
    append, refused = store.append, []

    def flaky(*arguments, **options):
        if len(refused) < 2:
            refused.append(arguments)
            raise StoreError("database or disk is full")
        return append(*arguments, **options)

    monkeypatch.setattr(store, "append", flaky)
    with Channel(store, run) as channel:
        channel.emit(Noted(step=0, text="kept"))
        until(lambda: len(store.events(run.id)) == 1)
    assert len(refused) == 2
    assert [stored.event.text for stored in store.events(run.id)] == ["kept"]
