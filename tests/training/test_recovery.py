"""Fine-tuning by adapters: the same cut and steps, fewer numbers trained, a plain network left, resumed bit for bit."""

import numpy as np
import pytest
import torch

from catalyst_core.data import load_data
from catalyst_core.events import FiltersMeasured, Finished, StepLogged
from catalyst_core.training import keeper, load_pruned
from catalyst_core.training.loop import evaluate
from tests.training.lives import Lives, moments, same_weights, told
from tests.training.tiny import contender


def ledger(events):
    return next(event.ledger for event in events if isinstance(event, Finished))


@pytest.fixture
def both(record):
    """One contender fine-tuned in full and one by adapters, from the same dense network."""
    return {kind: record(contender("catalyst", recovery=kind), run=kind) for kind in ("full", "adapters")}


def test_up_to_fine_tuning_they_are_one_and_then_differ(both):
    full, adapters = (
        [event for event in told(events) if event["kind"] != "finished" and event.get("stage") not in ("dense", "finetune")]
        for events in both.values()
    )
    assert full == adapters
    one, other = (ledger(events) for events in both.values())
    assert (one["recovery"], other["recovery"]) == ("full", "adapters")
    assert (one["label"], other["label"]) == ("catalyst", "catalyst adapters")
    assert one["finetune_steps"] == other["finetune_steps"] == 4
    for name in ("macs", "params", "bytes", "post_prune_accuracy", "recalibrated_accuracy", "max_abs_logit_change"):
        assert one[name] == other[name]
    losses = [
        [event.loss for event in events if isinstance(event, StepLogged) and event.stage == "finetune"]
        for events in both.values()
    ]
    assert losses[0] != losses[1]


def test_the_ledger_counts_what_is_trained(both):
    full, adapters = (ledger(events) for events in both.values())
    assert full["trained_params"] == full["params"]
    widths = (16, 32, 32)
    norms, biases = 2 * sum(widths), 10
    matrices = 1 * (1 + 16) + 8 * (16 + 32) + 8 * (32 + 32) + 8 * (32 + 10)
    assert adapters["trained_params"] == norms + biases + matrices < full["params"] / 5


def test_what_is_left_is_a_plain_network_whose_frozen_weights_moved_at_the_middle_alone(both, record):
    row = ledger(both["adapters"])
    model = load_pruned(record.folder / "adapters" / "pruned.pt")
    splits = load_data(contender().data)
    assert evaluate(model, splits.test_x, splits.test_y).accuracy == row["finetuned_accuracy"]
    assert sum(parameter.numel() for parameter in model.parameters()) == row["params"]
    (before,) = (record.folder / "adapters" / "checkpoints").glob("*.pt")  # in front of the cut
    dense, kept = torch.load(before, weights_only=True)["model"], torch.load(record.folder / "adapters" / "pruned.pt")["kept"]
    cut = dense["conv2.weight"][kept["conv2"]][:, kept["conv1"]]
    moved = (model.conv2.weight.detach() - cut).abs().amax((0, 1))
    middle = moved[1, 1].clone()
    moved[1, 1] = 0
    assert float(moved.max()) == 0
    assert float(middle) > 0


def test_filters_are_measured_as_the_plain_network_has_them(record):
    events = record(contender("l1", recovery="adapters", magnitude="weight"))
    last = [event for event in events if isinstance(event, FiltersMeasured)][-1]
    assert last.stage == "finetune"
    model = load_pruned(record.folder / "run" / "pruned.pt")
    n = np.frombuffer(last.magnitudes, "<f4")
    expected = torch.cat([one.weight.detach().flatten(1).norm(dim=1) for one in (model.conv1, model.conv2, model.conv3)])
    np.testing.assert_allclose(n[n > 0], expected, rtol=1e-5)


def test_without_fine_tuning_nothing_is_trained(record):
    row = ledger(record(contender("none", recovery="adapters", sparse_epochs=1, finetune_epochs=0)))
    assert row["trained_params"] > 0  # a method that is cut at once fine-tunes for the sparse epochs
    row = ledger(record(contender("l1", recovery="adapters", sparse_epochs=1, finetune_epochs=0), run="other"))
    assert row["trained_params"] == 0


@pytest.mark.parametrize(
    "fields", [{"method": "catalyst"}, {"method": "random", "recalibrate": False}], ids=lambda one: one["method"]
)
def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(tmp_path, monkeypatch, fields):
    monkeypatch.setattr(keeper, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(keeper, "COST", 0.0)
    config = contender(recovery="adapters", **fields)
    plain = Lives(tmp_path / "plain", config)
    plain.run()
    killed = Lives(tmp_path / "killed", config, [*moments(5, count=5, most=18), 26, 3, 2])
    killed.run()
    assert killed.lives >= 8
    assert told(killed.stored) == told(plain.stored)
    assert same_weights(tmp_path / "plain", tmp_path / "killed")
