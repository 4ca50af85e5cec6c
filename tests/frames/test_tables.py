import numpy as np
import pandas as pd
import pytest

from catalyst_core import frames
from catalyst_core.events import HISTOGRAM_BINS
from catalyst_core.frames import RaceView
from tests import synthetic


@pytest.fixture(scope="module")
def view():
    store = synthetic.MemoryStore()
    race = synthetic.whole_race(store, synthetic.config(seeds=(3, 4)))
    view = RaceView(store, race.id)
    view.refresh()
    return view


@pytest.fixture(scope="module")
def queued():
    store = synthetic.MemoryStore()
    return RaceView(store, store.create(synthetic.config()).id)


def told(view, run):
    """All events of a run."""
    return [one.event for one in view._store.events(run)]


EVERY = [
    frames.status_frame,
    frames.curves_frame,
    frames.filters_frame,
    frames.changes_frame,
    frames.density_frame,
    frames.widths_frame,
]


@pytest.mark.parametrize("build", EVERY)
def test_a_queued_race_has_the_columns_of_a_finished_one(build, view, queued):
    empty, full = build(queued), build(view)
    assert list(empty.columns) == list(full.columns)
    if build is not frames.status_frame:
        assert len(empty) == 0
        kinds = [frame.drop(columns="time", errors="ignore").dtypes.map(str).to_dict() for frame in (empty, full)]
        assert kinds[0] == kinds[1]


@pytest.mark.parametrize("build", EVERY[1:])
def test_rows_say_whose_they_are(build, view):
    frame = build(view)
    sparse = {run.id for run in view.race.runs if run.config.method.name not in ("none", "random")}
    assert set(frame["run"]) == (sparse if build is frames.changes_frame else set(view.records))
    assert list(frame["label"].cat.categories) == ["catalyst", "l1", "group_lasso", "none", "random"]
    runs = {run.id: run for run in view.race.runs}
    for run, label, seed in frame[["run", "label", "seed"]].drop_duplicates().itertuples(index=False):
        assert (runs[run].label, runs[run].config.seed) == (label, seed)


def test_curves_hold_every_logged_step_and_validation_look(view):
    curves = frames.curves_frame(view)
    run = view.race.runs[0].id
    mine = curves[(curves["run"] == run) & (curves["split"] == "train")]
    logged = [event for event in told(view, run) if event.kind == "step"]
    assert list(mine["loss"]) == [event.loss for event in logged]
    assert list(mine["step"]) == [event.step for event in logged]
    held = curves[(curves["run"] == run) & (curves["split"] == "validation")]
    assert len(held) == sum(event.kind == "evaluated" for event in told(view, run))
    assert held["penalty"].isna().all()
    # 20 steps an epoch and 0.02 s a step, read off the logged steps around the look.
    assert np.allclose(held["epoch"], held["step"] / 20)
    assert np.allclose(held["seconds"], held["step"] * 0.02)


def test_filters_are_unpacked_in_the_order_of_the_groups(view):
    filters = frames.filters_frame(view)
    run = view.race.runs[0].id
    mine = filters[filters["run"] == run]
    last = [event for event in told(view, run) if event.kind == "filters"][-1]
    assert list(mine["magnitude"].astype("float32")) == list(np.frombuffer(last.magnitudes, "<f4"))
    assert mine.groupby("group", observed=True).size().to_dict() == synthetic.GROUPS
    assert list(mine[mine["group"] == "conv2"]["channel"]) == list(range(64))
    assert mine["decided"].all()
    assert (mine["kept"] == (mine["margin"] > 0)).all()


def test_thresholds_belong_to_their_group(view):
    filters = frames.filters_frame(view)
    none = filters[(filters["label"] == "none") & (filters["seed"] == 3)]
    last = [event for event in told(view, none["run"].iloc[0]) if event.kind == "filters"][-1]
    assert none.groupby("group", observed=True)["threshold"].first().to_list() == list(last.thresholds)
    assert filters[filters["label"] == "catalyst"]["threshold"].isna().all()


def test_a_step_shows_the_last_measurement_at_or_before_it(view):
    at = frames.steps(view)
    assert at == sorted(set(at))
    assert set(frames.filters_frame(view, step=at[10])["step"]) == {at[10]}
    assert set(frames.filters_frame(view, step=at[10] + 1)["step"]) == {at[10]}
    assert len(frames.filters_frame(view, step=-1)) == 0


def test_until_cut_leaves_out_what_came_after_it():
    store = synthetic.MemoryStore()
    race = synthetic.whole_race(store)
    run = race.runs[0].id
    population = synthetic.Population(race.runs[0].config, synthetic.GROUPS)
    store.append(run, population.look(600, "finetune"))
    view = RaceView(store, race.id)
    view.refresh()
    whole, cut = (frames.filters_frame(view, until_cut=until) for until in (False, True))
    assert whole[whole["run"] == run]["stage"].unique() == ["finetune"]
    assert cut[cut["run"] == run]["stage"].unique() == ["prune"]


def test_density_comes_from_the_stored_histograms(view):
    density = frames.density_frame(view)
    run = view.race.runs[1].id
    for event in [event for event in told(view, run) if event.kind == "filters"][::25]:
        mine = density[(density["run"] == run) & (density["step"] == event.step) & (density["stage"] == event.stage)]
        counts = np.zeros(HISTOGRAM_BINS + 1, dtype=int)
        counts[mine["bin"] + 1] = mine["count"]
        assert list(counts) == [event.zeros, *event.histogram]
    assert ((density["magnitude"] == 0) == (density["bin"] == -1)).all()


def test_density_agrees_with_the_filters(view):
    newest = frames.filters_frame(view)
    density = frames.density_frame(view)
    run = view.race.runs[0].id
    last = density[(density["run"] == run) & (density["stage"] == "prune")]
    counts = np.bincount(frames.bin_of(newest[newest["run"] == run]["magnitude"].to_numpy()) + 1, minlength=97)
    assert dict(zip(last["bin"], last["count"], strict=True)) == {k - 1: n for k, n in enumerate(counts) if n}


def test_changes_have_their_place_in_time(view):
    changes = frames.changes_frame(view)
    assert set(changes["name"]) == {"pruning_ratio"}
    assert np.allclose(changes["seconds"], changes["step"] * 0.02)
    assert isinstance(changes["time"].dtype, pd.DatetimeTZDtype)


def test_widths_are_those_of_the_cut(view):
    widths = frames.widths_frame(view)
    mine = widths[(widths["label"] == "catalyst") & (widths["seed"] == 3)]
    assert list(mine["group"]) == list(synthetic.GROUPS)
    assert list(mine["before"]) == list(synthetic.GROUPS.values())
    assert (mine["after"] < mine["before"]).all()


def test_why_nothing_is_there(queued):
    assert frames.why_empty(queued) == "All contenders are queued."
    store = synthetic.MemoryStore()
    race = store.create(synthetic.config([{"name": "l1"}]))
    store.update(race.runs[0].id, state="failed", reason="no space left")
    assert frames.why_empty(RaceView(store, race.id)) == "l1 failed: no space left"
    store.update(race.runs[0].id, state="stopped")
    assert "stopped" in frames.why_empty(RaceView(store, race.id))
    store.update(race.runs[0].id, state="running")
    assert frames.why_empty(RaceView(store, race.id)) == "Not measured yet."
