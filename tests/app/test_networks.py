"""A network of one's own on the Race page: chosen, uploaded, looked at, and what is said when something is wrong."""

import re

import pytest
import torch
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from app import forms
from catalyst_core import shelf
from catalyst_core.config import RaceConfig
from catalyst_core.models import build_model
from tests import synthetic
from tests.app.helpers import fill, healthy, run, words


def _named(at, kind, label):
    return next(one for one in getattr(at, kind) if one.label == label)


def test_networks_of_other_libraries_can_be_chosen():
    at = healthy(run())
    models = _named(at, "selectbox", "Model")
    assert {"CNN", "resnet18 (torchvision)", "resnet18 (timm)"} <= set(models.options)
    models.select("torchvision:resnet18").run()
    healthy(at)


def test_what_can_be_pruned_is_told_before_a_race():
    at = healthy(run())
    _named(at, "button", "What can be pruned?").click().run(timeout=200)
    healthy(at)
    assert "160 channels in 3 groups can be pruned" in words(at)
    assert "masked and cut are the same function" in words(at)


def test_weights_that_do_not_fit_are_one_sentence(catalyst_home):
    (catalyst_home / "models").mkdir(parents=True)
    torch.save(build_model("cnn", 1, 8, 3, seed=0).state_dict(), catalyst_home / "models" / "three.pt")
    at = healthy(run())
    _named(at, "selectbox", "Weights").select("three.pt").run()
    _named(at, "button", "What can be pruned?").click().run(timeout=200)
    assert not at.exception
    (error,) = at.error
    assert "of a network with 3 classes, these images have 10" in error.value


@pytest.mark.parametrize(
    ("label", "chosen", "said"),
    [
        ("Weights", "three.pt", "of a network with 3 classes, these images have 10"),
        ("Model", "timm:vit_tiny_patch16_224", "does not run|cannot be built|no group"),
    ],
)
def test_there_is_no_race_of_a_network_that_cannot_be_raced_and_the_form_stays(catalyst_home, store, label, chosen, said):
    (catalyst_home / "models").mkdir(parents=True)
    torch.save(build_model("cnn", 1, 8, 3, seed=0).state_dict(), catalyst_home / "models" / "three.pt")
    at = healthy(run())
    _named(at, "selectbox", label).select(chosen).run()
    _named(at, "text_input", "Name").set_value("mine").run()
    _named(at, "button", "Start race").click().run(timeout=200)
    assert not at.exception
    (error,) = at.error
    assert re.search(said, error.value)
    assert (_named(at, "selectbox", label).value, _named(at, "text_input", "Name").value) == (chosen, "mine")
    assert list(store.races()) == []


def test_a_network_with_weights_trains_no_dense_stage(catalyst_home):
    (catalyst_home / "models").mkdir(parents=True)
    (catalyst_home / "models" / "mine.safetensors").write_bytes(b"")
    assert shelf.listed() == ("mine.safetensors",)
    at = healthy(run())
    _named(at, "selectbox", "Weights").select("mine.safetensors").run()
    assert _named(at, "number_input", "Dense epochs").value == 0


def _labels(at, kind):
    return [one.label for one in getattr(at, kind)]


def test_beside_weights_there_are_a_fresh_head_and_the_normalisation(catalyst_home):
    (catalyst_home / "models").mkdir(parents=True)
    torch.save(build_model("cnn", 1, 8, 3, seed=0).state_dict(), catalyst_home / "models" / "three.pt")
    at = healthy(run())
    assert "Normalisation" not in _labels(at, "selectbox")
    assert "Fresh head, for other classes" not in _labels(at, "checkbox")
    _named(at, "selectbox", "Weights").select("three.pt").run()
    assert _named(at, "number_input", "Dense epochs").value == 0
    _named(at, "checkbox", "Fresh head, for other classes").check().run()
    assert _named(at, "number_input", "Dense epochs").value == 12
    options = _named(at, "selectbox", "Normalisation").options
    assert options == ["The training images' own", "Half (-1 to 1)", "Unit (0 to 1)", "Another mean and deviation"]
    _named(at, "selectbox", "Normalisation").select("half").run()
    _named(at, "button", "What can be pruned?").click().run(timeout=200)
    healthy(at)
    assert "for 3 classes is left out" in words(at)
    assert "of the validation images" not in words(at)
    _named(at, "selectbox", "Normalisation").select("unit").run()
    assert "is left out" not in words(at), "what was asked for another normalisation is not shown"


def test_a_mean_and_a_deviation_can_be_written(catalyst_home, store):
    at = healthy(run("race", **{"from": fill(store, synthetic.config(data={"normalisation": "0.3/0.4"})).id, "race": "new"}))
    assert _named(at, "selectbox", "Normalisation").value == "other"
    assert _named(at, "text_input", "Mean/deviation").value == "0.3/0.4"
    _named(at, "text_input", "Mean/deviation").input("123/58").run()
    _named(at, "button", "What can be pruned?").click().run(timeout=200)
    assert not at.exception
    (error,) = at.error
    assert "a mean is a number from 0 to 1" in error.value


def test_a_file_of_weights_may_be_larger_than_others(catalyst_home):
    at = healthy(run())
    field = next(one for one in at.file_uploader if one.label.startswith("Weights of a trained network"))
    assert field.proto.max_upload_size_mb == shelf.LARGEST // shelf.MIB == 500
    runs = healthy(run("runs"))
    assert [one.proto.max_upload_size_mb for one in runs.file_uploader] == [64, 64]


def test_an_uploaded_file_is_among_the_models_and_not_held_in_memory(catalyst_home, monkeypatch):
    let_go = []
    monkeypatch.setattr(MemoryUploadedFileManager, "remove_file", lambda self, session_id, file_id: let_go.append(file_id))
    at = healthy(run())
    field = next(one for one in at.file_uploader if one.label.startswith("Weights of a trained network"))
    healthy(field.set_value(("mine.pt", b"content", "application/octet-stream")).run())
    assert (catalyst_home / "models" / "mine.pt").read_bytes() == b"content"
    assert len(let_go) == 1


def test_a_race_with_weights_survives_the_form():
    config = RaceConfig.build(weights="mine.pt", model="torchvision:resnet18", data={"name": "cifar10"})
    assert forms.to_config(forms.from_config(config)) == config
    more = RaceConfig.build(weights="mine.pt", schedule={"dense_epochs": 3})
    assert forms.to_config(forms.from_config(more)) == more


def test_a_mistake_in_the_owners_file_is_told_and_the_form_stays(catalyst_home):
    catalyst_home.mkdir(exist_ok=True)
    (catalyst_home / "catalyst.toml").write_text("[models")
    at = run()
    assert not at.exception
    assert any("cannot be read" in one.value for one in at.warning)
    assert _named(at, "selectbox", "Model").options


def test_a_race_of_a_method_that_is_not_registered_any_more_is_shown(catalyst_home, store):
    catalyst_home.mkdir(exist_ok=True)
    file = catalyst_home / "catalyst.toml"
    file.write_text('[regularizers.ridge]\nclass = "docs.own_regularizer:Ridge"\ntitle = "Ridge"\n')
    race = fill(store, synthetic.config(methods=({"name": "ridge"}, {"name": "catalyst"})))
    assert "Ridge" in _everything(healthy(run("results", race=race.id)))
    file.unlink()
    for page in ("race", "results", "lab", "runs"):
        healthy(run(page, race=race.id))


def _everything(at) -> str:
    return words(at) + "".join(str(one.proto) for one in at.main.children.values())
