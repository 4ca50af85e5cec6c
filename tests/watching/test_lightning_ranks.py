"""The callback in a trainer of two processes: one decision, one network, and one race of the first rank."""

import subprocess
import sys
from pathlib import Path

import torch

from catalyst_core.store import open_store

ROOT = Path(__file__).resolve().parents[2]


def test_ranks_end_with_the_same_network_and_one_race(tmp_path):
    store = f"sqlite:///{tmp_path / 'races.db'}"
    words = [sys.executable, "-W", "ignore", "-m", "tests.watching.lightning_ranks", store, str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first["kept"][name], second["kept"][name]) for name in first["kept"])
    learned = [name for name in first["state"] if "running" not in name]  # statistics are each rank's own
    assert learned
    assert all(torch.equal(first["state"][name], second["state"][name]) for name in learned)
    assert [int(kept.sum()) for kept in first["kept"].values()] == [16, 32, 32]
    assert max(first["change"], second["change"]) <= 1e-10
    opened = open_store(store)
    (line,) = opened.races()
    assert opened.race(line.id).state == "completed"
    opened.close()
