"""Given weights on the command line and as configuration: the normalisation they are used to, and a fresh head."""

import hashlib
import json

import pytest
import torch

from catalyst_core.cli import main
from catalyst_core.cli.parser import build_parser
from catalyst_core.cli.racing import race_config
from catalyst_core.config import DataConfig, RaceConfig
from catalyst_core.data import load_data
from catalyst_core.engine import inspector
from catalyst_core.errors import ConfigError
from catalyst_core.models import build_model
from catalyst_core.training.loop import evaluate
from tests.cli.refusal import refusal

# Of races that were stored before there were these two settings; made at commit b74a0da: the dense key, and the beginnings of
# SHA-256 of the race and of its first contender as JSON.
STORED = {
    "default": ({}, "043c7cf472d56932", "15c50773cba9a9e7", "ff8ffaf22e9b67ae"),
    "weights": (
        {"weights": "mine.pt", "model": "torchvision:resnet18", "data": {"name": "cifar10"}},
        "9e3db5b6511f2e08",
        "b33912cfaa3c64c7",
        "a7b54bfab9bd5762",
    ),
    "folder": (
        {"data": {"name": "folder", "folder": "flowers", "image_size": 48}},
        "806bf4868602bacf",
        "c6b56d1708d23498",
        "31365b86c9399948",
    ),
}


@pytest.fixture
def models(catalyst_home):
    """The models folder, with a cnn for the digits and one for three classes."""
    (catalyst_home / "models").mkdir(parents=True)
    for name, classes in (("ten", 10), ("three", 3)):
        torch.save(build_model("cnn", 1, 8, classes, seed=5).state_dict(), catalyst_home / "models" / f"{name}.pt")
    return catalyst_home / "models"


def _start(config):
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", STORED)
def test_what_was_stored_before_is_what_it_was_byte_for_byte(name):
    fields, key, race, contender = STORED[name]
    config = RaceConfig.build(**fields)
    assert config.contenders()[0].dense_key() == key
    assert (_start(config), _start(config.contenders()[0])) == (race, contender)
    assert RaceConfig.model_validate_json(config.model_dump_json()) == config


def test_other_normalisations_and_heads_are_other_dense_networks():
    names = (None, "half", "unit", "0.3/0.4", "0.3/0.5")
    races = [RaceConfig.build(weights="a.pt", data={"normalisation": name}) for name in names]
    schedule = {"dense_epochs": 3}
    races += [RaceConfig.build(weights="a.pt", schedule=schedule, fresh_head=fresh) for fresh in (True, False)]
    assert len({race.contenders()[0].dense_key() for race in races}) == len(races)
    for race in races:
        assert RaceConfig.model_validate_json(race.model_dump_json()) == race
        assert RaceConfig.build(**race.model_dump()) == race
        contender = race.contenders()[0]
        assert type(contender).model_validate_json(contender.model_dump_json()) == contender


def test_spaces_make_no_other_normalisation():
    one, other = (RaceConfig.build(data={"normalisation": text}) for text in ("0.3/0.4", " 0.3 / 0.4 "))
    assert one == other


