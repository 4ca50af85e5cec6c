"""A depth cut as a contender: the same dense network and steps as the others, whole blocks gone, resumed bit for bit."""

import numpy as np
import pytest
import torch

from catalyst_core import cost
from catalyst_core.catalog import METHODS
from catalyst_core.config import MethodConfig
from catalyst_core.data import load_data
from catalyst_core.depth import HEAD
from catalyst_core.errors import BudgetError
from catalyst_core.events import Command, FiltersMeasured, Finished, Noted, Pruned, StageStarted, StepLogged
from catalyst_core.models import build_model
from catalyst_core.training import keeper, load_pruned
from catalyst_core.training.loop import evaluate
from tests.training.lives import Lives, moments, same_weights, told
from tests.training.test_train import LEDGER
from tests.training.tiny import contender

FIRST, SECOND, THIRD = 9 * 32 * 64, 9 * 32 * 64 * 16, 9 * 64 * 64 * 16  # multiply-accumulates of the network's convolutions
WEAK = 0.2  # ratio that leaves the second block: 26, 51 and 51 channels stay of 32, 64 and 64


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def ledger(events):
    return of(events, Finished)[0].ledger


def test_it_runs_all_stages_and_leaves_a_whole_row(record):
    events = record(contender("depth", ratio=WEAK))
    assert [event.stage for event in of(events, StageStarted)] == ["dense", "prune", "recalibrate", "finetune"]
    row = ledger(events)
    assert set(row) == LEDGER
    missing = {"strength", "decision_gap", "magnitude_bias", "magnitude_bias_low", "magnitude_bias_high"}
    assert {key for key, value in row.items() if value is None} == missing
    assert row["macs"] == FIRST + SECOND + 640
    assert row["macs_dense"] == FIRST + SECOND + THIRD + 640
    assert (row["channels_pruned"], row["channels_total"]) == (64, 160)
    assert row["trained_params"] == row["params"] == 9 * 32 + 9 * 32 * 64 + 2 * (32 + 64) + 650
    assert row["max_abs_logit_change"] > 1e-3
    assert row["dense_steps"] + row["finetune_steps"] == 28
    allowed = FIRST * 26 // 32 + 9 * 26 * 51 * 16 + 9 * 51 * 51 * 16 + 510
    assert [event.text for event in of(events, Noted)] == [
        f"cut behind block 2 of 3 (conv2): {row['macs']:,} multiply-accumulates, where the budget allows {allowed:,}"
    ]


def test_its_channels_are_those_of_whole_blocks(record):
    events = record(contender("depth", ratio=WEAK))
    (pruned,) = of(events, Pruned)
    assert pruned.widths == {"conv1": (32, 32), "conv2": (64, 64), "conv3": (64, 0)}
    looks = of(events, FiltersMeasured)
    kept = np.repeat([True, True, False], [32, 64, 64])
    (decided,) = [event for event in looks if event.decided]
    assert np.array_equal(np.frombuffer(decided.margins, "<f4"), np.where(kept, np.inf, -np.inf))
    assert decided.thresholds == (None, None, None)
    assert ((np.frombuffer(looks[-1].magnitudes, "<f4") > 0) == kept).all()
    assert looks[-1].stage == "finetune"
    shares = [event.share_pruned for event in of(events, StepLogged) if event.stage == "finetune"]
    assert shares == pytest.approx([0.4] * 20)


def test_all_of_it_is_trained_or_its_head_alone(record):
    whole = record(contender("depth", ratio=WEAK), run="whole")
    head = record(contender("depth", ratio=WEAK, recovery="head"), run="head")
    assert ledger(head)["label"] == "depth head"
    assert ledger(head)["trained_params"] == 650
    dense = torch.load(next((record.folder / "dense").glob("*.pt")), weights_only=True)["state"]
    for name, is_frozen in (("whole", False), ("head", True)):
        model = load_pruned(record.folder / name / "pruned.pt")
        assert torch.equal(model.conv2.weight, dense["conv2.weight"]) is is_frozen
    before, after = ([event for event in told(run) if event.get("stage") == "prune"] for run in (whole, head))
    assert before == after


@pytest.mark.parametrize(("model", "ratio"), [("cnn", 0.5), ("resnet20", 0.3)])
def test_the_network_comes_back_from_disk_as_it_was(record, model, ratio):
    config = contender("depth", model=model, ratio=ratio, dense_epochs=1, sparse_epochs=1)
    row = ledger(record(config))
    found = load_pruned(record.folder / "run" / "pruned.pt")
    splits = load_data(config.data)
    assert evaluate(found, splits.test_x, splits.test_y).accuracy == row["finetuned_accuracy"]
    assert cost.count(found, splits.test_x[:1]).macs == row["macs"]
    inside, whole = dict(found.named_modules()), dict(build_model(model, 1, 8, 10, seed=0).named_modules())
    assert {name for name in inside if not name.startswith(HEAD)} < set(whole)


def test_the_budget_in_force_at_the_cut_counts(record):
    sent = []

    def script(events):
        if sent or not of(events, StepLogged):
            return []
        sent.append(True)
        return [Command(name="pruning_ratio", value=WEAK), Command(name="pruning_ratio", value=0.95)]

    events = record(contender("depth", ratio=0.5), script)
    assert ledger(events)["macs"] == FIRST + SECOND + 640
    assert ledger(events)["pruning_ratio"] == WEAK
    assert any(
        "pruning_ratio was left as it is: a depth cut keeps at least block 1 of 3" in one.text for one in of(events, Noted)
    )


def test_a_budget_that_no_block_meets_ends_it_with_a_sentence_before_anything_is_trained(record):
    with pytest.raises(BudgetError, match="a depth cut keeps at least block 1 of 3, which takes 18,752"):
        record(contender("depth", ratio=0.95))
    assert not list(record.folder.rglob("*.pt"))


@pytest.mark.parametrize("recovery", ["full", "head"])
def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(tmp_path, monkeypatch, recovery):
    monkeypatch.setattr(keeper, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(keeper, "COST", 0.0)
    config = contender("depth", ratio=WEAK, recovery=recovery)
    plain = Lives(tmp_path / "plain", config)
    plain.run()
    killed = Lives(tmp_path / "killed", config, moments(len(recovery), count=7, most=18))
    killed.run()
    assert killed.lives == 8
    assert told(killed.stored) == told(plain.stored)
    assert same_weights(tmp_path / "plain", tmp_path / "killed")


def test_only_blocks_have_a_head_and_no_allocation():
    assert [name for name, method in METHODS.items() if method.cuts == "blocks"] == ["depth"]
    for fields, said in (
        ({"name": "depth", "recovery": "adapters"}, "recovery of depth is full or head"),
        ({"name": "l1", "recovery": "head"}, "recovery of l1 is full or adapters"),
        ({"name": "depth", "allocation": "global"}, "depth removes whole blocks"),
    ):
        with pytest.raises(ValueError, match=said):
            MethodConfig(**fields)
