"""`network`: the report as text and as JSON, wrong input as one sentence, and the same through a process of its own."""

import json
import re

import pytest

from catalyst_core.cli import main
from catalyst_core.config import RaceConfig
from catalyst_core.engine import inspector
from catalyst_core.errors import UsageError
from tests.cli.refusal import refusal


def test_the_report_says_what_can_be_pruned(capsys):
    assert main(["network", "--model", "cnn"]) == 0
    said = capsys.readouterr().out
    assert "160 channels in 3 groups" in said
    assert "classifier: these are the network's outputs" in said
    assert "the same function" in said


def test_the_report_as_json_has_everything(capsys):
    assert main(["network", "--model", "torchvision:resnet18", "--pruning-ratio", "0.25", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["prunable_channels"], len(report["groups"]), report["lossless"]) == (2880, 12, True)
    assert report["macs_after"] < report["macs"]


def test_a_check_says_that_it_can_be_raced_and_no_more(capsys):
    assert main(["network", "--model", "torchvision:resnet18", "--check"]) == 0
    assert capsys.readouterr().out.startswith("it can be raced")
    assert main(["network", "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"model": "cnn", "weights": "", "notes": []}


@pytest.mark.parametrize("check", [[], ["--check"]])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "timm:resnet1"], "timm has no classifier 'resnet1'; did you mean"),
        (["--weights", "../a.pt"], "leads out of the models folder"),
        (["--pruning-ratio", "2"], "pruning_ratio"),
        (["--dataset", "birds"], "data.name"),
        (["--model", "timm:vit_tiny_patch16_224"], "does not run|cannot be built|no group"),
    ],
)
def test_wrong_input_is_one_sentence(capsys, words, said, check):
    assert re.search(said, refusal(capsys, ["network", *words, *check]))


def test_what_a_network_prints_is_not_in_the_report(printing, capsys):
    assert main(["network", "--model", "printing", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["groups"] == {"1": 16}
    assert [line for line in said.err.splitlines() if line != "imported"][:2] == ["built", "run"]  # it may have been already


def test_a_page_gets_the_same_from_a_process():
    report = inspector.network(RaceConfig.build(pruning_ratio=0.25))
    assert report["groups"] == {"conv1": 32, "conv2": 64, "conv3": 64}
    with pytest.raises(UsageError, match=r"^weights: there is no file 'gone.pt'"):
        inspector.network(RaceConfig.build(weights="gone.pt"))
