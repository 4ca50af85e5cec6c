"""Contenders on networks and regularizers that are not ours: given weights, torchvision's networks, the owner's methods."""

import dataclasses

import pytest
import torch

from catalyst_core.config import DataConfig, RaceConfig
from catalyst_core.data import load_data
from catalyst_core.errors import ExampleInputError, NetworkError
from catalyst_core.events import Evaluated, Finished, Noted, StageStarted
from catalyst_core.models import build_model
from catalyst_core.training import Folders, load_pruned, train
from catalyst_core.training.network import build_network
from catalyst_core.training.report import report_network
from tests.owned import register
from tests.training.lives import Lives, same_weights, told
from tests.training.tiny import contender


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The models folder, with weights of the cnn for digits."""
    monkeypatch.setenv("CATALYST_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    torch.save(build_model("cnn", 1, 8, 10, seed=5).state_dict(), tmp_path / "models" / "given.pt")
    return tmp_path / "models"


def _contender(model="cnn", weights="given.pt", method="catalyst", fresh_head=False, normalisation=None, **schedule):
    race = RaceConfig.build(
        data={"name": "digits", "train_images": 200, "batch_size": 50, "normalisation": normalisation},
        model=model,
        weights=weights,
        fresh_head=fresh_head,
        methods=[{"name": method}],
        schedule={"sparse_epochs": 4, "finetune_epochs": 1, **schedule},
    )
    return race.contender(race.methods[0], 0)


def test_given_weights_are_the_dense_network_and_nothing_trains_before_the_sparse_stage(models, record):
    config = _contender()
    assert config.schedule.dense_epochs == 0
    events = record(config)
    stages = [(event.stage, event.steps) for event in events if isinstance(event, StageStarted)]
    assert stages[:2] == [("dense", 0), ("sparse", 16)]
    dense = torch.load(next((record.folder / "dense").glob("*.pt")), weights_only=True)
    given = torch.load(models / "given.pt", weights_only=True)
    assert all(dense["state"][name].equal(given[name]) for name in given)
    row = next(event for event in events if isinstance(event, Finished)).ledger
    first = next(event for event in events if isinstance(event, Evaluated) and event.split == "test")
    assert row["dense_accuracy"] == first.accuracy
    assert row["dense_steps"] == 0


def test_they_can_be_trained_further(models, record):
    events = record(_contender(dense_epochs=1))
    assert next(event for event in events if isinstance(event, StageStarted)).steps == 4
    dense = torch.load(next((record.folder / "dense").glob("*.pt")), weights_only=True)
    assert not dense["state"]["conv1.weight"].equal(torch.load(models / "given.pt", weights_only=True)["conv1.weight"])


def test_another_file_of_the_same_name_is_another_dense_network(models, record):
    first = record(_contender(), run="first")
    torch.save(build_model("cnn", 1, 8, 10, seed=6).state_dict(), models / "given.pt")
    second = record(_contender(), run="second")
    scores = [next(event for event in events if isinstance(event, Evaluated)).loss for events in (first, second)]
    assert scores[0] != scores[1]


def test_a_contender_with_given_weights_goes_on_where_it_was_killed(models, tmp_path):
    config = _contender(method="group_lasso")
    whole, again = Lives(tmp_path / "whole", config), Lives(tmp_path / "again", config, deaths=(3, 9, 7))
    assert told(again.run()) == told(whole.run())
    assert again.lives == 4
    assert same_weights(tmp_path / "whole", tmp_path / "again")


def test_half_precision_is_told_in_the_run(models, record):
    state = torch.load(models / "given.pt", weights_only=True)
    torch.save({name: value.half() if value.is_floating_point() else value for name, value in state.items()}, models / "given.pt")
    assert any("float16" in event.text for event in record(_contender()) if isinstance(event, Noted))


def test_weights_of_another_number_of_classes_are_refused(models, tmp_path):
    torch.save(build_model("cnn", 1, 8, 3, seed=0).state_dict(), models / "given.pt")
    with pytest.raises(NetworkError, match="is of a network with 3 classes, these images have 10"):
        train(_contender(), lambda event: None, list, Folders(tmp_path / "run", tmp_path / "dense"))


def test_with_a_fresh_head_the_rest_is_loaded_and_the_whole_is_trained(models, record):
    torch.save(build_model("cnn", 1, 8, 3, seed=6).state_dict(), models / "given.pt")
    config = _contender(fresh_head=True, dense_epochs=6, method="none")
    events = record(config)
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert notes[0].startswith("fresh head: the last layer of given.pt for 3 classes is left out")
    assert next(event for event in events if isinstance(event, StageStarted)).steps == 24
    row = next(event for event in events if isinstance(event, Finished)).ledger
    assert row["dense_accuracy"] > 0.5


def test_a_fresh_head_is_drawn_from_the_seed(models):
    torch.save(build_model("cnn", 1, 8, 3, seed=6).state_dict(), models / "given.pt")
    config = _contender(fresh_head=True)
    splits = load_data(config.data)
    given = torch.load(models / "given.pt", weights_only=True)
    states = [build_network(config.model_copy(update={"seed": seed}), splits).model.state_dict() for seed in (0, 0, 1)]
    for name, value in states[0].items():
        own = name.startswith("classifier.")
        assert value.equal(build_model("cnn", 1, 8, 10, seed=0).state_dict()[name] if own else given[name])
        assert value.equal(states[1][name])
        assert value.equal(states[2][name]) != own


@pytest.mark.parametrize(
    ("model", "head"),
    [
        ("torchvision:resnet18", "'fc.weight', 'fc.bias'"),
        ("torchvision:squeezenet1_1", "'classifier.1.weight', 'classifier.1.bias'"),
        ("timm:resnet10t", "'fc.weight', 'fc.bias'"),
    ],
)
def test_which_layer_is_the_head_is_found_in_networks_of_others(models, model, head):
    torch.save(build_model(model, 1, 32, 3, seed=0).state_dict(), models / "given.pt")
    splits = load_data(DataConfig())
    large = torch.zeros(4, 1, 32, 32)
    splits = dataclasses.replace(splits, test_x=large, size=32)
    (note,) = build_network(_contender(model, fresh_head=True), splits).notes
    assert note.endswith(f"is left out; {head} for 10 classes begin at random")


def test_a_network_without_a_head_has_no_fresh_one(models, owned):
    with pytest.raises(NetworkError, match=r"^model five has no layer that depends on the number of classes"):
        build_network(_contender("five", fresh_head=True), load_data(DataConfig()))


def test_a_contender_with_another_normalisation_and_a_fresh_head_goes_on_where_it_was_killed(models, tmp_path):
    config = _contender(method="group_lasso", fresh_head=True, normalisation="half", dense_epochs=2)
    whole, again = Lives(tmp_path / "whole", config), Lives(tmp_path / "again", config, deaths=(3, 9, 7))
    assert told(again.run()) == told(whole.run())
    assert same_weights(tmp_path / "whole", tmp_path / "again")


def test_a_network_of_torchvision_is_trained_cut_and_loaded(record):
    events = record(contender("catalyst", model="torchvision:resnet18", dense_epochs=1, sparse_epochs=1, finetune_epochs=0))
    row = next(event for event in events if isinstance(event, Finished)).ledger
    assert row["params"] < 0.3 * row["params_dense"]
    small = load_pruned(record.folder / "run" / "pruned.pt")
    assert small.conv1.out_channels == 32
    assert small(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.fixture
def owned(catalyst_home):
    """A factory for each thing that can be wrong, and the README's regularizer."""
    code = (
        "import torch\n"
        "from torch import nn\n"
        "class Two(nn.Module):\n"
        "    def forward(self, x, y): return x\n"
        "class Pair(nn.Module):\n"
        "    def __init__(self): super().__init__(); self.c = nn.Conv2d(1, 4, 3)\n"
        "    def forward(self, x): return self.c(x).mean((2, 3)), x\n"
        "def five(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 5))\n"
    )
    ridge = '[regularizers.ridge]\nclass = "docs.own_regularizer:Ridge"\nstrength = 0.5\n'
    register(catalyst_home, "given_networks", code, ("Two", "Pair", "five"), ridge)


