"""Commands: each acts at the next step boundary, and what has no effect is said."""

import threading
import time

import pytest
from filelock import FileLock

from catalyst_core.errors import UsageError
from catalyst_core.events import (
    Command,
    FiltersMeasured,
    Finished,
    Noted,
    Pruned,
    SettingChanged,
    StageStarted,
    StateChanged,
    StepLogged,
)
from tests.training.tiny import contender


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


class Script:
    """Sends the next command once its moment has come; moments are predicates on the events so far."""

    def __init__(self, *lines):
        self.lines = list(lines)

    def __call__(self, events):
        if self.lines and self.lines[0][0](events):
            return [self.lines.pop(0)[1]]
        return []


def at(stage, steps=0):
    """From `steps` logged steps into a stage on."""

    def moment(events):
        started = any(event.stage == stage for event in of(events, StageStarted))
        return started and sum(event.stage == stage for event in of(events, StepLogged)) >= steps

    return moment


def now(events):
    return True


def test_stop_in_the_dense_stage_ends_without_a_ledger(record):
    events = record(contender(), Script((at("dense", 3), Command(name="stop"))))
    assert events[-1] == Finished(step=3, ledger={}, stopped=True)
    assert of(events, StateChanged)[-1].state == "stopping"
    assert not list((record.folder / "dense").glob("*.pt"))


def test_after_a_stopped_dense_stage_the_next_contender_trains_it(record):
    record(contender(), Script((at("dense", 3), Command(name="stop"))))
    assert of(record(contender()), StageStarted)[0].note == ""


def test_stop_in_the_sparse_stage_gives_a_lossless_cut_for_catalyst(record):
    events = record(contender("catalyst"), Script((at("sparse", 5), Command(name="stop"))))
    assert [event.stage for event in of(events, StageStarted)] == ["dense", "sparse", "prune"]
    row = of(events, Finished)[0].ledger
    assert of(events, Finished)[0].stopped
    assert row["stopped"]
    assert row["max_abs_logit_change"] <= 1e-10
    assert row["sparse_steps"] == 5
    assert row["undecided"] > 0
    assert any("undecided" in event.text for event in of(events, Noted))
    assert (row["recalibrated_accuracy"], row["finetuned_accuracy"]) == (None, None)
    assert (record.folder / "run" / "pruned.pt").exists()
    assert sum(event.decided for event in of(events, FiltersMeasured)) == 1


def test_stop_in_the_sparse_stage_cuts_at_the_budget_for_the_others(record):
    row = record(contender("group_lasso"), Script((at("sparse", 2), Command(name="stop"))))[-1].ledger
    assert row["channels_pruned"] == 80


def test_stop_while_the_dense_network_is_evaluated_keeps_it_and_ends_without_a_ledger(record):
    def script(events):
        done = sum(event.stage == "dense" for event in of(events, StepLogged)) == 8
        return [Command(name="stop")] if done and not of(events, StateChanged) else []

    events = record(contender(), script)
    assert events[-1] == Finished(step=8, ledger={}, stopped=True)
    assert [file.parent.name for file in record.folder.rglob("*.pt")] == ["dense"]


def test_stop_in_finetuning_keeps_what_there_is(record):
    row = record(contender("none"), Script((at("finetune", 2), Command(name="stop"))))[-1].ledger
    assert row["finetune_steps"] == 2
    assert row["finetuned_accuracy"] is not None


def test_pause_halts_and_resume_goes_on(record):
    paused_at: list[int] = []

    def script(events):
        states = [event.state for event in of(events, StateChanged)]
        if not states and at("sparse", 3)(events):
            return [Command(name="pause")]
        if states == ["paused"]:
            paused_at.append(len(events))
            return [Command(name="resume")] if len(paused_at) == 3 else []
        return []

    events = record(contender(), script)
    assert [event.state for event in of(events, StateChanged)] == ["paused", "running"]
    assert len(set(paused_at)) == 1  # nothing was said in between
    assert not events[-1].stopped


def test_pausing_changes_no_number(record):
    plain = record(contender(), run="plain")
    paused = record(contender(), Script((at("sparse", 3), Command(name="pause")), (now, Command(name="resume"))))
    assert of(plain, Finished)[0].ledger["validation"] == of(paused, Finished)[0].ledger["validation"]


def test_stop_while_paused(record):
    events = record(contender(), Script((at("sparse", 2), Command(name="pause")), (now, Command(name="stop"))))
    assert [event.state for event in of(events, StateChanged)] == ["paused", "stopping"]
    assert events[-1].stopped


def test_resume_without_a_pause_is_nothing(record):
    events = record(contender("none", sparse_epochs=1), Script((now, Command(name="resume"))))
    assert not of(events, StateChanged)


