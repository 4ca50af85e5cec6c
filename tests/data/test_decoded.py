"""Images that were decoded once: what is kept is what decoding gives, and goes where it has to."""

import os

import numpy as np
import pytest
from PIL import Image

from catalyst_core.config import DataConfig
from catalyst_core.data import decoded as cache
from catalyst_core.data import load_data


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Six images, the fourth damaged, in a cache that finds six worth the while."""
    monkeypatch.setattr(cache, "WORTHWHILE", 1)
    generator = np.random.default_rng(0)
    made = [tmp_path / f"{number}.png" for number in range(6)]
    for path in made:
        Image.fromarray(generator.integers(0, 256, (9, 12, 3)).astype(np.uint8)).save(path)
    made[3].write_bytes(b"no image")
    return made


@pytest.fixture
def reads(monkeypatch):
    """The files that were decoded."""
    seen, real = [], cache.read_image
    monkeypatch.setattr(cache, "read_image", lambda path, *more: seen.append(path) or real(path, *more))
    return seen


def _kept(home):
    return sorted((home / "cache" / "images").glob("*.npz"))


def test_what_is_kept_is_what_decoding_gives(paths, reads):
    first = cache.decoded(paths, 3, 8)
    assert reads == paths
    again = cache.decoded(paths, 3, 8)
    assert reads == paths, "the second time nothing is decoded"
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert first[0].shape == (5, 3, 8, 8)
    assert first[1].tolist() == [True, True, True, False, True, True]


def test_another_size_other_channels_and_other_files_are_decoded_anew(paths, reads, catalyst_home):
    cache.decoded(paths, 3, 8)
    cache.decoded(paths, 1, 8)
    cache.decoded(paths, 3, 9)
    cache.decoded(paths[:5], 3, 8)
    cache.decoded(paths[::-1], 3, 8)
    assert len(reads) == 6 * 3 + 5 + 6
    assert len(_kept(catalyst_home)) == 5


def test_a_file_that_changed_is_decoded_anew(paths):
    before, _ = cache.decoded(paths, 3, 8)
    Image.new("RGB", (9, 12), (1, 2, 3)).save(paths[0])
    after, _ = cache.decoded(paths, 3, 8)
    assert after[0, :, 0, 0].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(before[1:], after[1:])


def test_a_file_that_is_mended_is_read(paths):
    cache.decoded(paths, 3, 8)
    Image.new("RGB", (9, 12)).save(paths[3])
    assert cache.decoded(paths, 3, 8)[1].all()


@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(b"PK"), lambda file: os.truncate(file, 700)])
def test_a_spoiled_copy_is_written_anew(paths, spoil, catalyst_home):
    first, _ = cache.decoded(paths, 3, 8)
    (kept,) = _kept(catalyst_home)
    spoil(kept)
    np.testing.assert_array_equal(first, cache.decoded(paths, 3, 8)[0])
    assert cache._load(kept) is not None


def test_a_home_that_cannot_be_written_costs_nothing_but_time(paths, catalyst_home):
    catalyst_home.mkdir()
    (catalyst_home / "cache").write_text("in the way")
    assert len(cache.decoded(paths, 3, 8)[0]) == 5
    assert len(cache.decoded(paths, 3, 8)[0]) == 5


def test_what_was_used_longest_ago_goes_first(paths, catalyst_home, monkeypatch):
    sizes = (8, 9, 10)
    for size in sizes:
        cache.decoded(paths, 3, size)
    kept = _kept(catalyst_home)
    for age, path in enumerate(kept):
        os.utime(path, (1000 + age, 1000 + age))
    monkeypatch.setattr(cache, "SHARE", 1.0)
    monkeypatch.setattr(cache, "MOST_BYTES", 2 * max(path.stat().st_size for path in kept) + 100)
    cache._tidy(kept[0].parent)
    assert _kept(catalyst_home) == kept[1:]


def test_a_set_that_would_fill_it_is_not_kept(paths, catalyst_home, monkeypatch):
    monkeypatch.setattr(cache, "MOST_BYTES", 1000)
    assert len(cache.decoded(paths, 3, 8)[0]) == 5
    assert _kept(catalyst_home) == []


def test_a_folder_gives_the_same_splits_from_its_copy(tmp_path, monkeypatch, catalyst_home):
    monkeypatch.setattr(cache, "WORTHWHILE", 1)
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path))
    generator = np.random.default_rng(1)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(20):
            image = Image.fromarray(generator.integers(0, 256, (16, 16)).astype(np.uint8))
            image.save(tmp_path / "pets" / name / f"{number:02}.png")
    config = DataConfig(name="folder", folder="pets")
    fresh, kept = load_data(config), load_data(config)
    assert len(_kept(catalyst_home)) == 3
    for part in ("train_x", "train_y", "val_x", "val_y", "test_x", "test_y"):
        assert getattr(fresh, part).equal(getattr(kept, part))
