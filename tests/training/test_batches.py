"""Batches: the same for everybody, and augmentation that can be followed by hand."""

import hashlib

import numpy as np
import pytest
import torch

from catalyst_core.config import AUGMENTATIONS
from catalyst_core.data import Splits, normalised
from catalyst_core.data.normalised import statistics
from catalyst_core.training.batches import CHANGES, Batches, erase, relight, shift_and_flip
from tests.training.lives import Lives, moments, same_weights, told
from tests.training.tiny import contender


def _splits(images: int = 10, channels: int = 1) -> Splits:
    x = torch.arange(images, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, channels, 8, 8).contiguous()
    y = torch.arange(images)
    return Splits(x, y, x, y, x, y, tuple("ab"), channels, 8)


def test_every_image_is_seen_once_an_epoch_and_the_incomplete_batch_is_left_out():
    batches = Batches(_splits(10), 3, seed=0)
    assert batches.per_epoch == 3
    seen = torch.cat([batches.at(step)[1] for step in range(3)])
    assert len(seen.unique()) == 9


def test_batches_depend_on_the_seed_and_the_step_alone():
    one, other = Batches(_splits(channels=3), 4, seed=7), Batches(_splits(channels=3), 4, seed=7)
    for step in (5, 0, 3, 1):  # in any order, as a contender that loads its dense network starts in the middle
        assert one.at(step)[0].equal(other.at(step)[0])
    other.at(9)
    assert one.at(2)[0].equal(other.at(2)[0])


def test_epochs_and_seeds_differ():
    batches = Batches(_splits(), 10, seed=0)
    assert not batches.at(0)[1].equal(batches.at(1)[1])
    assert not batches.at(0)[1].equal(Batches(_splits(), 10, seed=1).at(0)[1])


def test_labels_stay_with_their_images():
    x, y = Batches(_splits(), 10, seed=0).at(0)
    assert x[:, 0, 0, 0].equal(y.float())


def test_fewer_images_than_a_batch_make_one_batch():
    assert Batches(_splits(10), 64, seed=0).per_epoch == 1


def test_only_colour_images_are_augmented_unless_told_otherwise():
    assert Batches(_splits(channels=1), 10, seed=0).at(0)[0].flatten(1).std(1).max() == 0
    assert Batches(_splits(channels=3), 10, seed=0).at(0)[0].flatten(1).std(1).max() > 0
    assert Batches(_splits(channels=1), 10, seed=0, augment=True).at(0)[0].flatten(1).std(1).max() > 0
    assert Batches(_splits(channels=3), 10, seed=0, augment=False).at(0)[0].flatten(1).std(1).max() == 0


def test_shifting_and_flipping_agree_with_slicing_one_image_at_a_time():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 3, 9, 9, generator=generator)
    shifts = torch.randint(0, 5, (6, 2), generator=generator)
    flips = torch.tensor([True, False, True, True, False, False])
    expected = []
    for image, (down, right), flip in zip(x, shifts.tolist(), flips.tolist(), strict=True):
        window = torch.nn.functional.pad(image, (2, 2, 2, 2))[:, down : down + 9, right : right + 9]
        expected.append(window.flip(2) if flip else window)
    assert shift_and_flip(x, 2, shifts, flips).equal(torch.stack(expected))


def test_the_middle_window_without_a_flip_is_the_image():
    x = torch.randn(2, 1, 8, 8)
    assert shift_and_flip(x, 1, torch.ones(2, 2, dtype=torch.int64), torch.zeros(2, dtype=torch.bool)).equal(x)


# Of races that were stored before there were presets; made at commit 703377e.
DIGESTS = {None: "a8424ff27dfa69b6", True: "a8424ff27dfa69b6", False: "14bf67fd878e8f02"}


@pytest.mark.parametrize("augment", DIGESTS)
def test_batches_of_old_races_are_what_they_were(augment):
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (20, 3, 16, 16)).astype(np.float32))
    y = torch.arange(20)
    batches, digest = Batches(Splits(x, y, x, y, x, y, tuple("ab"), 3, 16), 6, 5, augment), hashlib.blake2b(digest_size=8)
    for step in (7, 0, 1, 2, 3):
        for part in batches.at(step):
            digest.update(part.numpy().tobytes())
    assert digest.hexdigest() == DIGESTS[augment]


def test_every_preset_has_changes_and_no_other():
    assert set(CHANGES) == set(AUGMENTATIONS.values())


def test_presets_differ_but_give_the_same_images_in_the_same_order():
    labels, seen = [], []
    for kept in CHANGES:
        x, y = Batches(_gradients(), 10, seed=3, augment=kept).at(2)
        labels.append(y)
        seen.append(x)
    assert all(one.equal(labels[0]) for one in labels)
    assert all(not one.equal(other) for place, one in enumerate(seen) for other in seen[:place])


