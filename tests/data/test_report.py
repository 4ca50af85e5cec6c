"""What is said about images before a race: counts, balance, damaged ones, repeated ones."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from catalyst_core.config import DataConfig
from catalyst_core.data import load_data, report
from catalyst_core.data.report import Report, glance, look
from catalyst_core.errors import DataError


def _fill(place, counts, size=(16, 16), seed=0) -> None:
    generator = np.random.default_rng(seed)
    for name, count in counts.items():
        (place / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            array = generator.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
            Image.fromarray(array).save(place / name / f"{number:03}.png")


def _config(**fields) -> DataConfig:
    return DataConfig(name="folder", folder="pets", **fields)


def test_it_counts_what_a_race_gets(root):
    _fill(root / "pets", {"cat": 60, "dog": 40})
    (root / "pets" / "cat" / "000.png").write_bytes(b"not an image")
    found, splits = look(_config()), load_data(_config())
    for split, labels in zip(found.splits, (splits.train_y, splits.val_y, splits.test_y), strict=True):
        assert list(split.counts) == labels.bincount(minlength=2).tolist()
    assert (found.found, found.classes, found.channels, found.size) == ((60, 40), ("cat", "dog"), 3, 16)
    assert (found.looked_at, found.decoded, found.damaged, found.damaged_names) == (100, True, 1, ("cat/000.png",))
    assert found.bytes == 100 * 3 * 16**2 * 5
    assert found.damage == "1 of 100 images that were decoded: cat/000.png"
    assert found.shape == "colour, 16 x 16 pixels"


def test_it_says_where_each_split_comes_from(root):
    _fill(root / "pets", {"cat": 20, "dog": 20})
    assert [split.origin for split in look(_config()).splits] == ["what is left", "split off", "split off"]
    for name in ("cat", "dog"):
        (root / "pets" / "train").mkdir(exist_ok=True)
        (root / "pets" / name).rename(root / "pets" / "train" / name)
    assert [split.origin for split in look(_config()).splits] == ["train/", "split off train/", "split off train/"]
    _fill(root / "pets" / "valid", {"cat": 6, "dog": 7}, seed=1)
    found = look(_config())
    assert [split.origin for split in found.splits] == ["train/", "split off train/", "valid/"]
    assert found.splits[2].counts == (6, 7)
    _fill(root / "pets" / "test", {"cat": 8, "dog": 9}, seed=2)
    found = look(_config())
    assert [split.origin for split in found.splits] == ["train/", "valid/", "test/"]
    assert [split.images for split in found.splits] == [40, 13, 17]
    assert found.warnings == ()


def test_a_glance_reads_headers_and_makes_pictures_of_what_can_be_read(root, monkeypatch):
    _fill(root / "pets", {"bee": 20, "cat": 20, "dog": 20, "emu": 20})
    (root / "pets" / "bee" / "000.png").write_bytes(b"not an image")
    decoded = look(_config())
    monkeypatch.setattr(report, "read", None)  # it decodes no split
    found, pictures = glance(_config(), 2)
    assert (found.decoded, found.looked_at, found.damaged_names) == (False, 80, ("bee/000.png",))
    assert sum(split.images for split in found.splits) == 80 == sum(split.images for split in decoded.splits) + 1
    assert [one.label for one in pictures] == ["bee", "emu"]
    assert all(one.pixels.shape == (16, 16, 3) for one in pictures)
    assert glance(_config())[1] == ()


def test_grey_pictures_have_no_colours(root):
    _fill(root / "pets", {"cat": 6, "dog": 6})
    for path in (root / "pets").rglob("*.png"):
        Image.open(path).convert("L").save(path)
    found, pictures = glance(_config(), 9)
    assert found.shape == "grey, 16 x 16 pixels"
    assert [one.pixels.shape for one in pictures] == [(16, 16)] * 2


def test_images_that_are_in_train_and_test_are_counted(root):
    _fill(root / "pets" / "train", {"cat": 30, "dog": 30})
    _fill(root / "pets" / "test", {"cat": 20, "dog": 20}, seed=1)
    assert not any("pixel for pixel" in said for said in look(_config()).warnings)
    for number in (1, 2, 3):
        image = Image.open(root / "pets" / "train" / "cat" / f"{number:03}.png")
        image.save(root / "pets" / "test" / "dog" / f"{number:03}.png", compress_level=0)  # other bytes, the same pixels
    found = look(_config(train_images=None))
    in_training = {1, 2, 3} - {  # some of them may have been drawn for val
        int(path.stem) for path in report.listed(_config(), np.random.default_rng(0)).val.paths if path.parent.name == "cat"
    }
    assert f"{len(in_training)} of the 40 images of test are also among the training images, pixel for pixel" in found.warnings


def test_what_is_odd_is_said(root):
    _fill(root / "pets", {"cat": 300, "dog": 12}, size=(200, 150))
    said = look(_config()).warnings
    told = "'cat' has 210 training images, 'dog' 9; accuracy mostly tells how the large classes do"
    assert f"the classes are unbalanced: {told}" in said
    assert "1 of 2 classes have fewer than 20 training images: 'dog'" in said
    assert "the images are about 150 pixels a side and are scaled down to 32: image_size may be up to 512" in said
    assert len(said) == 3
    said = look(_config(train_images=100, image_size=128)).warnings
    assert any("left out: at most 100 (train_images) are trained on" in one for one in said)


def test_small_images_that_are_blown_up(root):
    _fill(root / "pets", {"cat": 30, "dog": 30}, size=(8, 8))
    (said,) = glance(_config(image_size=64))[0].warnings
    assert said.startswith("the images are about 8 pixels a side and are blown up to 64")


def test_the_usual_sets_are_reported_too():
    found = look(DataConfig(name="digits"))
    assert [split.images for split in found.splits] == [1200, 200, 397]
    assert sum(found.found) == 1797
    assert (found.damaged, found.warnings, found.shape) == (0, (), "grey, 8 x 8 pixels")


def test_it_survives_json(root):
    _fill(root / "pets", {"cat": 10, "dog": 10})
    found = look(_config())
    record = json.loads(json.dumps(found.record()))
    assert record["splits"][0]["images"] == found.splits[0].images
    assert Report.of_record(record) == found


def test_what_a_race_refuses_is_refused(root):
    _fill(root / "pets", {"cat": 10})
    for kind in (look, glance):
        with pytest.raises(DataError, match="one class"):
            kind(_config())


def test_no_torch_is_needed(root):
    _fill(root / "pets", {"cat": 10, "dog": 10})
    code = (
        "import sys; from catalyst_core.config import DataConfig; from catalyst_core.data.report import look, glance; "
        "config = DataConfig(name='folder', folder='pets'); look(config); glance(config, 3); "
        "print([name for name in ('torch', 'torchvision', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
