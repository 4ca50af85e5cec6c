import numpy as np
import pytest

from catalyst_core import frames
from tests import synthetic


@pytest.fixture(scope="module")
def store():
    store = synthetic.MemoryStore()
    synthetic.whole_race(store, synthetic.config(seeds=(0, 1, 2)))
    synthetic.half_race(store)
    return store


def test_one_row_a_contender_with_or_without_numbers(store):
    half, whole = store.races()
    ledger = frames.ledger_frame([whole, half])
    assert len(ledger) == 15 + 5
    assert ledger[ledger["race"] == half.id]["macs_share"].isna().all()
    row = ledger.iloc[0]
    given = whole.runs[0].ledger
    assert row["post_prune_accuracy"] == given["post_prune_accuracy"]
    assert row["macs_share"] == given["macs"] / given["macs_dense"]
    assert row["validation_dense"] == given["validation"]["dense"]


def test_one_race_may_be_given_alone(store):
    whole = store.races()[1]
    assert frames.ledger_frame(whole).equals(frames.ledger_frame([whole]))


def test_no_races_are_an_empty_ledger():
    ledger = frames.ledger_frame([])
    assert len(ledger) == 0
    assert len(frames.ledger_summary(ledger)) == 0


def test_summary_is_mean_and_sample_deviation_over_seeds(store):
    half, whole = store.races()
    ledger = frames.ledger_frame([whole, half])
    summary = frames.ledger_summary(ledger)
    row = summary[(summary["race"] == whole.id) & (summary["label"] == "l1")].iloc[0]
    values = [run.ledger["finetuned_accuracy"] for run in whole.runs if run.label == "l1"]
    assert row["seeds"] == 3
    assert np.isclose(row["finetuned_accuracy"], np.mean(values))
    assert np.isclose(row["finetuned_accuracy_std"], np.std(values, ddof=1))
    nothing = summary[(summary["race"] == half.id) & (summary["label"] == "l1")].iloc[0]
    assert nothing["seeds"] == 0
    assert np.isnan(nothing["finetuned_accuracy"])


def test_a_single_seed_has_no_deviation():
    store = synthetic.MemoryStore()
    race = synthetic.whole_race(store, synthetic.config([{"name": "l1"}]))
    assert np.isnan(frames.ledger_summary(frames.ledger_frame(race))["macs_std"].iloc[0])
