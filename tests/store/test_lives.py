"""The queue, the next attempt and forks, on both back ends."""

import json
import subprocess
import sys
from collections import Counter

import pytest

from catalyst_core.errors import CheckpointError, ConfigError, NotFoundError, RunFinishedError
from catalyst_core.events import Command, Evaluated, Finished, Noted, SettingChanged, StateChanged
from catalyst_core.store import Process
from tests.store.made import ME, OTHER, begun, config, kept, keyed, logged, rolled_back, steps


def process(number, host="here"):
    return Process(number, 0.0, host, boot="b1")


def test_a_worker_is_asked_for_once_for_each_free_slot_and_one_more(store, race):
    first, second, third = (run.id for run in race.runs)
    now = store.now()
    assert store.assign("here", slots=1, now=now) == [first, second]
    assert store.assign("here", slots=1, now=now + 29) == []
    assert store.run(first).assigned == now
    assert store.assign("here", slots=1, now=now + 31) == [first, second]
    store.claim(first, process(1), slots=1)
    assert store.assign("here", slots=1, now=now + 70) == [second]
    store.claim(second, process(2), slots=1)
    assert store.assign("here", slots=1, now=now + 110) == []
    assert store.assign("here", slots=2, now=now + 110) == [third]
    assert store.run(second).process == process(2)


def test_slots_are_counted_for_each_machine(store, race):
    first, second, third = (run.id for run in race.runs)
    assert store.claim(first, process(1, "here"), slots=1) == 0
    assert store.claim(second, process(2, "here"), slots=1) == 1
    assert store.assign("there", slots=1) == [third]
    assert store.claim(third, process(3, "there"), slots=1) == 0
    assert store.run(second).state == "queued"


def test_priority_comes_before_age_and_only_a_queued_run_has_one(store, race):
    urgent = store.race(store.create_race(config(methods=[{"name": "l1"}]), priority=5)).runs[0].id
    last = race.runs[2].id
    store.set_priority(last, 100)
    assert [run.id for run in store.live_runs()][:3] == [last, urgent, race.runs[0].id]
    assert [store.run(run_id).place for run_id in (last, urgent, race.runs[0].id)] == [1, 2, 3]
    assert store.claim(urgent, process(1), slots=1) == 2
    assert store.claim(last, process(2), slots=1) == 0
    with pytest.raises(ConfigError, match="between -100 and 100, not 101"):
        store.set_priority(urgent, 101)
    with pytest.raises(ConfigError, match="is running"):
        store.set_priority(last, 1)
    store.send(urgent, Command(name="stop"))
    with pytest.raises(RunFinishedError, match="is stopped"):
        store.set_priority(urgent, 1)
    with pytest.raises(ConfigError, match="priority"):
        store.create_race(config(), priority=-101)


HOST = """
import json, sys
from catalyst_core.events import Finished
from catalyst_core.store import Process, open_store

store, number, most, mine = open_store(sys.argv[1]), int(sys.argv[2]), 0, []
waiting = []
while store.live_runs():
    waiting += store.assign("here", slots=3)
    for run_id in list(waiting):
        if store.claim(run_id, Process(number, 0.0, "here"), slots=3) == 0:
            waiting.remove(run_id)
            mine.append(run_id)
            most = max(most, sum(run.state == "running" for run in store.live_runs()))
            store.append(run_id, [Finished(step=1, ledger={})])
print(json.dumps([most, mine]))
"""


def test_two_processes_that_share_the_queue_never_exceed_the_slots_and_never_take_a_run_twice(store):
    race = store.race(store.create_race(config(seeds=tuple(range(10)))))
    commands = [[sys.executable, "-c", HOST, store.url, number] for number in ("1", "2")]
    hosts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    outcomes = [json.loads(host.communicate(timeout=120)[0]) for host in hosts]
    assert max(most for most, _ in outcomes) <= 3
    taken = Counter(run_id for _, mine in outcomes for run_id in mine)
    assert taken == Counter(run.id for run in race.runs)


def test_a_failed_run_goes_on_where_it_was_with_the_commands_that_still_mean_something(store, run):
    sent = [Command(name="pause"), Command(name="strength", value=2.0), Command(name="stop"), Command(name="resume")]
    for command in sent:
        store.send(run.id, command)
    store.append(run.id, [begun(), keyed(5), Evaluated(step=5, stage="sparse", split="validation", accuracy=0.5, loss=1.0)])
    store.beat(run.id, rss=5, bytes=6, note="the disk is full")
    store.fail(store.run(run.id), "gone", "tail")
    events = store.events(run.id)
    assert store.requeue(run.id)
    seen = store.run(run.id)
    assert (seen.state, seen.attempt, seen.process, seen.assigned, seen.finished) == ("queued", 2, None, None, None)
    assert (seen.reason, seen.log_tail, seen.note, seen.ledger, seen.heartbeat) == ("", "", "", None, None)
    assert (seen.stage, seen.step, seen.total_steps, seen.seconds, seen.accuracy) == ("sparse", 5, 80, 2.0, 0.5)
    assert (seen.share_pruned, seen.revision, seen.bytes) == (0.25, 0, 6)
    assert store.events(run.id) == events
    assert [one.command for one in store.commands(run.id)] == [Command(name="strength", value=2.0)]
    assert not store.requeue(run.id)
    store.claim(run.id, OTHER, slots=1)
    with pytest.raises(RunFinishedError, match="attempt 2"):
        store.beat(run.id, attempt=1)


