"""Images as bytes: the same numbers as floats, for a quarter of the memory."""

import numpy as np
import pytest
import torch

from catalyst_core.config import DataConfig
from catalyst_core.data import READERS, load_data, normalised
from catalyst_core.data.normalised import Images, held_bytes, statistics
from catalyst_core.training.loop import evaluate


def _pixels(count=30, channels=3, size=7):
    return np.random.default_rng(0).integers(0, 256, (count, channels, size, size), dtype=np.uint8)


def test_every_level_becomes_the_same_float_in_a_batch_as_in_the_whole():
    levels = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1).repeat(3, axis=1)
    for seed in range(50):
        generator = np.random.default_rng(seed)
        mean, std = (generator.uniform(0.1, 255, (1, 3, 1, 1)).astype(np.float32) for _ in range(2))
        assert torch.from_numpy((levels - mean) / std).equal(Images(levels, mean, std)[:])


def test_slices_indices_and_parts_are_those_of_the_tensor():
    pixels = _pixels()
    mean, std = statistics(pixels)
    tensor, kept = normalised.normalised(pixels, mean, std), Images(pixels, mean, std)
    assert isinstance(tensor, torch.Tensor)
    assert (len(kept), kept.shape) == (len(tensor), tensor.shape)
    places = torch.tensor([3, 29, 0, 3])
    assert kept[places].equal(tensor[places])
    assert kept[:1].equal(tensor[:1])
    assert all(one.equal(other) for one, other in zip(kept.split(8), tensor.split(8), strict=True))
    np.testing.assert_array_equal(kept.numpy(), pixels)
    kept[:][:] = 0.0
    assert kept[:].equal(tensor), "what is handed out is a copy"


def test_bytes_that_cannot_be_written_are_no_trouble():
    pixels = _pixels()
    pixels.flags.writeable = False
    mean, std = statistics(pixels)
    assert Images(pixels, mean, std)[:].equal(torch.from_numpy((pixels - mean) / std))


def test_scores_are_the_same():
    pixels = _pixels(250)
    mean, std = statistics(pixels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 49, 5))
    y = torch.arange(250) % 5
    assert evaluate(model, Images(pixels, mean, std), y) == evaluate(model, normalised.normalised(pixels, mean, std), y)


def test_which_of_the_two_depends_on_the_size(monkeypatch):
    pixels = _pixels()
    floats = pixels.size * 4
    for large, kind, held in ((floats, torch.Tensor, 5 * pixels.size), (floats - 1, Images, pixels.size)):
        monkeypatch.setattr(normalised, "LARGE", large)
        assert isinstance(normalised.normalised(pixels, *statistics(pixels)), kind)
        assert held_bytes(pixels.size) == held


@pytest.mark.parametrize("counted", [2**22, 60])
def test_means_and_deviations_are_those_of_numpy(counted, monkeypatch):
    monkeypatch.setattr(normalised, "COUNTED", counted)
    generator = np.random.default_rng(3)
    for _ in range(20):
        low, high = sorted(generator.integers(0, 256, 2))
        pixels = generator.integers(low, high + 1, (generator.integers(1, 40), 3, 5, 5)).astype(np.uint8)
        pixels[:, 2] = 7
        _agree(pixels)


def test_means_and_deviations_of_digits_are_those_of_numpy():
    raw = READERS["digits"](DataConfig(name="digits"), np.random.default_rng(0))
    _agree(raw.train.x)
    x = (raw.train.x - raw.train.x.mean(dtype=np.float64).astype(np.float32)) / np.float32(raw.train.x.std(dtype=np.float64))
    assert load_data(DataConfig(name="digits")).train_x.equal(torch.from_numpy(x.astype(np.float32)))


def _agree(pixels):
    mean = pixels.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    std = pixels.std(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    found = statistics(pixels)
    np.testing.assert_array_equal(found[0], mean.astype(np.float32))
    np.testing.assert_array_equal(found[1], np.where(std > 0, std, 1.0).astype(np.float32))
    assert found[0].dtype == found[1].dtype == np.float32
