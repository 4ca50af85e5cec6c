"""The owner's file: what it registers, and one sentence for each thing that is wrong in it."""

import pytest

from catalyst_core import catalog
from catalyst_core.config import RaceConfig
from catalyst_core.errors import ConfigError
from catalyst_core.owner import load, owner
from catalyst_core.places import owner_file

GOOD = """
path = ["mine"]
[models]
wide = "nets.wide:build"
[regularizers.ridge]
class = "regs:Ridge"
title = "Ridge"
strength = 2
strength_range = [0.5, 8]
"""


@pytest.fixture
def write(catalyst_home):
    """Write the owner's file."""
    catalyst_home.mkdir()

    def inside(text: str) -> None:
        (catalyst_home / "catalyst.toml").write_text(text)

    return inside


def test_nothing_is_registered_without_a_file():
    assert owner().models == owner().regularizers == {}
    assert catalog.methods() == catalog.METHODS


def test_what_is_registered_is_offered_and_accepted(write, catalyst_home):
    write(GOOD)
    assert owner().path == (str((catalyst_home / "mine").resolve()),)
    assert catalog.models()["wide"].title == "wide"
    method = catalog.methods()["ridge"]
    assert (method.title, method.strength, method.strength_range, method.source) == ("Ridge", 2.0, (0.5, 8.0), "regs:Ridge")
    assert not method.is_peer
    config = RaceConfig.build(model="wide", methods=[{"name": "ridge"}])
    assert config.methods[0].effective_strength == 2.0


def test_another_place_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CATALYST_CONFIG", str(tmp_path / "own.toml"))
    (tmp_path / "own.toml").write_text("[models]\nnarrow = 'a:b'\n")
    assert owner_file() == tmp_path / "own.toml"
    assert set(owner().models) == {"narrow"}


def test_a_change_of_the_file_counts_at_once(write):
    write("[models]\na = 'a:b'\n")
    assert set(owner().models) == {"a"}
    write("[models]\na = 'a:b'\nbc = 'a:b'\n")
    assert set(owner().models) == {"a", "bc"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models", "cannot be read"),
        ("[networks]\na = 'a:b'", "there is no setting 'networks'"),
        ("models = 3", "models must be a table"),
        ("[models]\nA = 'a:b'", "models.A: names have up to 40"),
        ("[models]\na = 'os.system'", "models.a must be of the form package.module:name"),
        ("[models]\na = 3", "models.a must be of the form package.module:name, not 3"),
        ("[regularizers]\na = 'a:b'", "regularizers.a needs class"),
        ("[regularizers.a]\nclass = 'a:b'\ncolour = 'red'", "regularizers.a has no setting 'colour'"),
        ("[regularizers.a]\nclass = 'a:b'\ntitle = 3", "regularizers.a.title must be one line of text, not 3"),
        ("[regularizers.a]\nclass = 'a:b'\nstrength = 0", "regularizers.a.strength must lie between 0 and 10000"),
        ("[regularizers.a]\nclass = 'a:b'\nstrength = true", "regularizers.a.strength must lie"),
        ("[regularizers.a]\nclass = 'a:b'\nstrength_range = [2, 1]", "strength_range must be two rising numbers"),
        ("path = 'mine'", "path must be a list of folders"),
    ],
)
def test_a_mistake_is_one_sentence(write, text, said):
    write(text)
    with pytest.raises(ConfigError, match=said) as caught:
        owner()
    assert "catalyst.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_name_of_one_of_ours_is_taken(write):
    write("[regularizers.l1]\nclass = 'a:b'\n[models]\ncnn = 'a:b'\n")
    with pytest.raises(ConfigError, match=r"regularizers\.l1 is the name of one of ours"):
        catalog.methods()
    with pytest.raises(ConfigError, match=r"models\.cnn is the name of one of ours"):
        catalog.models()


def test_what_a_stored_race_names_stays_readable():
    stored = RaceConfig.build(methods=[{"name": "l1"}]).model_dump()
    stored["methods"][0]["name"], stored["model"] = "gone", "gone_too"
    known = RaceConfig.model_validate(stored)
    assert catalog.METHODS[known.methods[0].name].sentence == "It is not registered on this machine."
    assert catalog.MODELS[known.model].title == "gone_too"
    with pytest.raises(ConfigError, match="there is no 'gone_too'"):
        RaceConfig.build(**stored)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "resnet21"}, "model: there is no 'resnet21'; did you mean resnet20"),
        ({"model": "torchvision:resnet19"}, "torchvision has no classifier 'resnet19'; did you mean resnet1"),
        ({"model": "hub:resnet18"}, "there is no library 'hub'; networks come from torchvision and timm"),
        ({"model": "../cnn"}, "model: only letters a to z, digits and _ are allowed"),
        ({"methods": [{"name": "grouplasso"}]}, "methods: there is no 'grouplasso'; did you mean group_lasso"),
        ({"methods": [{"name": "<b>"}]}, r"methods.0.name: only letters a to z"),
        ({"weights": "a\u202eb.pt"}, r"weights: take out the character U\+202E"),
        ({"schedule": {"dense_epochs": 0}}, "dense_epochs must be at least 1 where no weights are given"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_the_nearest(fields, said):
    with pytest.raises(ConfigError, match=said):
        RaceConfig.build(**fields)


def test_code_that_cannot_be_imported_is_one_sentence(write, catalyst_home):
    write('path = ["mine"]')
    (catalyst_home / "mine").mkdir()
    (catalyst_home / "mine" / "broken_one.py").write_text("raise RuntimeError('no')")
    (catalyst_home / "mine" / "leaving_one.py").write_text("raise SystemExit(0)")
    (catalyst_home / "mine" / "fine_one.py").write_text("answer = 42")
    assert load("fine_one:answer", "test") == 42
    wrong = {"broken_one:x": r"\(RuntimeError: no\)", "leaving_one:x": r"\(SystemExit: 0\)", "fine_one:x": "has no x"}
    for reference, said in {**wrong, "nowhere_at_all:x": "No module named 'nowhere_at_all'"}.items():
        with pytest.raises(ConfigError, match=said):
            load(reference, "test")
