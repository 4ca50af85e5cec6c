"""`bench regularizers`: every regularizer with a strength beside Torch-Pruning's, as ratios. No figure is asserted."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from catalyst_core.bench import regularizers
from catalyst_core.bench.memory import bytes_of, held_bytes
from catalyst_core.catalog import METHODS
from catalyst_core.cli import main
from tests.threads import one_thread  # noqa: F401

TORCH_PRUNING = {"torch_pruning_group_norm", "torch_pruning_bn_scale", "torch_pruning_growing_reg"}
OURS = {name for name, method in METHODS.items() if method.strength and not method.is_peer} | {"catalyst_in_a_race"}


@pytest.fixture
def smallest(monkeypatch):
    """The smallest network stands for the promised ones."""
    monkeypatch.setattr(regularizers, "NETWORKS", dict.fromkeys(("cnn", "other"), regularizers.NETWORKS["cnn"]))
    monkeypatch.setattr(regularizers, "PROMISED", ("cnn", "other"))


@pytest.mark.usefixtures("smallest")
def test_the_json_object_holds_the_worst_ratio_of_each_and_every_network(capsys):
    assert main("bench regularizers --steps 1 --json".split()) == 0
    found = json.loads(capsys.readouterr().out)
    networks = found.pop("networks")
    assert list(networks) == ["cnn", "other"]
    for name in OURS | TORCH_PRUNING:
        ratios = [one["ratios"][name] for one in networks.values()]
        assert min(ratios) > 0
        assert found.pop(name) == max(ratios)
    assert 0 < found.pop("state_bytes_per_channel") <= 2 * 8  # two numbers of float64
    assert found.pop("bookkeeping_bytes_per_channel") > 0
    assert found == {"batch": 64, "threads": 1, "steps": 1, "image": [1, 8, 8]}
    assert all(set(one["ratios"]) == OURS | TORCH_PRUNING and one["step_ms"] > 0 for one in networks.values())


@pytest.mark.usefixtures("smallest")
def test_the_table_has_a_row_a_regularizer_and_the_old_name_still_works(capsys):
    assert main("bench regularizer --steps 1".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0] for line in lines if line.endswith("%")}
    assert rows == OURS | TORCH_PRUNING
    assert lines[1].split() == ["cnn", "other"]
    assert "bytes of state a channel" in lines[-1]


@pytest.mark.parametrize(("line", "message"), [("--steps 0", "--steps must lie in"), ("--threads 0", "--threads must lie in")])
def test_wrong_numbers_are_one_sentence(line, message, capsys):
    assert main(["bench", "regularizers", *line.split()]) == 2
    assert capsys.readouterr().err.startswith(f"catalyst: {message}")


def test_the_promise_is_for_the_two_large_networks():
    assert regularizers.PROMISED == ("resnet18", "resnet50")
    assert set(regularizers.PROMISED) <= set(regularizers.NETWORKS)


class Keeper:
    """Reaches a bit of everything."""

    def __init__(self) -> None:
        block = np.zeros(100)  # 800 bytes, and two looks into it
        network = nn.Linear(1000, 1000)
        self.looks = [block[:50], {"again": block[10:]}]
        self.tensors = (torch.zeros(10, dtype=torch.float64), torch.zeros(4).view(2, 2))  # 80 and 16
        self.network, self.weight, self.seen = network, network.weight, network.weight.detach().numpy()
        self.me = self


def test_memory_counts_each_block_once_and_no_network():
    assert held_bytes(Keeper()) == 800 + 80 + 16
    assert bytes_of({"a": torch.zeros(3), "b": [torch.zeros(2, dtype=torch.bool), 5], "c": "text"}) == 14
