"""Image folders: what is read, and one sentence for each thing that is wrong."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from catalyst_core.config import DataConfig
from catalyst_core.data import Images, check_data, folder, load_data, normalised
from catalyst_core.data.listing import layout
from catalyst_core.errors import DataError


def _fill(place, classes=("cat", "dog"), count=20, mode="RGB", size=(20, 16)) -> None:
    generator = np.random.default_rng(0)
    for name in classes:
        (place / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            array = generator.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
            Image.fromarray(array).convert(mode).save(place / name / f"{number:03}.png")


def _config(**fields) -> DataConfig:
    return DataConfig(name="folder", **{"folder": "pets", **fields})


def _refusal(**fields) -> str:
    with pytest.raises(DataError) as caught:
        check_data(_config(**fields))
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError):
        load_data(_config(**fields))
    return str(caught.value)


def test_one_subfolder_a_class_is_split_70_10_20(root):
    _fill(root / "pets", count=50)
    check_data(_config())
    splits = load_data(_config())
    assert [len(labels) for labels in (splits.train_y, splits.val_y, splits.test_y)] == [70, 10, 20]
    assert splits.train_y.bincount().tolist() == [35, 35]
    assert (splits.classes, splits.channels, splits.size) == (("cat", "dog"), 3, 16)


def test_train_val_and_test_are_taken_as_they_are(root):
    for part, count in (("train", 12), ("val", 6), ("test", 5)):
        _fill(root / "pets" / part, count=count)
    splits = load_data(_config())
    assert [len(labels) for labels in (splits.train_y, splits.val_y, splits.test_y)] == [24, 12, 10]


def test_val_alone_is_the_test_set(root):
    _fill(root / "pets" / "train", count=20)
    _fill(root / "pets" / "val", count=6)
    splits = load_data(_config())
    assert [len(labels) for labels in (splits.train_y, splits.val_y, splits.test_y)] == [36, 4, 12]


def test_grey_images_have_one_channel_and_the_size_can_be_chosen(root):
    _fill(root / "pets", mode="L")
    splits = load_data(_config(image_size=12))
    assert splits.train_x.shape[1:] == (1, 12, 12)


def test_sixteen_bit_images_keep_their_range(root):
    for name in ("cat", "dog"):
        (root / "pets" / name).mkdir(parents=True)
        for number in range(10):
            array = np.linspace(0, 65535, 64 * (number + 1)).reshape(8, -1).astype(np.uint16)
            Image.fromarray(array).save(root / "pets" / name / f"{number}.png")
    splits = load_data(_config())
    assert len(splits.train_x.unique()) > 20


def test_the_cap_is_stratified(root):
    _fill(root / "pets", count=100)
    assert load_data(_config(train_images=100)).train_y.bincount().tolist() == [50, 50]


def test_damaged_images_are_skipped_counted_and_named(root):
    _fill(root / "pets", count=20)
    (root / "pets" / "cat" / "000.png").write_bytes(b"not an image")
    whole = (root / "pets" / "dog" / "001.png").read_bytes()
    (root / "pets" / "dog" / "001.png").write_bytes(whole[: len(whole) // 2])
    check_data(_config())
    splits = load_data(_config())
    assert sum(len(labels) for labels in (splits.train_y, splits.val_y, splits.test_y)) == 38
    assert splits.notes[0].startswith("2 of the images cannot be read")
    assert "cat/000.png" in splits.notes[0]


def test_a_missing_folder_is_named(root):
    assert "no folder 'pets'" in _refusal()


def test_an_empty_folder(root):
    (root / "pets").mkdir()
    assert "no images" in _refusal()


def test_subfolders_without_images(root):
    (root / "pets" / "cat").mkdir(parents=True)
    (root / "pets" / "dog").mkdir()
    assert "no images" in _refusal()


def test_one_class(root):
    _fill(root / "pets", classes=("cat",))
    assert "one class" in _refusal()


def test_a_class_with_too_few_images(root):
    _fill(root / "pets")
    _fill(root / "pets", classes=("emu",), count=2)
    assert "class 'emu'" in _refusal()


def test_a_class_of_unreadable_images(root):
    _fill(root / "pets")
    for path in (root / "pets" / "dog").iterdir():
        path.write_text("no image")
    said = _refusal()
    assert "class 'dog'" in said
    assert said.endswith("dog/000.png, dog/001.png, dog/002.png, ...")


def test_an_image_of_more_than_fifty_megapixels(root):
    _fill(root / "pets")
    Image.new("1", (10_000, 5_001)).save(root / "pets" / "cat" / "poster.png")
    assert "poster.png is larger than 50 megapixels" in _refusal()


def test_a_decompression_bomb(root):
    _fill(root / "pets")
    Image.new("1", (20_000, 10_000)).save(root / "pets" / "cat" / "bomb.png")
    assert "bomb.png is larger than 50 megapixels" in _refusal()


@pytest.mark.parametrize("name", ["../outside", "/etc", "link"])
def test_paths_out_of_the_data_root(root, tmp_path, name):
    _fill(tmp_path / "outside")
    os.symlink(tmp_path / "outside", root / "link")
    assert "leads out of the data root" in _refusal(folder=name)


def test_links_inside_the_folder_are_confined_too(root, tmp_path):
    _fill(tmp_path / "outside", classes=("dog",))
    _fill(root / "pets", classes=("cat",))
    os.symlink(tmp_path / "outside" / "dog", root / "pets" / "dog")
    assert "leads out of the data root" in _refusal()
    (root / "pets" / "dog").unlink()
    _fill(root / "pets", classes=("dog",))
    os.symlink(tmp_path / "outside" / "dog" / "000.png", root / "pets" / "dog" / "link.png")
    assert "leads out of the data root" in _refusal()


def test_links_within_the_data_root_are_followed(root):
    _fill(root / "elsewhere")
    os.symlink(root / "elsewhere", root / "pets")
    check_data(_config())


@pytest.mark.parametrize("name", ["pets\0", "loop"])
def test_paths_that_cannot_be_followed(root, name):
    os.symlink(root / "loop", root / "loop")
    assert "pets" in _refusal(folder=name) or "loop" in _refusal(folder=name)


def test_classes_of_the_test_set_that_were_never_trained(root):
    _fill(root / "pets" / "train")
    _fill(root / "pets" / "test", classes=("cat", "dog", "emu"))
    assert "class 'emu'" in _refusal()


def test_classes_missing_in_the_test_set(root):
    _fill(root / "pets" / "train", classes=("cat", "dog", "emu"))
    _fill(root / "pets" / "test")
    assert "no images of class 'emu'" in _refusal()


def test_fewer_training_images_than_classes(root):
    _fill(root / "pets", classes=[f"c{number}" for number in range(101)], count=5, size=(8, 8))
    assert "too few for 101 classes" in _refusal(train_images=100)


def test_images_that_do_not_fit_into_the_memory(root, monkeypatch):
    _fill(root / "pets")
    monkeypatch.setattr(folder.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    assert "more than half of the free memory" in _refusal()


def test_a_preflight_counts_the_images_that_a_race_takes(root, monkeypatch):
    _fill(root / "pets", count=60)
    one = 8 * 8 * 3 * 5  # bytes: what is read, and the floats
    monkeypatch.setattr(folder.psutil, "virtual_memory", lambda: SimpleNamespace(available=2 * one * 120))
    check_data(_config(image_size=8))
    monkeypatch.setattr(folder.psutil, "virtual_memory", lambda: SimpleNamespace(available=2 * one * 119))
    assert "120 images of 8 x 8 pixels" in _refusal(image_size=8)
    monkeypatch.setattr(folder, "DATASETS", {"folder": SimpleNamespace(images=40)})
    check_data(_config(image_size=8))


def test_files_are_listed_as_a_walk_by_name_lists_them(root):
    _fill(root / "pets", count=7)
    for place in ("cat/b", "cat/a/deep", "cat/.hidden"):
        _fill(root / "pets" / place, classes=("more",), count=2)
    (root / "pets" / "cat" / ".000.png").write_bytes(b"")
    (root / "pets" / "cat" / "notes.txt").write_bytes(b"")
    (root / "pets" / "cat" / "999.JPG").write_bytes((root / "pets" / "cat" / "000.png").read_bytes())
    walked = []
    for place, folders, names in os.walk(root / "pets" / "cat"):
        folders.sort()
        walked += [os.path.join(place, name) for name in sorted(names) if not name.startswith(".") and name != "notes.txt"]
    found = layout("pets")
    assert [str(path) for path in found.train.paths[: len(walked)]] == walked
    assert found.train.labels.tolist() == [0] * len(walked) + [1] * 7
    assert found.counts.tolist() == [len(walked), 7]


def test_a_pipe_among_the_images(root):
    _fill(root / "pets")
    os.mkfifo(root / "pets" / "cat" / "pipe.png")
    assert "'cat/pipe.png' is a pipe" in _refusal()


def test_a_file_deep_down_is_named_with_its_whole_way(root):
    _fill(root / "pets")
    (root / "pets" / "cat" / "young").mkdir()
    os.mkfifo(root / "pets" / "cat" / "young" / "pipe.png")
    assert "'cat/young/pipe.png' is a pipe" in _refusal()


def test_small_classes_beside_large_ones_are_looked_at(root, monkeypatch):
    monkeypatch.setattr(folder, "INSPECTED", 10)
    _fill(root / "pets", count=100)
    _fill(root / "pets", classes=("bee",), count=5)
    (root / "pets" / "bee" / "000.png").write_bytes(b"not an image")
    check_data(_config())  # none of its images is in the sample, which has every twentieth
    for path in (root / "pets" / "bee").iterdir():
        path.write_bytes(b"not an image")
    assert "class 'bee'" in _refusal()


def test_a_thousand_classes(root):
    tile = np.zeros((8, 8), np.uint8)
    for label in range(1000):
        place = root / "pets" / f"{label:04}"
        place.mkdir(parents=True)
        for number in range(5):
            tile[0, 0], tile[0, 1], tile[0, 2] = label % 256, label // 256, number
            Image.fromarray(tile).save(place / f"{number}.png")
    check_data(_config())
    splits = load_data(_config(train_images=2000))
    assert len(splits.classes) == 1000
    assert [len(labels) for labels in (splits.train_y, splits.val_y, splits.test_y)] == [2000, 1000, 1000]
    assert all(len(labels.unique()) == 1000 for labels in (splits.train_y, splits.val_y, splits.test_y))


def test_many_images_are_kept_as_bytes_and_give_the_same_numbers(root, monkeypatch):
    _fill(root / "pets", count=60)
    floats = load_data(_config())
    monkeypatch.setattr(normalised, "LARGE", 0)
    kept = load_data(_config())
    for part in ("train_x", "val_x", "test_x"):
        x = getattr(kept, part)
        assert isinstance(x, Images)
        assert x[:].equal(getattr(floats, part))
