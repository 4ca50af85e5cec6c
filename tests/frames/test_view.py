import numpy as np
import pytest

from catalyst_core import frames
from catalyst_core.errors import NotFoundError
from catalyst_core.events import (
    CheckpointKept,
    Failed,
    FiltersMeasured,
    GroupsFound,
    Noted,
    RolledBack,
    SettingChanged,
    StateChanged,
    StepLogged,
    pack,
)
from catalyst_core.frames import RaceView
from catalyst_core.frames.view import LEAST_LOOKS
from tests import synthetic


@pytest.fixture
def store():
    return synthetic.MemoryStore()


def view_of(store, race):
    view = RaceView(store, race.id)
    view.refresh()
    return view


def step(at, **more):
    numbers = {"epoch": at / 10, "seconds": at / 5, "loss": 1.0, "accuracy": 0.5, "penalty": 2.0, "strength": 1.0}
    return StepLogged(step=at, stage="sparse", **(numbers | {"learning_rate": 0.1, "share_pruned": 0.25} | more))


def look(at, stage, magnitudes, margins=None, decided=False):
    margins = np.zeros(len(magnitudes)) if margins is None else margins
    return FiltersMeasured(
        step=at,
        stage=stage,
        magnitudes=pack(magnitudes),
        margins=pack(margins),
        thresholds=(None,),
        histogram=(0,) * 96,
        zeros=len(magnitudes),
        decided=decided,
    )


def test_an_unknown_race_is_not_found(store):
    with pytest.raises(NotFoundError):
        RaceView(store, "nothing")


def test_refresh_reads_only_what_is_new(store):
    race = store.create(synthetic.config())
    first = race.runs[0].id
    view = RaceView(store, race.id)
    assert view.refresh() == 0
    store.append(first, step(1), step(2))
    assert view.refresh() == 2
    assert view.refresh() == 0
    store.append(first, step(3))
    assert view.refresh() == 1
    assert view.told == 3
    assert [numbers[0] for numbers in view.records[first].logged] == [1, 2, 3]
    assert view.race.runs[0].step == 3


def test_a_resumed_run_goes_on_where_it_was(store):
    race = store.create(synthetic.config())
    first = race.runs[0].id
    view = RaceView(store, race.id)
    store.append(first, step(1), step(2))
    view.refresh()
    store.append(first, Failed(step=2, reason="killed"))
    store.update(first, state="queued", attempt=2)
    store.append(first, step(7))
    assert view.refresh() == 2
    record = view.records[first]
    assert [row[0] for row in record.logged] == [1, 2, 7]
    assert [event.reason for event in record.failed] == ["killed"]


def test_a_roll_back_takes_back_what_was_said_of_later_steps_in_this_run_alone(store):
    race = store.create(synthetic.config())
    first, second = race.runs[0].id, race.runs[1].id
    view = RaceView(store, race.id)
    store.append(first, step(1), step(5), SettingChanged(step=1, name="solver", old="proximal", new="subgradient", who="ada"))
    store.append(second, step(5))
    view.refresh()
    store.append(first, RolledBack(step=1, stage="sparse", from_step=5, reason="the loss exploded"), step(2))
    view.refresh()
    assert [row[0] for row in view.records[first].logged] == [1, 2]
    assert [row[0] for row in view.records[second].logged] == [5]
    assert view.refresh() == 0
    table = frames.changes_frame(view)
    assert table[["name", "old", "new", "who"]].to_numpy().tolist() == [
        ["solver", "proximal", "subgradient", "ada"],
        ["roll-back", 5, 1, "automatic"],
    ]
    assert table["reason"].tolist() == ["", "the loss exploded"]


def test_a_roll_back_between_two_reads_is_read_whole_and_once(store):
    """Its events may come back while the race's row still shows the old revision."""
    race = store.create(synthetic.config())
    first = race.runs[0].id
    view = RaceView(store, race.id)
    store.append(first, step(1), step(5))
    view.refresh()
    old = store.race(race.id)
    store.append(first, RolledBack(step=1, stage="sparse", from_step=5, reason="the loss exploded"))
    newest, store.race = store.race, lambda race_id: old
    view.refresh()
    store.race = newest
    store.append(first, step(2))
    view.refresh()
    assert [row[0] for row in view.records[first].logged] == [1, 2]


def test_a_fork_appears_with_its_past_and_a_label_of_its_own(store):
    race = store.create(synthetic.config([{"name": "l1"}]))
    view = RaceView(store, race.id)
    store.append(race.runs[0].id, step(1), step(2))
    view.refresh()
    fork = store.fork(race.runs[0].id, "stronger")
    store.append(fork.id, step(3))
    view.refresh()
    assert view.labels == ("l1", "l1 (stronger)")
    curves = frames.curves_frame(view)
    assert curves.loc[curves["label"] == "l1 (stronger)", "step"].tolist() == [1, 2, 3]


