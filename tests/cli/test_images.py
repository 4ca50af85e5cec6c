"""`data`, `data unpack` and `race --augment`."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from catalyst_core.cli import main
from catalyst_core.cli.parser import build_parser
from catalyst_core.cli.racing import race_config
from catalyst_core.config import AUGMENTATIONS, RaceConfig
from catalyst_core.data.report import Report, look
from tests.cli.refusal import refusal


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root with one folder: two classes of ten images, one of them damaged."""
    place = tmp_path / "data"
    monkeypatch.setenv("CATALYST_DATA", str(place))
    for label, name in enumerate(("cat", "dog")):
        (place / "pets" / name).mkdir(parents=True)
        for number in range(10):
            (place / "pets" / name / f"{number}.png").write_bytes(_png(10 * label + number))
    (place / "pets" / "cat" / "7.png").write_bytes(b"no image")
    return place


def _png(number):
    out = io.BytesIO()
    array = np.random.default_rng(number).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def _zip(path, classes):
    with zipfile.ZipFile(path, "w") as file:
        for label in range(classes):
            for number in range(6):
                file.writestr(f"class{label:03}/{number}.png", _png(10 * label + number))
    return str(path)


def test_a_folder_as_a_table_and_as_json(root, capsys):
    assert main("data --folder pets".split()) == 0
    said = capsys.readouterr()
    assert said.err == "decoding 20 images ...\n"
    lines = said.out.splitlines()
    assert lines[0] == "'pets': 20 images of 2 classes, colour, 12 x 12 pixels"
    assert [line.split() for line in lines if line.startswith(("train", "val", "test"))] == [
        ["train", "13", "what", "is", "left"],
        ["val", "2", "split", "off"],
        ["test", "4", "split", "off"],
    ]
    assert ["dog", "10", "7", "1", "2"] in [line.split() for line in lines]
    assert "damage: 1 of 20 images that were decoded: cat/7.png" in lines
    assert main("data --folder pets --json --image-size 16".split()) == 0
    record = json.loads(capsys.readouterr().out)
    config = RaceConfig.build(data={"name": "folder", "folder": "pets", "image_size": 16}).data
    assert Report.of_record(record) == look(config)


def test_a_quick_look_reads_headers(root, capsys):
    assert main("data --folder pets --quick".split()) == 0
    assert "damage: 1 of 20 images whose headers were read: cat/7.png" in capsys.readouterr().out.splitlines()
    assert main("data --folder pets --quick --json".split()) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out)["decoded"] is False


def test_without_a_name_it_is_digits(capsys):
    assert main(["data"]) == 0
    assert capsys.readouterr().out.startswith("'digits': 1797 images of 10 classes, grey, 8 x 8 pixels\n")


def test_of_many_classes_the_ends_are_shown(root, capsys, tmp_path):
    assert main(["data", "unpack", _zip(tmp_path / "many.zip", 60), "--as", "many"]) == 0
    assert capsys.readouterr().out == "many: 360 images of 60 classes (1.5 MB)\n"
    assert main("data --folder many --quick".split()) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len([line for line in lines if line and line[0].startswith("class")]) == 1 + 11
    assert lines.count(["..."]) == 2


def test_a_zip_is_taken_in(root, capsys, tmp_path):
    assert main(["data", "unpack", _zip(tmp_path / "birds.zip", 3), "--as", "birds", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["folder"], found["classes"], found["images"], found["damaged"]) == ("birds", 3, 18, 0)
    assert sorted(path.name for path in (root / "birds").iterdir() if path.is_dir()) == ["class000", "class001", "class002"]


WRONG = {
    "data --folder none": "there is no folder 'none'",
    "data --folder ..": "leads out of the data root",
    "data --dataset folder": "'folder' names an image folder",
    "data --dataset digits --folder pets": "'folder' names an image folder",
    "data --dataset none": "data.name",
    "data --dataset own": "own",
    "data --folder pets --image-size 7": "image_size",
    "data --dataset digits --image-size 16": "data.image_size is for 'folder': the images of digits are 8 x 8 pixels",
    "race --dataset cifar10 --image-size 64": "data.image_size is for 'folder': the images of cifar10 are 32 x 32 pixels",
    "data --folder pets --train-images 1": "train_images",
    "data unpack none.zip --as birds": "zip 'none.zip': cannot be read",
    "data unpack none.zip --as ../birds": "give 1 to 80 letters",
    "data unpack none.zip": "--as",
    "race --augment wild": "data.augment: one of none, shift, shift_flip, strong is wanted, not 'wild'",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_sentence(line, root, capsys):
    assert WRONG[line] in refusal(capsys, line.split())


AUGMENT = {
    "": None,
    "--augment": True,
    "--no-augment": False,
    "--augment strong": "strong",
    "--augment shift --detach": "shift",
    "--augment shift_flip": True,
    "--augment none": False,
}


@pytest.mark.parametrize("line", AUGMENT)
def test_augmentation_by_name_or_as_before(line):
    assert race_config(build_parser().parse_args(["race", *line.split()])).data.augment == AUGMENT[line]


# Of races that were stored before there were presets; made at commit 703377e.
DENSE_KEYS = {None: "d4403e45b8db5c16", True: "5ef599073a6bfacd", False: "e7f6e2f86b9a6513"}


@pytest.mark.parametrize("augment", DENSE_KEYS)
def test_what_was_stored_before_there_were_presets_is_what_it_was(augment):
    config = RaceConfig.build(data={"name": "cifar10", "augment": augment}, model="resnet20")
    assert config.contenders()[0].dense_key() == DENSE_KEYS[augment]
    assert RaceConfig.model_validate_json(config.model_dump_json()) == config


def test_a_preset_is_kept_and_one_that_has_an_older_name_has_that():
    for name, kept in AUGMENTATIONS.items():
        config = RaceConfig.build(data={"augment": name})
        assert config.data.augment is kept or config.data.augment == kept
        assert RaceConfig.model_validate_json(config.model_dump_json()) == config
        assert f"{name}" in str(type(config.data).model_fields["augment"].description)
