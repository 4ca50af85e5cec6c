"""The promises in the docstring of `catalyst_core.store.base`, for every back end."""

import threading

import pytest

from catalyst_core.errors import ConfigError, NotFoundError, RunFinishedError
from catalyst_core.events import Command, Evaluated, FiltersMeasured, Finished, Noted, StageStarted, StateChanged, pack
from catalyst_core.store import Process, open_store
from tests.store.made import ME, OTHER, config, gone, logged


def test_a_race_comes_back_as_it_was_made(store):
    made = config(seeds=(3, 4), pruning_ratio=0.7, title="mine")
    race = store.race(store.create_race(made))
    assert race.config == made
    assert [run.config for run in race.runs] == made.contenders()
    assert [run.place for run in race.runs] == [1, 2, 3, 4, 5, 6]
    assert race.state == "queued"
    assert not race.is_finished


def test_races_are_listed_newest_first_and_found_by_prefix(store):
    first, second = store.create_race(config()), store.create_race(config())
    assert [race.id for race in store.races()] == [second, first]
    assert store.race(first[:7]).id == first
    for wrong in ("", "zz", "%"):
        with pytest.raises(NotFoundError):
            store.race(wrong)
    with pytest.raises(NotFoundError):
        store.run("nobody")


def test_what_was_appended_is_read_back_in_order_by_cursor(store, run):
    vector = pack([0.5, float("inf"), 0.0])
    measured = FiltersMeasured(
        step=2, stage="sparse", magnitudes=vector, margins=vector, thresholds=(None, 0.5), histogram=(1, 0), zeros=1
    )
    sent = [StageStarted(step=0, stage="sparse", steps=9, total_steps=9), logged(1, loss=float("nan")), measured]
    store.append(run.id, sent[:2])
    cursor = store.append(run.id, sent[2:])
    got = store.events(run.id)
    assert [str(stored.event) for stored in got] == [str(event) for event in sent]
    assert [stored.cursor for stored in got] == sorted(stored.cursor for stored in got)
    assert got[-1].cursor == cursor
    assert store.events(run.id, after=got[1].cursor) == got[2:]
    assert store.events(run.id, after=cursor) == []
    assert [stored.event.kind for stored in store.events(run.id, kinds=["filters"])] == ["filters"]
    assert str(store.race_events(run.race_id)) == str(got)


def test_events_keep_the_status_line_up_to_date(store, run):
    store.append(run.id, [StageStarted(step=0, stage="sparse", steps=40, total_steps=80), logged(20)])
    store.append(run.id, [Evaluated(step=20, stage="sparse", split="validation", accuracy=0.75, loss=1.0)])
    store.append(run.id, [Evaluated(step=20, stage="sparse", split="test", accuracy=0.1, loss=1.0)])
    seen = store.run(run.id)
    assert (seen.stage, seen.step, seen.progress, seen.accuracy, seen.share_pruned) == ("sparse", 20, 0.25, 0.75, 0.25)
    assert seen.seconds_left == pytest.approx(2.0 / 20 * 60)
    store.append(run.id, [StateChanged(step=20, state="paused")])
    assert store.run(run.id).state == "paused"
    assert store.race(run.race_id).state == "paused"


@pytest.mark.parametrize(("stopped", "state"), [(False, "completed"), (True, "stopped")])
def test_a_finished_run_keeps_its_ledger_and_refuses_writes(store, run, stopped, state):
    store.append(run.id, [Finished(step=80, ledger={"method": "catalyst", "macs": 7}, stopped=stopped)])
    seen = store.run(run.id)
    assert seen.state == state
    assert seen.ledger == {"method": "catalyst", "macs": 7}
    assert seen.finished is not None
    for write in (
        lambda: store.append(run.id, [logged(81)]),
        lambda: store.beat(run.id),
        lambda: store.send(run.id, Command(name="pause")),
        lambda: store.claim(run.id, ME, slots=1),
    ):
        with pytest.raises(RunFinishedError):
            write()
    assert len(store.events(run.id)) == 1


def test_the_queue_gives_slots_in_order_and_to_no_more_than_there_are(store, race):
    first, second, third = (run.id for run in race.runs)
    processes = [Process(pid, 0.0, "here") for pid in (1, 2, 3)]
    assert store.claim(third, processes[2], slots=2) == 3
    assert store.claim(first, processes[0], slots=2) == 0
    assert store.claim(third, processes[2], slots=2) == 2
    assert store.claim(second, processes[1], slots=2) == 0
    assert store.claim(third, processes[2], slots=2) == 1
    store.append(first, [Finished(step=1, ledger={})])
    assert store.claim(third, processes[2], slots=2) == 0
    assert [run.id for run in store.live_runs()] == [second, third]


def test_a_run_has_one_owner_and_a_recycled_pid_is_somebody_else(store, race):
    second = race.runs[1].id
    assert store.claim(second, ME, slots=1) == 2
    assert store.claim(second, ME, slots=1) == 2
    with pytest.raises(RunFinishedError):
        store.claim(second, OTHER, slots=1)