@pytest.mark.parametrize(
    ("model", "kind", "said"),
    [
        ("two", ExampleInputError, r"model two does not run on images of 1 x 8 x 8 \(TypeError"),
        ("pair", NetworkError, "model pair answers 2 images with a tuple, not with scores of 2 x 10"),
        ("five", NetworkError, r"model five answers 2 images with shape \(2, 5\), not with scores of 2 x 10"),
    ],
)
def test_a_network_that_does_not_classify_these_images_is_one_sentence(owned, tmp_path, model, kind, said):
    with pytest.raises(kind, match=said) as caught:
        train(contender(model=model), lambda event: None, list, Folders(tmp_path / "run", tmp_path / "dense"))
    assert "\n" not in str(caught.value)


def test_the_owners_regularizer_races(owned, record):
    row = next(event for event in record(contender("ridge")) if isinstance(event, Finished)).ledger
    assert (row["method"], row["strength"], row["sparse_steps"]) == ("ridge", 0.5, 16)
    assert row["channels_pruned"] == 80


def test_the_owners_regularizer_goes_on_where_it_was_killed(owned, tmp_path):
    config = contender("ridge", dense_epochs=1)
    whole, again = Lives(tmp_path / "whole", config), Lives(tmp_path / "again", config, deaths=(6, 9))
    assert told(again.run()) == told(whole.run())
    assert same_weights(tmp_path / "whole", tmp_path / "again")


def test_the_report_counts_what_the_cut_leaves(models):
    report = report_network(_contender(method="none"))
    assert report.groups == {"conv1": 32, "conv2": 64, "conv3": 64}
    assert list(report.skipped) == ["classifier"]
    assert (report.channels, report.size, report.classes, report.lossless) == (1, 8, 10, True)
    # Weights, BatchNorm pairs and the classifier of 16, 32 and 32 channels.
    assert report.params_after == 9 * (16 + 16 * 32 + 32 * 32) + 2 * (16 + 32 + 32) + 32 * 10 + 10
    assert 0 <= report.validation_accuracy <= 1


def test_the_report_on_a_fresh_head_notes_it_and_has_no_accuracy(models):
    report = report_network(_contender(method="none", fresh_head=True))
    assert report.validation_accuracy is None
    (note,) = report.notes
    assert note.startswith("fresh head: the last layer of given.pt for 10 classes, which would fit, is left out")
    assert report_network(_contender(method="none")).notes == ()
