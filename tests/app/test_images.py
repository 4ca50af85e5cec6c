"""A user's own images in the setup form: a look at a folder, a zip that is uploaded, and what is said when something is wrong."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from app import access, images
from catalyst_core.config import RaceConfig
from catalyst_core.data.report import look
from catalyst_core.errors import EngineError, NotAllowedError, UsageError
from tests.app.helpers import healthy, run, words

HOSTILE = "<b>![x](y)"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root with a folder of three classes, one file of which is no image."""
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path / "data"))
    for label, name in enumerate(("cat", "dog", HOSTILE)):
        (tmp_path / "data" / "pets" / name).mkdir(parents=True)
        for number in range(10 + label):
            (tmp_path / "data" / "pets" / name / f"{number}.png").write_bytes(_png(100 * label + number))
    (tmp_path / "data" / "pets" / "cat" / "0.png").write_bytes(b"no image")
    return tmp_path / "data"


@pytest.fixture
def figures(monkeypatch):
    """What was handed to the live figures."""
    drawn = {}
    monkeypatch.setattr(images.live, "show", lambda panels, *, key: drawn.update(panels))
    return drawn


def _png(number):
    out = io.BytesIO()
    array = np.random.default_rng(number).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def _zip(classes=("cat", "dog")):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for label, name in enumerate(classes):
            for number in range(6):
                file.writestr(f"{name}/{number}.png", _png(10 * label + number))
    return out.getvalue()


def _form(folder=""):
    at = run()
    next(one for one in at.selectbox if one.label == "Data").select("folder").run()
    if folder:
        next(one for one in at.text_input if one.label == "Folder below the data root").set_value(folder).run()
    return at


def _button(at, label):
    return next(one for one in at.button if one.label == label)


def _upload(at, name, content):
    field = next(one for one in at.file_uploader if one.label == "A zip with images")
    return field.set_value((name, content, "application/zip")).run()


def test_only_folders_can_be_looked_at_or_uploaded(root):
    at = healthy(run())
    assert not [one for one in at.button if one.label == "Look at the images"]
    assert _button(healthy(_form()), "Look at the images").disabled


def test_a_look_shows_counts_balance_and_pictures(root, figures):
    at = healthy(_button(_form("pets"), "Look at the images").click().run())
    said = words(at)
    assert "**pets**: 33 images of 3 classes" in said
    assert "Damage: 1 of" in said
    assert "cat/0\\.png" in said
    assert "3 of 3 classes have fewer than 20 training images" in said
    captions = at.image[0].captions
    assert [one.replace("\\", "") for one in captions] == [HOSTILE, "cat", "dog"]
    assert HOSTILE not in captions[0]
    assert HOSTILE not in said
    figure = json.loads(figures["balance"].payload)
    assert [trace["name"] for trace in figure["data"]] == ["train", "val", "test"]
    assert "has the most images, 12, and cat the fewest, 10" in figure["caption"]
    assert "<b>" not in json.dumps(figure["layout"]["xaxis"])


def test_every_image_can_be_checked_in_a_process_of_its_own(root):
    whole = (root / "pets" / "dog" / "3.png").read_bytes()
    (root / "pets" / "dog" / "3.png").write_bytes(whole[: len(whole) // 2])  # its header is fine
    config = RaceConfig.build(data={"name": "folder", "folder": "pets", "image_size": 16}).data
    found = images.checked("pets", 16)
    assert found.damage == "2 of 33 images that were decoded: cat/0.png, dog/3.png"
    assert found == look(config)


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [("none", "There is no folder"), ("../..", "leads out of the data root"), ("a\u202eb", "cannot be seen")],
)
def test_what_cannot_be_looked_at_is_one_sentence(root, folder, sentence):
    at = _button(_form(folder), "Look at the images").click().run()
    assert not at.exception
    (error,) = at.error
    assert sentence in error.value
    assert "\n" not in error.value


def test_a_process_that_fails_is_one_sentence(root, monkeypatch):
    with pytest.raises(UsageError, match="there is no folder 'none' below the data root"):
        images.checked("none", None)
    monkeypatch.setattr(images, "SECONDS", 0.001)
    with pytest.raises(EngineError, match="the command data took longer than 0 seconds"):
        images.checked("pets", 16)
    monkeypatch.setattr(images.inspector.sys, "executable", "false")
    monkeypatch.setattr(images, "SECONDS", 60.0)
    with pytest.raises(EngineError, match="the command data failed: exit code 1"):
        images.checked("pets", None)


def test_a_zip_becomes_a_folder_that_can_be_looked_at(root, store, figures):
    at = healthy(_upload(_form(), "my birds.zip", _zip(("crow", "owl"))))
    assert "my birds: 12 images of 2 classes" in at.success[0].value.replace("\\", "")
    assert sorted(path.name for path in (root / "my birds").iterdir() if path.is_dir()) == ["crow", "owl"]
    next(one for one in at.text_input if one.label == "Folder below the data root").set_value("my birds").run()
    assert not at.success
    healthy(_button(at, "Look at the images").click().run())
    assert "**my birds**: 12 images of 2 classes" in words(at)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("birds.zip", b"no zip", "it is no zip"),
        ("pets.zip", _zip(), "nothing is overwritten"),
        ("birds.zip", _zip(("cat",)), "holds one class"),
        ("birds.zip", _zip(("cat", "../../dog")), "leads out of the folder"),
        (".birds.zip", _zip(), "give 1 to 80 letters"),
    ],
)
def test_a_zip_that_is_refused_is_one_sentence(root, store, name, content, sentence):
    at = _upload(_form(), name, content)
    assert not at.exception
    (error,) = at.error
    assert sentence in error.value
    assert [path.name for path in root.iterdir() if path.is_dir()] == ["pets"]


def test_viewers_can_do_neither(root, store, monkeypatch):
    at = _form("pets")
    monkeypatch.setattr(access, "person", lambda: access.Person("viewer@example.org", "Only editors can."))
    _upload(at, "birds.zip", _zip())
    assert [path.name for path in root.iterdir() if path.is_dir()] == ["pets"]
    assert _button(at, "Look at the images").disabled


def test_a_look_that_is_not_allowed_shows_nothing(root, monkeypatch, figures):
    at = _form("pets")

    def refuse():
        raise NotAllowedError("only editors can")

    monkeypatch.setattr(access, "check_change", refuse)
    _button(at, "Look at the images").click().run()  # whatever a browser sends arrives
    assert [one.value for one in at.error] == ["Only editors can."]
    assert "33 images" not in words(at)
    assert "balance" not in figures
