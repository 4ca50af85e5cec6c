"""A network of one's own on the Race page: chosen, uploaded, looked at, and what is said when something is wrong."""

import torch

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


def test_a_network_with_weights_trains_no_dense_stage(catalyst_home):
    (catalyst_home / "models").mkdir(parents=True)
    (catalyst_home / "models" / "mine.safetensors").write_bytes(b"")
    assert shelf.listed() == ("mine.safetensors",)
    at = healthy(run())
    _named(at, "selectbox", "Weights").select("mine.safetensors").run()
    assert _named(at, "number_input", "Dense epochs").value == 0


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