def test_going_on_after_a_stop_takes_back_the_cut_that_the_stop_made(store, run):
    changed = SettingChanged(step=12, name="strength", old=1.0, new=2.0, who="me")
    store.append(run.id, [begun(), keyed(10, seconds=1.0)])
    store.append(run.id, [StateChanged(step=12, state="stopping"), kept("stopped", 12), changed, keyed(12, seconds=1.5)])
    store.append(run.id, [begun("prune", 12), begun("finetune", 12, total_steps=30), keyed(20, seconds=5.0)])
    store.append(run.id, [Finished(step=20, ledger={"macs": 1}, stopped=True)])
    assert store.requeue(run.id)
    seen = store.run(run.id)
    assert (seen.stage, seen.step, seen.total_steps, seen.seconds, seen.revision) == ("sparse", 12, 80, 1.0, 1)
    assert seen.ledger is None
    assert [one.event.kind for one in store.events(run.id)] == ["stage", "step", "checkpoint", "setting"]
    store.claim(run.id, OTHER, slots=1)
    store.append(run.id, [keyed(12), begun("prune", 40)], attempt=2)
    assert steps(store, run.id) == [10, 12]
    assert store.run(run.id).stage == "prune"


def test_a_run_stopped_in_the_queue_goes_on_and_nothing_is_withdrawn(store, race):
    last = race.runs[2].id
    store.send(last, Command(name="stop"))
    assert store.requeue(last)
    assert (store.run(last).state, store.run(last).revision) == ("queued", 0)
    with pytest.raises(NotFoundError):
        store.requeue("nobody")


def test_a_command_for_a_finished_run_is_told_how_it_ended(store, run):
    store.append(run.id, [Finished(step=1, ledger={})])
    with pytest.raises(RunFinishedError, match="is completed: it takes no more commands"):
        store.send(run.id, Command(name="pause"))


def test_a_fork_has_the_past_of_its_source_up_to_the_checkpoint(store, run):
    store.append(run.id, [begun("dense"), begun(step=3), keyed(5, loss=1.0), rolled_back(4), keyed(5, loss=2.0, seconds=4.0)])
    store.append(run.id, [StateChanged(step=5, state="paused"), Noted(step=5, text="paused"), kept("five", 5)])
    store.append(run.id, [keyed(6), kept("six", 6), Finished(step=7, ledger={"macs": 1})])
    fork = store.run(store.fork(run.id, "five", "slower"))
    assert (fork.state, fork.parent, fork.position, fork.race_id, fork.attempt) == ("queued", run.id, 3, run.race_id, 1)
    assert (fork.stage, fork.step, fork.total_steps, fork.seconds) == ("sparse", 5, 80, 4.0)
    assert fork.label == f"{run.label} (slower)"
    mine, source = store.events(fork.id), store.events(run.id)
    assert [one.event.kind for one in mine] == ["stage", "stage", "rollback", "step", "note", "checkpoint"]
    assert [(one.time, one.event) for one in mine] == [
        (one.time, one.event) for one in source if one.event in [m.event for m in mine]
    ]
    assert [one.cursor for one in mine] == sorted(one.cursor for one in mine)
    assert store.race(run.race_id).labels == ("catalyst", "l1", "group_lasso", "catalyst (slower)")
    assert len(store.race(run.race_id).config.methods) == 3
    store.claim(fork.id, ME, slots=9)
    store.append(fork.id, [keyed(5), kept("five", 5), keyed(6)])
    assert steps(store, fork.id) == [5, 6]
    again = store.fork(fork.id, "five", "slowest")
    assert store.run(again).label == f"{run.label} (slowest)"


def test_a_fork_that_cannot_be_is_refused_in_one_sentence(store, race, run):
    store.append(run.id, [logged(1), kept("a", 1), kept("b", 2), rolled_back(1)])
    with pytest.raises(CheckpointError, match=rf"run {run.id} kept no checkpoint 'b'; it has: a$"):
        store.fork(run.id, "b", "x")
    with pytest.raises(CheckpointError, match="it has: none"):
        store.fork(race.runs[1].id, "a", "x")
    store.fork(run.id, "a", "x")
    for taken in ("x", ""):
        with pytest.raises(ConfigError, match="already"):
            store.fork(run.id, "a", taken)
    for name in ("<b>", "x" * 10_000):
        with pytest.raises(ConfigError, match="variant"):
            store.fork(run.id, "a", name)
    with pytest.raises(NotFoundError):
        store.fork("nobody", "a", "y")
    assert len(store.race(run.race_id).runs) == 4