def test_a_fresh_head_has_the_dense_epochs_of_the_data_set():
    assert RaceConfig.build(weights="a.pt").contenders()[0].schedule.dense_epochs == 0
    assert RaceConfig.build(weights="a.pt", fresh_head=True).contenders()[0].schedule.dense_epochs == 12
    chosen = RaceConfig.build(weights="a.pt", fresh_head=True, schedule={"dense_epochs": 2})
    assert (chosen.contenders()[0].schedule.dense_epochs, chosen.contenders()[0].fresh_head) == (2, True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"fresh_head": True}, "^fresh_head is for given weights: name their file in weights$"),
        (
            {"fresh_head": True, "weights": "a.pt", "schedule": {"dense_epochs": 0}},
            "^dense_epochs must be at least 1 with fresh_head",
        ),
        ({"data": {"normalisation": "imagenet"}}, "^data: normalisation 'imagenet' is for red, green and blue"),
        ({"data": {"normalisation": "caffe"}}, "^data.normalisation: one of imagenet, half, unit, or mean/std"),
        ({"data": {"normalisation": "0.5/" + "9" * 300}}, "^data.normalisation: string should have at most 200 characters"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(fields, said):
    with pytest.raises(ConfigError, match=said):
        RaceConfig.build(**fields)


def test_the_command_line_takes_both():
    line = "race --dataset cifar10 --weights a.pt --fresh-head --normalisation imagenet"
    config = race_config(build_parser().parse_args(line.split()))
    assert (config.fresh_head, config.data.normalisation, config.weights) == (True, "imagenet", "a.pt")
    plain = race_config(build_parser().parse_args(["race"]))
    assert (plain.fresh_head, plain.data.normalisation) == (False, None)


WRONG = {
    "race --fresh-head": "fresh_head is for given weights",
    "race --weights a.pt --fresh-head --dense-epochs 0": "an untrained last layer tells nothing",
    "network --normalisation imagenet": "these images are grey",
    "network --normalisation 0.5,0.5/0.1": "1 mean and 1 deviation, or 3 of each, are wanted",
    "network --weights three.pt": "is of a network with 3 classes, these images have 10; with fresh_head all but its last layer",
    "data --normalisation imagenet": "these images are grey",
    "data --normalisation caffe": "one of imagenet, half, unit",
}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--weights three.pt", "of a network with 3 classes"),
        ("--weights three.pt --model resnet20", "does not fit the network"),
        ("--model timm:vit_tiny_patch16_224", "timm:vit_tiny_patch16_224"),
    ],
)
def test_there_is_no_race_of_a_network_that_cannot_be_raced(models, store, capsys, more, said):
    assert said in refusal(capsys, f"race --detach {more}".split())
    assert list(store.races()) == []
    assert main("race --detach --weights three.pt --fresh-head --json".split()) == 0
    assert [race.id for race in store.races()] == [json.loads(capsys.readouterr().out)["race"]]


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_sentence(line, models, capsys):
    assert WRONG[line] in refusal(capsys, line.split())


def test_images_that_a_normalisation_fits_are_reported_as_before(capsys):
    assert main(["data", "--normalisation", "half"]) == 0
    assert capsys.readouterr().out.startswith("'digits': 1797 images of 10 classes, grey, 8 x 8 pixels\n")


def test_weights_are_judged_on_images_of_their_normalisation(models, capsys):
    splits = load_data(DataConfig(normalisation="0.9/0.1"))
    model = build_model("cnn", 1, 8, 10, seed=5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for rows in torch.arange(1200).split(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(splits.train_x[rows]), splits.train_y[rows]).backward()
        optimizer.step()
    torch.save(model.state_dict(), models / "trained.pt")
    found = []
    for more in (["--normalisation", "0.9/0.1"], []):
        assert main(["network", "--weights", "trained.pt", "--json", *more]) == 0
        found.append(json.loads(capsys.readouterr().out)["validation_accuracy"])
    assert found[0] == evaluate(model, splits.val_x, splits.val_y).accuracy
    assert found[0] > found[1] + 0.1


def test_a_fresh_head_is_noted_and_nothing_is_said_of_its_accuracy(models, capsys):
    assert main("network --weights three.pt --fresh-head".split()) == 0
    said = capsys.readouterr().out
    assert "  note        fresh head: the last layer of three.pt for 3 classes is left out; 'classifier.weight', " in said
    assert "of the validation images" not in said


def test_a_page_gets_the_same_from_a_process(models):
    config = RaceConfig.build(weights="three.pt", fresh_head=True, data={"normalisation": "half"})
    report = inspector.network(config)
    assert report["validation_accuracy"] is None
    assert "fresh head" in report["notes"][0]
