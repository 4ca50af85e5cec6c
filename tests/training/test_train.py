"""Whole contenders on a few images: what they say, and that they say the same twice."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from catalyst_core.data import load_data
from catalyst_core.errors import DivergedError, NonFiniteError
from catalyst_core.events import (
    Evaluated,
    FiltersMeasured,
    Finished,
    GroupsFound,
    Noted,
    Pruned,
    StageStarted,
    StepLogged,
)
from catalyst_core.training import load_pruned
from catalyst_core.training.loop import evaluate
from tests.training.lives import told
from tests.training.tiny import METHODS, contender

LEDGER = {
    *("method", "seed", "dense_accuracy", "sparse_accuracy", "post_prune_accuracy", "recalibrated_accuracy"),
    *("finetuned_accuracy", "macs", "macs_dense", "params", "params_dense", "channels_pruned", "channels_total"),
    *("max_abs_logit_change", "changed_predictions", "decision_gap", "magnitude_bias", "train_seconds"),
    *("regularizer_seconds", "label", "strength", "pruning_ratio", "bytes", "bytes_dense", "latency_ms"),
    *("latency_ms_dense", "magnitude_bias_low", "magnitude_bias_high", "max_abs_logit_change_float32", "undecided"),
    *("recovery", "trained_params", "solver", "stopped", "dense_steps", "sparse_steps", "finetune_steps", "validation"),
}
MAY_BE_MISSING = {"strength", "pruning_ratio", "magnitude_bias", "magnitude_bias_low", "magnitude_bias_high", "decision_gap"}


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def ledger(events):
    return of(events, Finished)[0].ledger


@pytest.mark.parametrize("method", METHODS)
def test_a_run_tells_its_stages_in_order_and_ends_with_a_whole_ledger(races, method):
    events = races[method]
    stages = [event.stage for event in of(events, StageStarted)]
    sparse = ["sparse"] if method in ("catalyst", "l1", "group_lasso") else []
    assert stages == ["dense", *sparse, "prune", "recalibrate", "finetune"]
    assert isinstance(events[-1], Finished)
    row = ledger(events)
    assert set(row) == LEDGER
    assert not [key for key in LEDGER - MAY_BE_MISSING if row[key] is None]
    assert set(row["validation"]) == {"dense", "sparse", "post_prune", "recalibrated", "finetuned"}
    assert row["stopped"] is False


@pytest.mark.parametrize("method", METHODS)
def test_the_ledger_holds_what_was_told_on_the_way(races, method):
    events, row = races[method], ledger(races[method])
    pruned = of(events, Pruned)[0]
    assert row["max_abs_logit_change"] == pruned.max_abs_logit_change
    assert row["channels_pruned"] == sum(before - after for before, after in pruned.widths.values())
    assert row["channels_total"] == sum(of(events, GroupsFound)[0].sizes) == 160
    assert row["channels_pruned"] == 80
    tests = [event.accuracy for event in of(events, Evaluated) if event.split == "test"]
    names = ("dense", "sparse", "post_prune", "recalibrated", "finetuned")
    assert tests == [row[f"{name}_accuracy"] for name in names]
    assert row["macs"] < row["macs_dense"]
    assert row["params"] < row["params_dense"]
    assert row["bytes"] < row["bytes_dense"]
    assert 0 <= row["regularizer_seconds"] <= row["train_seconds"]


def test_all_contenders_fork_from_one_dense_network_and_take_the_same_steps(races):
    rows = [ledger(races[method]) for method in METHODS]
    assert len({row["dense_accuracy"] for row in rows}) == 1
    assert {row["dense_steps"] + row["sparse_steps"] + row["finetune_steps"] for row in rows} == {28}
    first = [of(races[method], FiltersMeasured) for method in METHODS]
    initial = [next(event for event in events if event.stage != "dense").magnitudes for events in first]
    assert len(set(initial)) == 1


def test_only_the_first_contender_trains_the_dense_network(races):
    notes = [of(races[method], StageStarted)[0].note for method in METHODS]
    assert notes == ["", *["loaded from the cache"] * 4]
    trained = [[event for event in of(races[method], StepLogged) if event.stage == "dense"] for method in METHODS]
    assert [bool(steps) for steps in trained] == [True, False, False, False, False]


def test_seconds_go_on_from_the_dense_stage_where_it_was_loaded(races):
    dense = [event.seconds for event in of(races["catalyst"], StepLogged) if event.stage == "dense"][-1]
    assert of(races["l1"], StepLogged)[0].seconds > dense


@pytest.mark.parametrize("method", METHODS)
def test_filters_are_measured_at_once_and_decided_exactly_once(races, method):
    events = races[method]
    kinds = [type(event) for event in events]
    assert kinds[:2] == [GroupsFound, StageStarted]
    if method == "catalyst":  # it trained the dense network
        assert kinds[2] is FiltersMeasured
        assert events[2].step == 0
    measured = of(events, FiltersMeasured)
    decided = [event for event in measured if event.decided]
    assert len(decided) == 1
    assert decided[0].stage == "prune"
    margins = np.frombuffer(decided[0].margins, "<f4")
    assert int((margins > 0).sum()) == 160 - ledger(events)["channels_pruned"]
    assert all(len(event.magnitudes) == 4 * 160 for event in measured)
    assert all(sum(event.histogram) + event.zeros == 160 for event in measured)


def test_sparse_training_is_measured_before_its_first_step(races):
    for method in ("catalyst", "l1", "group_lasso"):
        first = next(event for event in of(races[method], FiltersMeasured) if event.stage == "sparse")
        assert first.step == 8


def test_after_the_cut_filters_keep_their_places(races):
    for method in METHODS:
        measured = of(races[method], FiltersMeasured)
        kept = np.frombuffer(next(event for event in measured if event.decided).margins, "<f4") > 0
        last = measured[-1]
        assert last.stage == "finetune"
        assert ((np.frombuffer(last.magnitudes, "<f4") > 0) == kept).all()
        assert np.isinf(np.frombuffer(last.margins, "<f4")).all()


def test_the_cut_of_a_settled_catalyst_is_lossless_and_that_of_the_others_is_not(races):
    row = ledger(races["catalyst"])
    assert row["max_abs_logit_change"] <= 1e-10
    assert row["changed_predictions"] == 0
    assert row["undecided"] == 0
    assert row["sparse_accuracy"] == row["post_prune_accuracy"]
    for method in ("l1", "group_lasso", "none", "random"):
        assert ledger(races[method])["max_abs_logit_change"] > 1e-3


def test_logged_numbers_are_in_range(races):
    for method in METHODS:
        steps = of(races[method], StepLogged)
        assert [event.step for event in steps] == sorted({event.step for event in steps})
        assert steps[-1].step == 28
        assert steps[-1].epoch == 7
        assert all(0 <= event.accuracy <= 1 and 0 <= event.share_pruned <= 1 for event in steps)
        assert all(event.seconds > 0 and math.isfinite(event.loss) and event.penalty >= 0 for event in steps)


def test_two_runs_of_one_configuration_say_the_same(record):
    config = contender("catalyst", sparse_epochs=2)
    first = record(config, run="first")
    second = type(record)(record.folder / "elsewhere")(config)
    assert told(first) == told(second)


def test_loading_the_dense_network_leads_to_the_same_numbers_as_training_it(record):
    config = contender("catalyst", sparse_epochs=2)
    trained, loaded = (
        [event for event in told(record(config, run=run)) if event.get("stage") != "dense"] for run in ("first", "second")
    )
    assert trained == loaded


def test_seeds_differ(record):
    rows = [ledger(record(contender("none", seed=seed, sparse_epochs=1), run=str(seed))) for seed in (0, 1)]
    assert rows[0]["validation"] != rows[1]["validation"]
    assert len(list((record.folder / "dense").glob("*.pt"))) == 2


def test_the_pruned_network_comes_back_from_disk_as_it_was(record):
    row = ledger(record(contender("catalyst")))
    model = load_pruned(record.folder / "run" / "pruned.pt")
    splits = load_data(contender().data)
    assert evaluate(model, splits.test_x, splits.test_y).accuracy == row["finetuned_accuracy"]
    assert sum(parameter.numel() for parameter in model.parameters()) == row["params"]
    (kept,) = (record.folder / "run" / "checkpoints").glob("*.pt")
    sparse = torch.load(kept, weights_only=True)["model"]
    assert (
        sum(tensor.numel() for name, tensor in sparse.items() if "running" not in name and "num" not in name)
        == row["params_dense"]
    )


def test_no_finetuning_and_no_recalibration(record):
    events = record(contender("catalyst", finetune_epochs=0, recalibrate=False))
    assert [event.stage for event in of(events, StageStarted)] == ["dense", "sparse", "prune"]
    row = ledger(events)
    assert row["recalibrated_accuracy"] is None
    assert row["finetuned_accuracy"] == row["post_prune_accuracy"]
    assert row["finetune_steps"] == 0


def test_a_fixed_ratio_cuts_what_is_pruned_by_then(record):
    row = ledger(record(contender("catalyst", start_ratio=1.5, strength=5.0)))
    assert row["pruning_ratio"] is None
    assert row["max_abs_logit_change"] <= 1e-10
    assert row["label"] == "catalyst c=1.5 5"


@pytest.mark.parametrize("method", ["catalyst", "group_lasso"])
def test_canonical_form_is_taken_before_sparse_training(record, method):
    events = record(contender(method, canonicalize=True))
    plain = record(contender(method), run="plain")
    first, plain_first = ([event for event in of(told, FiltersMeasured) if event.stage == "sparse"] for told in (events, plain))
    assert first[0].magnitudes == plain_first[0].magnitudes  # what bias is judged by: before the rescaling
    np.testing.assert_allclose(np.frombuffer(first[1].magnitudes, "<f4"), 1.0, rtol=1e-5)
    assert any("canonical form" in event.text for event in of(events, Noted))


@pytest.mark.parametrize("method", ["catalyst", "l1", "group_lasso"])
def test_the_subgradient_solver_runs(record, method):
    row = ledger(record(contender(method, solver="subgradient", sparse_epochs=2)))
    assert row["solver"] == "subgradient"
    assert row["channels_pruned"] == 80


@pytest.mark.parametrize("model", ["vgg_small", "resnet20"])
def test_the_other_networks_run(record, model):
    row = ledger(record(contender("catalyst", model=model, dense_epochs=1, sparse_epochs=2)))
    assert row["max_abs_logit_change"] <= 1e-10
    assert abs(row["channels_pruned"] - row["channels_total"] / 2) <= 20


def test_a_loss_that_is_no_number_raises_one_sentence(record):
    """Either the loss is looked at first, or the filters are."""
    with pytest.raises((DivergedError, NonFiniteError), match="lower learning rate") as caught:
        record(contender("none", learning_rate=10.0, weight_decay=1.0, dense_epochs=40))
    assert "\n" not in str(caught.value)


def test_another_data_set_in_the_same_folder_is_not_given_the_old_dense_network(record, monkeypatch):
    config = contender("none", sparse_epochs=1)
    record(config)
    splits = load_data(config.data)
    changed = dataclasses.replace(splits, train_x=splits.train_x + 1)
    monkeypatch.setattr("catalyst_core.training.stages.load_data", lambda data: changed)
    assert of(record(config), StageStarted)[0].note == ""


def test_a_dense_network_of_another_shape_is_trained_again(record):
    config = contender("none", sparse_epochs=1)
    record(config)
    path = next((record.folder / "dense").glob("*.pt"))
    content = torch.load(path, weights_only=True)
    content["state"]["conv1.weight"] = content["state"]["conv1.weight"][:5]
    torch.save(content, path)
    assert of(record(config), StageStarted)[0].note == ""


def test_the_canonical_form_of_a_network_that_is_cut_at_once_is_a_note(record):
    events = record(contender("none", sparse_epochs=1, canonicalize=True))
    assert any("no effect on none" in event.text for event in of(events, Noted))


def test_a_damaged_dense_network_is_trained_again(record):
    config = contender("none", sparse_epochs=1)
    first = record(config)
    path = next((record.folder / "dense").glob("*.pt"))
    path.write_bytes(path.read_bytes()[:1000])
    again = record(config, run="again")
    assert told(first) == told(again)


@pytest.mark.parametrize("method", ["catalyst", "l1", "random"])
@pytest.mark.parametrize("allocation", ["uniform", "global"])
def test_a_budget_in_macs_is_what_the_smaller_network_saves(record, method, allocation):
    row = record(contender(method, macs_ratio=0.6, allocation=allocation, sparse_epochs=3))[-1].ledger
    assert 1 - row["macs"] / row["macs_dense"] == pytest.approx(0.6, abs=0.03)
    assert row["pruning_ratio"] is None
    assert row["undecided"] == 0
    assert method != "catalyst" or row["max_abs_logit_change"] <= 1e-10