def test_a_note_goes_when_its_reason_does_and_checkpoints_are_known_by_name(store):
    race = store.create(synthetic.config([{"name": "l1"}]))
    run = race.runs[0].id
    view = RaceView(store, race.id)
    store.append(run, StateChanged(step=1, state="paused"), Noted(step=1, text="waiting for disk space"))
    view.refresh()
    assert frames.status_frame(view)["note"].tolist() == ["waiting for disk space"]
    store.append(run, StateChanged(step=1, state="running"))
    for reason in ("first", "again"):
        store.append(run, CheckpointKept(step=1, stage="sparse", name="000001-a-kept", reason=reason))
    view.refresh()
    assert frames.status_frame(view)["note"].tolist() == [""]
    assert [(name, one.reason) for name, one in view.records[run].kept.items()] == [("000001-a-kept", "again")]


def test_frames_are_built_once_until_something_new_comes(store):
    race = synthetic.half_race(store)
    view = view_of(store, race)
    filters = frames.filters_frame(view)
    assert frames.filters_frame(view) is filters
    view.refresh()
    assert frames.filters_frame(view) is filters
    store.append(race.runs[0].id, step(360))
    view.refresh()
    assert frames.filters_frame(view) is not filters


def test_a_change_of_state_alone_shows_in_the_status(store):
    race = store.create(synthetic.config())
    view = view_of(store, race)
    assert set(frames.status_frame(view)["state"]) == {"queued"}
    store.update(race.runs[1].id, state="failed", reason="the disk is full")
    assert view.refresh() == 0
    row = frames.status_frame(view).iloc[1]
    assert (row["state"], row["reason"]) == ("failed", "the disk is full")


def test_initial_is_the_newest_dense_look_until_the_sparse_stage_fixes_it(store):
    race = store.create(synthetic.config([{"name": "l1"}]))
    run = race.runs[0].id
    view = RaceView(store, race.id)
    store.append(run, GroupsFound(step=0, names=("a",), sizes=(2,)))
    seen = []
    for event in (
        look(0, "dense", [1, 2]),
        look(1, "dense", [3, 4]),
        look(2, "sparse", [5, 6]),
        look(3, "sparse", [7, 8]),
        look(4, "prune", [9, 9], decided=True),
    ):
        store.append(run, event)
        view.refresh()
        seen.append(list(frames.filters_frame(view)["initial"]))
    assert seen == [[1, 2], [3, 4], [5, 6], [5, 6], [5, 6]]


def test_initial_without_a_sparse_stage_is_what_was_cut(store):
    race = store.create(synthetic.config([{"name": "none"}]))
    run = race.runs[0].id
    store.append(run, GroupsFound(step=0, names=("a",), sizes=(1,)))
    store.append(run, look(0, "dense", [1.0]), look(5, "prune", [2.0], decided=True), look(9, "finetune", [3.0]))
    assert list(frames.filters_frame(view_of(store, race))["initial"]) == [2.0]


@pytest.mark.parametrize("magnitude", [1e-6, 1.1e-6, 1e-3, 0.5, 1.0, 99.0])
def test_bins_hold_what_they_say(magnitude):
    place = frames.bin_of(np.array([magnitude]))[0]
    assert frames.BIN_EDGES[place] <= magnitude * (1 + 1e-9)
    assert magnitude < frames.BIN_EDGES[place + 1] * (1 + 1e-9)


def test_bins_of_zeros_and_outliers():
    assert list(frames.bin_of(np.array([0.0, 1e-9, 1e9]))) == [-1, 0, 95]
    assert list(frames.bin_of(np.array([0.0, 1e-9, 1e9]), finer=4)) == [-1, 0, 383]


def test_many_looks_at_many_filters_are_thinned_out_but_for_those_that_count(store, monkeypatch):
    monkeypatch.setattr("catalyst_core.frames.view.LOOKS_BYTES", 0)  # then LEAST_LOOKS stay
    race = synthetic.whole_race(store, synthetic.config(methods=({"name": "catalyst"}, {"name": "none"})))
    view = RaceView(store, race.id)
    view.refresh()
    for run_id, record in view.records.items():
        told = [one.event for one in store.events(run_id) if one.event.kind == "filters"]
        steps, all_steps = [one.step for one in record.measured], [one.step for one in told]
        assert len(steps) <= LEAST_LOOKS < len(told)
        assert steps == sorted(steps)
        assert steps[0] == all_steps[0]
        assert steps[-LEAST_LOOKS // 4 :] == all_steps[-LEAST_LOOKS // 4 :]
        cut = next(one for one in told if one.decided)
        assert record.measured[record.cut - 1].is_cut
        assert record.measured[record.cut - 1].step == cut.step