def test_commands_wait_in_order_until_they_are_done(store, run):
    sent = [Command(name="strength", value=2.0, who="me"), Command(name="pause")]
    for command in sent:
        store.send(run.id, command)
    first, second = store.commands(run.id)
    assert [first.command, second.command] == sent
    assert store.commands(run.id, after=first.id) == [second]
    store.append(run.id, [logged(1)], done=first.id)
    assert store.commands(run.id) == [second]
    store.append(run.id, [], done=second.id)
    assert store.commands(run.id) == []


def test_a_queued_run_is_stopped_at_once(store, race):
    last = race.runs[2]
    store.send(last.id, Command(name="stop"))
    assert store.run(last.id).state == "stopped"
    with pytest.raises(RunFinishedError):
        store.claim(last.id, ME, slots=9)


def test_failing_says_why_and_only_what_was_seen_can_be_failed(store, run):
    store.append(run.id, [logged(5)])
    assert store.fail(run, "its worker is gone", "last line")
    seen = store.run(run.id)
    assert (seen.state, seen.reason, seen.log_tail) == ("failed", "its worker is gone", "last line")
    assert not store.fail(run, "again", "")
    assert store.requeue(run.id)
    assert not store.fail(run, "a late witness of the first attempt", "")


def test_resuming_goes_on_where_the_run_was_and_refuses_the_last_attempt(store, run):
    store.append(run.id, [logged(5)])
    assert not store.requeue(run.id)
    store.fail(run, "gone", "")
    assert store.requeue(run.id)
    seen = store.run(run.id)
    assert (seen.state, seen.attempt, seen.step, seen.reason, seen.process) == ("queued", 2, 5, "", None)
    assert [stored.event.kind for stored in store.events(run.id)] == ["step", "failed"]
    store.claim(run.id, OTHER, slots=1)
    store.append(run.id, [Noted(step=0, text="again")], attempt=2)
    assert [stored.event.kind for stored in store.events(run.id)] == ["step", "failed", "note"]
    assert store.run(run.id).step == 5
    with pytest.raises(RunFinishedError):
        store.append(run.id, [logged(6)], attempt=1)


def test_deleting_needs_a_finished_race_and_leaves_nothing(store, race):
    with pytest.raises(ConfigError, match="stop it before"):
        store.delete_race(race.id)
    for run in race.runs:
        store.send(run.id, Command(name="stop"))
    (store.run_folder(race.runs[0].id) / "sparse.pt").write_bytes(b"weights")
    store.delete_race(race.id)
    assert store.races() == []
    assert not (store.files / "runs" / race.runs[0].id).exists()
    with pytest.raises(NotFoundError):
        store.race(race.id)


def test_renaming_keeps_the_rest_of_the_configuration(store, race):
    store.rename(race.id, "  my race ")
    renamed = store.race(race.id)
    assert renamed.title == "my race"
    assert renamed.config.methods == race.config.methods
    with pytest.raises(ConfigError, match="title"):
        store.rename(race.id, "x" * 121)


def test_a_race_of_what_cannot_be_raced_here_is_renamed_all_the_same(store):
    race_id = store.create_race(gone())
    store.rename(race_id, "as it was")
    assert store.race(race_id).config == gone().model_copy(update={"title": "as it was"})
    with pytest.raises(ConfigError, match="title"):
        store.rename(race_id, "hidden \u202e text")


def test_a_failed_transaction_leaves_nothing_half_made(store, race, run):
    class Odd:
        kind = "step"
        step = 7
        key = ""

        def model_dump_json(self):
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        store.append(run.id, [logged(7), Odd()])
    assert store.events(run.id) == []
    assert store.run(run.id).step == 0


def test_many_writers_lose_and_double_nothing(store):
    race = store.race(store.create_race(config()))
    for run in race.runs:
        store.claim(run.id, ME, slots=3)
    threads = [
        threading.Thread(target=lambda run=run: [store.append(run.id, [logged(step)]) for step in range(60)]) for run in race.runs
    ]
    for thread in threads:
        thread.start()
    seen, cursor = [], 0
    while any(thread.is_alive() for thread in threads) or len(seen) < 180:
        new = store.race_events(race.id, after=cursor)
        seen += new
        cursor = new[-1].cursor if new else cursor
    for run in race.runs:
        assert [stored.event.step for stored in seen if stored.run_id == run.id] == list(range(60))


def test_two_handles_on_one_store_see_each_other(store, run):
    other = open_store(store.url)
    other.append(run.id, [logged(1)])
    assert len(store.events(run.id)) == 1
    assert other.race(run.race_id).id == run.race_id
    other.close()


def test_the_default_store_is_in_the_home_or_where_the_environment_says(catalyst_home, tmp_path, monkeypatch):
    opened = open_store()
    assert opened.url == f"sqlite:///{catalyst_home / 'catalyst.db'}"
    opened.close()
    monkeypatch.setenv("CATALYST_STORE", str(tmp_path / "elsewhere.db"))
    opened = open_store()
    assert opened.url.endswith("elsewhere.db")
    assert opened.files == tmp_path / "elsewhere-files"
    opened.close()