@pytest.mark.parametrize("stage", ["dense", "sparse"])
def test_strength_acts_and_is_told(record, stage):
    events = record(contender("l1"), Script((at(stage, 2), Command(name="strength", value=0.5, who="page"))))
    change = of(events, SettingChanged)[0]
    assert (change.name, change.new, change.who) == ("strength", 0.5, "page")
    assert events[-1].ledger["strength"] == 0.5
    sparse = [event.strength for event in of(events, StepLogged) if event.stage == "sparse" and event.step > change.step]
    assert set(sparse) == {0.5}


@pytest.mark.parametrize(
    ("method", "stage"), [("catalyst", "sparse"), ("catalyst", "dense"), ("l1", "sparse"), ("random", "dense")]
)
def test_the_budget_acts_and_is_told(record, method, stage):
    config = contender(method, sparse_epochs=10)
    events = record(config, Script((at(stage, 2), Command(name="pruning_ratio", value=0.25))))
    assert (of(events, SettingChanged)[0].old, of(events, SettingChanged)[0].new) == (0.5, 0.25)
    assert events[-1].ledger["pruning_ratio"] == 0.25
    assert events[-1].ledger["channels_pruned"] == 40


@pytest.mark.parametrize(
    ("fields", "stage", "command", "words"),
    [
        ({"method": "none"}, "dense", Command(name="strength", value=1.0), "none has no strength"),
        ({"method": "l1"}, "finetune", Command(name="strength", value=1.0), "has been cut"),
        ({"method": "l1"}, "finetune", Command(name="pruning_ratio", value=0.1), "has been cut"),
        ({"method": "catalyst", "start_ratio": 1.2}, "sparse", Command(name="pruning_ratio", value=0.1), "fixed start ratio"),
        ({"method": "l1"}, "sparse", Command(name="strength"), "strength needs a finite number, not 'None'"),
        (
            {"method": "catalyst"},
            "sparse",
            Command(name="strength", value=5.0),
            "strength must stay below 5",
        ),
        ({"method": "l1"}, "sparse", Command(name="strength", value=-1.0), "strength"),
        ({"method": "tp_bn_scale"}, "sparse", Command(name="solver", value="proximal"), "solver of tp_bn_scale is its own"),
        ({"method": "l1"}, "sparse", Command(name="pruning_ratio", value=1.5), "pruning_ratio"),
        (
            {"method": "l1", "macs_ratio": 0.5},
            "sparse",
            Command(name="pruning_ratio", value=0.4),
            "this race is macs_ratio",
        ),
    ],
)
def test_a_command_without_effect_is_a_note_and_the_run_goes_on(record, fields, stage, command, words):
    events = record(contender(sparse_epochs=1, **fields), Script((at(stage, 1), command)))
    assert not of(events, SettingChanged)
    assert any(words in event.text for event in of(events, Noted))
    assert not events[-1].stopped


def test_a_value_that_is_in_force_already_is_no_change(record):
    events = record(contender("l1", sparse_epochs=1), Script((at("sparse", 1), Command(name="pruning_ratio", value=0.5))))
    assert not of(events, SettingChanged)


def _lock(record, config) -> FileLock:
    dense = record.folder / "dense"
    dense.mkdir(parents=True)
    return FileLock(dense / f"{config.dense_key()}.pt.lock")


def test_stop_while_another_contender_trains_the_dense_network(record):
    config = contender()
    with _lock(record, config):
        events = record(config, Script((at("dense"), Command(name="stop"))))
    assert "waiting" in of(events, StageStarted)[0].note
    assert of(events, FiltersMeasured)[0].step == 0
    assert events[-1] == Finished(step=0, ledger={}, stopped=True)


def test_who_waited_loads_or_trains_once_the_other_is_gone(record):
    config = contender("none", sparse_epochs=1)
    lock = _lock(record, config)
    told: list = []
    with lock:
        waiting = threading.Thread(target=lambda: told.extend(record(config)))
        waiting.start()
        time.sleep(0.5)
    waiting.join(timeout=60)
    assert "waiting" in of(told, StageStarted)[0].note
    assert any(event.text.startswith("dense network") for event in of(told, Noted))
    assert of(told, Pruned)


def test_two_contenders_at_once_train_one_dense_network(record):
    told: dict[str, list] = {}

    def work(method):
        told[method] = record(contender(method, sparse_epochs=1), run=method)

    threads = [threading.Thread(target=work, args=(method,)) for method in ("none", "random")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    dense = [any(event.stage == "dense" for event in of(events, StepLogged)) for events in told.values()]
    assert sorted(dense) == [False, True]
    assert len({events[-1].ledger["dense_accuracy"] for events in told.values()}) == 1


def test_data_errors_reach_the_caller(record):
    config = contender("none")
    broken = config.model_copy(update={"data": config.data.model_copy(update={"name": "folder", "folder": "nowhere"})})
    with pytest.raises(UsageError, match="no folder 'nowhere'"):
        record(broken)