def test_shift_shifts_as_shift_and_flip_does_and_flips_nothing():
    splits = _gradients()
    shifted, both = (Batches(splits, 10, seed=3, augment=kept).at(0)[0] for kept in ("shift", True))
    plain = torch.tensor([one.equal(other) for one, other in zip(shifted, both, strict=True)])
    mirrored = torch.tensor([one.equal(other.flip(2)) for one, other in zip(shifted, both, strict=True)])
    assert 0 < int(plain.sum()) < 10
    assert plain.logical_xor(mirrored).all()


def test_strong_is_made_of_its_parts_and_depends_on_seed_and_step_alone():
    splits = _gradients()
    one, other = Batches(splits, 5, seed=3, augment="strong"), Batches(splits, 5, seed=3, augment="strong")
    other.at(4)
    x, _ = one.at(1)
    assert x.equal(other.at(1)[0])
    drawn = {name: values[5:10] for name, values in one._drawn.items()}
    shifted, _ = Batches(splits, 5, seed=3, augment=True).at(1)
    assert erase(relight(shifted, drawn["gains"], drawn["biases"]), drawn["boxes"]).equal(x)


def test_strong_draws_within_its_bounds_and_erases_half_of_the_images():
    x = torch.zeros(4000, 1, 16, 16)
    y = torch.zeros(4000, dtype=torch.int64)
    batches = Batches(Splits(x, y, x, y, x, y, tuple("ab"), 1, 16), 4000, 0, "strong")
    batches.at(0)
    gains, biases, boxes = (batches._drawn[name] for name in ("gains", "biases", "boxes"))
    assert 0.6 <= float(gains.min()) < 0.61 < 1.39 < float(gains.max()) <= 1.4
    assert -0.4 <= float(biases.min()) < -0.39 < 0.39 < float(biases.max()) <= 0.4
    erased = boxes[boxes[:, 2] > 0]
    assert abs(len(erased) / 4000 - 0.5) < 0.04  # five standard deviations
    assert set(erased[:, 2:].unique().tolist()) == set(range(2, 9))
    assert int((boxes[:, :2] + boxes[:, 2:]).max()) == 16
    assert int(boxes[:, :2].min()) == 0
    assert ((boxes[:, 2] > 0) == (boxes[:, 3] > 0)).all()


def test_relighting_and_erasing_agree_with_one_image_at_a_time():
    x = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    gains, biases = torch.tensor([1.0, 0.5, 2.0]), torch.tensor([0.0, 0.25, -1.0])
    boxes = torch.tensor([[0, 0, 0, 0], [1, 2, 3, 4], [4, 0, 2, 1]])
    lit = relight(x, gains, biases)
    assert lit.equal(torch.stack([image * gain + bias for image, gain, bias in zip(x, gains, biases, strict=True)]))
    expected = x.clone()
    expected[1, :, 1:4, 2:6] = 0
    expected[2, :, 4:6, 0:1] = 0
    assert erase(x, boxes).equal(expected)


def test_images_kept_as_bytes_give_the_same_batches_bit_for_bit(monkeypatch):
    pixels = np.random.default_rng(1).integers(0, 256, (40, 3, 12, 12), dtype=np.uint8)
    y = torch.arange(40)
    made = []
    for large in (2**28, 0):
        monkeypatch.setattr(normalised, "LARGE", large)
        x = normalised.normalised(pixels, *statistics(pixels))
        splits = Splits(x, y, x, y, x, y, tuple("ab"), 3, 12)
        made.append([Batches(splits, 7, 2, kept).at(step)[0] for kept in CHANGES for step in (0, 3, 8)])
    assert all(one.equal(other) for one, other in zip(*made, strict=True))


@pytest.mark.parametrize("augment", ["shift", "strong"])
def test_a_race_with_a_preset_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(tmp_path, augment):
    config = _augmented(contender("group_lasso", sparse_epochs=2), augment)
    plain = Lives(tmp_path / "plain", config)
    plain.run()
    killed = Lives(tmp_path / "killed", config, moments(1, count=4, most=18))
    killed.run()
    assert told(killed.stored) == told(plain.stored)
    assert same_weights(tmp_path / "plain", tmp_path / "killed")


def test_a_race_on_images_kept_as_bytes_is_the_same_race(tmp_path, monkeypatch):
    config = _augmented(contender("l1", sparse_epochs=2), True)
    plain = Lives(tmp_path / "plain", config).run()
    monkeypatch.setattr(normalised, "LARGE", 0)
    assert told(Lives(tmp_path / "bytes", config).run()) == told(plain)
    assert same_weights(tmp_path / "plain", tmp_path / "bytes")


def _augmented(config, augment):
    return config.model_copy(update={"data": config.data.model_copy(update={"augment": augment})})


def _gradients(images: int = 10) -> Splits:
    """Images without any symmetry, so that every change shows."""
    x = torch.from_numpy(np.random.default_rng(4).normal(size=(images, 3, 16, 16)).astype(np.float32))
    y = torch.arange(images)
    return Splits(x, y, x, y, x, y, tuple("ab"), 3, 16)
