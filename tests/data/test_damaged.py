"""Damaged images in small classes: good ones of the class take their place, and everything else stays where it was drawn."""

import numpy as np
import pytest
from PIL import Image

from catalyst_core.config import DataConfig
from catalyst_core.data import check_data, decoded, load_data
from catalyst_core.data.folder import as_raced, listed
from catalyst_core.data.reading import read
from catalyst_core.data.report import glance, look
from catalyst_core.errors import DataError

PARTS = ("train", "val", "test")
GOLDEN = [  # of classes of 5, 12 and 17 images
    [1, 3, 4, 0, 3, 4, 5, 6, 7, 8, 9, 11, 0, 1, 3, 6, 7, 8, 10, 11, 12, 13, 14, 16],
    [0, 1, 9],
    [2, 2, 10, 2, 4, 5, 15],
]


def _fill(place, counts) -> None:
    """Each image has one level of grey, another one in each class and file."""
    for label, (name, count) in enumerate(counts.items()):
        (place / name).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (8, 8), 40 * label + number).save(place / name / f"{number:02}.png")


def _config(**fields) -> DataConfig:
    return DataConfig(name="folder", folder="pets", **fields)


def _listed(**fields):
    return listed(as_raced(_config(**fields)), np.random.default_rng(0))


def _drawn(split, name, **fields):
    """The images of one class in one split, as they were drawn."""
    return [path for path in getattr(_listed(**fields), split).paths if path.parent.name == name]


def _truncate(paths) -> None:
    """What is in front says that all is well."""
    for path in paths:
        path.write_bytes(path.read_bytes()[:44])


def _levels(part):
    return sorted(part.x[:, 0, 0, 0].tolist())


def test_folders_without_damage_are_split_as_they_always_were(root):
    """The numbers were made at commit 1ccbc89."""
    _fill(root / "pets", {"bee": 5, "cat": 12, "dog": 17})
    parts = [[int(path.stem) for path in files.paths] for files in _listed().parts]
    assert parts == GOLDEN
    assert [len(part.y) for part in read(_listed()).parts] == [len(part) for part in parts]


def test_one_damaged_image_in_each_of_many_classes(root):
    _fill(root / "pets", {f"k{number:02}": 12 for number in range(6)})
    _truncate((root / "pets").glob("*/00.png"))
    check_data(_config())
    splits = load_data(_config())
    for labels in (splits.train_y, splits.val_y, splits.test_y):
        assert labels.unique().tolist() == list(range(6))
    assert sum(len(labels) for labels in (splits.train_y, splits.val_y, splits.test_y)) == 6 * 11
    assert splits.notes == ("6 of the images cannot be read and were skipped: k00/00.png, k01/00.png, k02/00.png, ...",)
    found = look(_config())
    assert found.damage == ("6 of 72 images that were decoded: k00/00.png, k01/00.png, k02/00.png, k03/00.png, k04/00.png, ...")
    assert sum(split.images for split in found.splits) == 66
    assert not any("left out" in said for said in found.warnings)
    assert glance(_config())[0].damage == "none in 72 images whose headers were read"


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_training_image_takes_the_place_and_all_others_stay(root, split):
    _fill(root / "pets", {"bee": 20, "cat": 12})
    before = dict(zip(PARTS, read(_listed()).parts, strict=True))
    damaged = _drawn(split, "cat")
    first = _drawn("train", "cat")[0]
    _truncate(damaged)
    after = read(_listed())
    levels = dict(zip(PARTS, map(_levels, after.parts), strict=True))
    lost, moved = {40 + int(path.stem) for path in damaged}, 40 + int(first.stem)
    assert levels[split] == sorted(set(_levels(before[split])) - lost | {moved})
    assert levels["train"] == sorted(set(_levels(before["train"])) - {moved})
    other = "test" if split == "val" else "val"
    assert levels[other] == _levels(before[other])
    assert (after.damaged, after.looked_at) == (tuple(damaged), 32)


def test_what_takes_the_place_does_not_depend_on_what_is_trained_on(root):
    _fill(root / "pets", {"bee": 160, "cat": 12})
    _truncate([*_drawn("test", "cat"), _drawn("train", "cat")[0]])
    few, all_of_them = (read(_listed(train_images=count)) for count in (100, 1000))
    for one, other in zip(few.parts[1:], all_of_them.parts[1:], strict=True):
        np.testing.assert_array_equal(one.x, other.x)
    assert len(few.parts[0].y) <= 100 < len(all_of_them.parts[0].y)


def test_an_image_that_was_not_drawn_is_trained_on_instead(root):
    _fill(root / "pets", {"bee": 200, "cat": 9})
    drawn = _drawn("train", "cat", train_images=100)
    assert 0 < len(drawn) < 6
    _truncate(drawn)
    found = read(_listed(train_images=100))
    assert np.bincount(found.parts[0].y).tolist()[1] == 1
    report = look(_config(train_images=100))
    assert report.damaged == len(drawn)
    assert f"{209 - report.looked_at:,} of the 209 images are left out" in " ".join(report.warnings)


def test_a_test_folder_takes_from_nowhere_else(root):
    _fill(root / "pets" / "train", {"bee": 20, "cat": 12})
    _fill(root / "pets" / "test", {"bee": 6, "cat": 5})
    _truncate((root / "pets" / "test" / "cat").iterdir())
    check_data(_config())
    with pytest.raises(
        DataError, match=r"^too few images of class 'cat' can be read, test is left without one: test/cat/00\.png, "
    ):
        load_data(_config())
    for path in (root / "pets" / "test" / "cat").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"^none of the images of class 'cat' in test/ can be read, and every split needs one"):
        check_data(_config())


@pytest.mark.parametrize("good", [2, 3])
def test_three_images_that_can_be_read_are_enough(root, good):
    _fill(root / "pets", {"bee": 20, "cat": 5})
    cats = [*_drawn("test", "cat"), *_drawn("val", "cat"), *_drawn("train", "cat")]
    _truncate(cats[: 5 - good])
    check_data(_config())
    if good == 3:
        assert [np.bincount(part.y)[1] for part in read(_listed()).parts] == [1, 1, 1]
        return
    with pytest.raises(DataError, match=r"^too few images of class 'cat' can be read, train is left without one: cat/") as caught:
        load_data(_config())
    assert "\n" not in str(caught.value)


def test_headers_that_say_so_are_enough_for_a_preflight(root):
    _fill(root / "pets", {"bee": 20, "cat": 8})
    for path in sorted((root / "pets" / "cat").iterdir())[2:]:
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"^2 of the 8 images of class 'cat' can be read, and every split needs one of its own: "):
        check_data(_config())


def test_the_same_images_come_from_the_copy_that_is_kept(root, monkeypatch, catalyst_home):
    monkeypatch.setattr(decoded, "WORTHWHILE", 1)
    _fill(root / "pets", {"bee": 20, "cat": 12})
    _truncate(_drawn("test", "cat"))
    fresh, kept = load_data(_config()), load_data(_config())
    assert len(list((catalyst_home / "cache" / "images").glob("*.npz"))) == 3
    for part in ("train_x", "train_y", "val_x", "val_y", "test_x", "test_y"):
        assert getattr(fresh, part).equal(getattr(kept, part))
    assert fresh.notes == kept.notes
