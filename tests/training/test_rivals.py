"""Every rival and every peer runs a whole contender: the usual five are tested in test_train, the depth cut in test_depth."""

import math

import pytest

from catalyst_core.catalog import DEFAULT_METHODS, METHODS
from catalyst_core.events import Finished
from tests.training.tiny import Recorder, contender

OURS = [name for name, method in METHODS.items() if not method.is_peer and method.cuts == "channels"]
RIVALS = [name for name in OURS if name not in DEFAULT_METHODS]
PEERS = [name for name, method in METHODS.items() if method.is_peer]


@pytest.mark.parametrize(
    ("method", "solver"),
    [(name, solver) for name in RIVALS for solver in ("proximal", "subgradient")] + [(name, "subgradient") for name in PEERS],
)
def test_a_rival_trains_cuts_to_the_budget_and_reports(method, solver, tmp_path):
    finished = Recorder(tmp_path)(contender(method, solver=solver, finetune_epochs=0))[-1]
    assert isinstance(finished, Finished)
    row = finished.ledger
    assert row["channels_pruned"] == row["channels_total"] // 2
    assert row["strength"] == METHODS[method].strength
    assert math.isfinite(row["max_abs_logit_change"])
    assert row["sparse_steps"] == (0 if METHODS[method].strength is None else 16)
