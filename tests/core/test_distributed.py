"""Two processes train one network by DistributedDataParallel on images of their own, and decide the same, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.core.ddp_worker import MAGNITUDES
from tests.core.loops import STEPS, assert_settled_within_budget_and_lossless, catalyst, small_cnn

ROOT = Path(__file__).resolve().parents[2]
WORLD, SECONDS = 2, 240


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each rank saved, a magnitude: {magnitude: [rank 0, rank 1]}."""
    folder = tmp_path_factory.mktemp("ranks")
    outputs = [folder / f"{rank}.pt" for rank in range(WORLD)]
    logs = [folder / f"{rank}.log" for rank in range(WORLD)]
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    processes = []
    try:
        for rank in range(WORLD):
            command = [
                sys.executable,
                "-m",
                "tests.core.ddp_worker",
                str(rank),
                str(WORLD),
                str(folder / "meeting"),
                outputs[rank],
            ]
            with logs[rank].open("w") as log:
                processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        codes = [process.wait(SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert codes == [0] * WORLD, "\n".join(log.read_text() for log in logs)
    saved = [torch.load(path, weights_only=True) for path in outputs]
    return {magnitude: [one[magnitude] for one in saved] for magnitude in MAGNITUDES}


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_every_rank_has_the_same_decisions_catalysts_and_parameters(ranks, magnitude):
    first, second = ranks[magnitude]
    assert first["catalysts"].shape == (STEPS, 160)
    different = (first["catalysts"] != second["catalysts"]).any(1).nonzero().flatten()
    assert different.tolist() == [], "steps after which D differs"
    assert list(first["kept"]) == list(second["kept"])
    assert all(torch.equal(first["kept"][name], second["kept"][name]) for name in first["kept"])
    assert all(torch.equal(first["parameters"][name], second["parameters"][name]) for name in first["parameters"])


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_names_are_the_users_and_everything_is_decided_within_the_budget(ranks, magnitude):
    for rank in ranks[magnitude]:
        assert rank["names"] == ["conv1", "conv2", "conv3"]
        assert rank["undecided"] == 0
        assert [int(mask.sum()) for mask in rank["kept"].values()] == [16, 32, 32]


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_what_a_rank_trained_is_cut_losslessly(ranks, magnitude):
    for rank in ranks[magnitude]:
        model = small_cnn()
        model.load_state_dict(rank["model"])
        regularizer = catalyst(model)
        regularizer.settle()
        small = assert_settled_within_budget_and_lossless(model, regularizer)
        assert small.conv1.out_channels == 16


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_the_ranks_did_see_other_images(ranks, magnitude):
    first, second = ranks[magnitude]
    assert not torch.equal(first["labels"], second["labels"])
    assert not torch.equal(first["running_mean"], second["running_mean"])
