"""What the names in a folder say: which subfolders are splits, whatever their spelling, and what is left out with a word."""

import os

import numpy as np
import pytest
from PIL import Image

from catalyst_core.config import DataConfig
from catalyst_core.data import load_data
from catalyst_core.data.listing import layout
from catalyst_core.data.report import glance, look
from catalyst_core.errors import DataError


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """An empty folder below the data root."""
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path / "images"))
    (tmp_path / "images" / "pets").mkdir(parents=True)
    return tmp_path / "images" / "pets"


def _fill(place, classes=("cat", "dog"), count=6) -> None:
    for label, name in enumerate(classes):
        (place / name).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (8, 8), 50 * label + number).save(place / name / f"{number}.png")


def _config() -> DataConfig:
    return DataConfig(name="folder", folder="pets")


def _refusal() -> str:
    with pytest.raises(DataError) as caught:
        layout("pets")
    assert "\n" not in str(caught.value)
    return str(caught.value)


SPELLED = {
    ("Train", "Test"): ("Train", "", "Test"),
    ("train", "TEST"): ("train", "", "TEST"),
    ("Training", "Testing"): ("Training", "", "Testing"),
    ("train", "Val"): ("train", "", "Val"),
    ("train", "valid"): ("train", "", "valid"),
    ("train", "dev", "test"): ("train", "dev", "test"),
    ("TRAIN", "Validation", "Test"): ("TRAIN", "Validation", "Test"),
    ("train", "eval"): ("train", "", "eval"),
}


@pytest.mark.parametrize("folders", SPELLED, ids=lambda folders: "-".join(folders))
def test_splits_in_other_words_and_capitals(pets, folders):
    for name in folders:
        _fill(pets / name)
    found = layout("pets")
    assert (found.classes, found.origins, found.left_out) == (("cat", "dog"), SPELLED[folders], ())
    assert {path.parts[-3] for path in found.test.paths} == {SPELLED[folders][2]}


def test_what_is_beside_the_splits_is_named(pets):
    for name in ("train", "val", "test", "valid"):
        _fill(pets / name)
    _fill(pets, classes=("emu", "old"))
    (pets / "README.md").write_text("text")
    (pets / "train" / "stray.png").write_bytes(b"")
    (pets / "train" / "cat" / "labels.csv").write_text("text")
    (pets / "test" / "dog" / "photo.heic").write_bytes(b"")
    said = (
        "left out, beside train/: 'emu', 'old', 'valid'",
        "left out: 4 other files that are no images by their names or lie in no class",
    )
    assert layout("pets").left_out == said
    assert look(_config()).warnings[-2:] == glance(_config())[0].warnings[-2:] == load_data(_config()).notes == said


def test_what_a_system_adds_is_left_out_without_a_word(pets):
    _fill(pets)
    _fill(pets, classes=("__MACOSX", ".git"), count=1)
    for name in (".DS_Store", "Thumbs.db", "cat/Thumbs.db", "dog/desktop.ini", "dog/._0.png"):
        (pets / name).write_bytes(b"")
    found = layout("pets")
    assert (found.classes, found.counts.tolist(), found.left_out) == (("cat", "dog"), [6, 6], ())


def test_train_is_a_class_where_it_holds_images_and_no_folders(pets):
    _fill(pets, classes=("car", "plane", "train"))
    assert layout("pets").classes == ("car", "plane", "train")
    _fill(pets / "train", classes=("cat", "dog"))
    assert layout("pets").classes == ("cat", "dog")


REFUSED = {
    ("train/cat", "Train/cat"): "'pets' holds 'Train' and 'train': rename one, or put them together",
    ("train/cat", "train/dog", "Val/cat", "val/dog"): "'pets' holds 'Val' and 'val': rename one, or put them together",
    ("Test/cat", "val/cat"): "'pets' holds 'Test' and 'val' and no folder 'train' beside them",
    ("val/cat", "val/dog"): "'pets' holds 'val' and no folder 'train' beside it",
    ("Train", "Test"): "'pets/Train' holds no images: it needs one subfolder a class with images in it",
}


@pytest.mark.parametrize("folders", REFUSED, ids=lambda folders: "-".join(folders).replace("/", "."))
def test_splits_that_cannot_be_told(pets, folders):
    _fill(pets, classes=folders)
    assert _refusal() == REFUSED[folders]


def test_classes_that_happen_to_be_called_like_splits(pets):
    _fill(pets, classes=("dev", "test"))
    assert layout("pets").classes == ("dev", "test")


def test_an_empty_class_is_refused_and_what_to_do_is_said(pets):
    _fill(pets)
    (pets / "emu").mkdir()
    told = "at least 5 are needed: add some, or take its folder away"
    assert _refusal() == f"class 'emu' in 'pets' has no images; {told}"
    (pets / "emu" / "0.png").write_bytes(b"")
    assert _refusal() == f"class 'emu' in 'pets' has 1 image; {told}"


def test_newer_kinds_of_images_are_read(pets):
    generator = np.random.default_rng(0)
    for name, suffix in (("cat", "avif"), ("dog", "jfif")):
        (pets / name).mkdir()
        for number in range(5):
            image = Image.fromarray(generator.integers(0, 256, (16, 16, 3)).astype(np.uint8))
            image.save(pets / name / f"{number}.{suffix.upper()}", {"avif": "AVIF", "jfif": "JPEG"}[suffix])
    assert look(_config()).damage == "none in 10 images that were decoded"


def test_a_link_is_called_by_its_own_name(pets):
    _fill(pets)
    os.symlink(pets / "nowhere", pets / "cat" / "link.png")
    assert glance(_config())[0].damaged_names == ("cat/link.png",)
