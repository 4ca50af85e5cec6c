"""Normalisations by name and by numbers: what they do to images, what fits which, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from catalyst_core.config import DataConfig
from catalyst_core.data import READERS, check_data, load_data
from catalyst_core.data.normalised import Images, constants, normalised, statistics
from catalyst_core.data.sampling import Labelled, Raw
from catalyst_core.errors import DataError
from catalyst_core.normalisations import NORMALISATIONS, misfit, normalisation

means = st.floats(0, 1)
deviations = st.floats(0.001, 1)


def _raw(channels=3, white=255, seed=0):
    pixels = np.random.default_rng(seed).integers(0, white + 1, (12, channels, 5, 5), dtype=np.uint8)
    one = Labelled(pixels, np.zeros(12, np.int64))
    return Raw(one, one, one, ("a",), white=white)


@given(numbers=st.lists(st.tuples(means, deviations), min_size=3, max_size=3), white=st.sampled_from([16, 255]))
def test_images_are_pixels_of_0_to_1_less_the_mean_over_the_deviation(numbers, white):
    mean, std = zip(*numbers, strict=True)
    raw = _raw(white=white)
    text = "/".join(",".join(map(repr, side)) for side in (mean, std))
    found = normalised(raw.train.x, *constants(raw, text))
    column = (1, 3, 1, 1)
    wanted = (raw.train.x / white - np.reshape(mean, column)) / np.reshape(std, column)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-4 / min(std))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["half", "unit"])
def test_one_number_is_for_every_channel_alike(name, channels):
    raw = _raw(channels)
    low, high = {"half": (-1.0, 1.0), "unit": (0.0, 1.0)}[name]
    mean, std = constants(raw, name)
    assert mean.shape == std.shape == (1, channels, 1, 1)
    black, white = (np.full((1, channels, 2, 2), level, np.uint8) for level in (0, 255))
    assert Images(black, mean, std)[:].eq(low).all()
    assert Images(white, mean, std)[:].eq(high).all()


def test_imagenet_is_what_torchvision_documents():
    from torchvision.models import ResNet18_Weights

    preset = ResNet18_Weights.DEFAULT.transforms()
    assert NORMALISATIONS["imagenet"].mean == tuple(preset.mean)
    assert NORMALISATIONS["imagenet"].std == tuple(preset.std)
    raw = _raw()
    pixels = torch.from_numpy(raw.train.x).float() / 255
    wanted = (pixels - torch.tensor(preset.mean).view(3, 1, 1)) / torch.tensor(preset.std).view(3, 1, 1)
    assert torch.allclose(normalised(raw.train.x, *constants(raw, "imagenet")), wanted, atol=1e-5)


def test_without_a_name_it_is_the_training_images_own():
    raw = _raw()
    for found, wanted in zip(constants(raw, None), statistics(raw.train.x), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_white_of_digits_is_16_and_theirs_become_0_to_1():
    raw = READERS["digits"](DataConfig(), np.random.default_rng(0))
    assert (raw.white, raw.train.x.max()) == (16, 16)
    splits = load_data(DataConfig(normalisation="unit"))
    assert (splits.train_x.min(), splits.train_x.max()) == (0, 1)
    assert splits.test_x.equal(torch.from_numpy(raw.test.x / np.float32(16)))


def test_three_numbers_do_not_fit_grey_images():
    assert misfit("imagenet", 3) == misfit("half", 1) == misfit("0.4/0.2", 1) == ""
    said = "'imagenet' is for red, green and blue, these images are grey: give one mean and one deviation, such as 0.449/0.226"
    assert misfit("imagenet", 1) == said
    with pytest.raises(DataError, match=r"^normalisation 'imagenet' is for red, green and blue"):
        constants(_raw(1), "imagenet")


def test_a_folder_of_grey_images_is_refused_before_a_race_and_by_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path))
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(np.full((9, 9), 20 * number, np.uint8)).save(tmp_path / "pets" / name / f"{number}.png")
    config = DataConfig(name="folder", folder="pets", normalisation="imagenet")
    for refused in (check_data, load_data):
        with pytest.raises(DataError, match="these images are grey"):
            refused(config)
    splits = load_data(config.model_copy(update={"normalisation": "half"}))
    assert splits.train_x.min() == -1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "one of imagenet, half, unit, or mean/std such as"),
        ("ImageNet", "is wanted, not 'ImageNet'"),
        ("0.5", "is wanted, not '0.5'"),
        ("0.5/0", "a deviation is a number from 0.001 to 1, of pixels scaled to 0..1, not '0'"),
        ("0.5/-0.2", "a deviation is a number"),
        ("123.7/58.4", "a mean is a number from 0 to 1, of pixels scaled to 0..1, not '123.7'"),
        ("nan/0.2", "a mean is a number"),
        ("0.5/inf", "a deviation is a number"),
        ("0.5,x,0.5/1,1,1", "a mean is a number"),
        ("0.5/0.2/0.1", "a deviation is a number"),
        ("/", "a mean is a number"),
        ("0.5,0.5/0.2,0.2", "1 mean and 1 deviation, or 3 of each, are wanted, not 2 and 2"),
        ("0.5,0.5,0.5/0.2", "not 3 and 1"),
    ],
)
def test_what_is_no_normalisation_is_one_sentence(text, said):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        normalisation(text)
    assert said in str(caught.value)
