"""Batches: the same for everybody, and augmentation that can be followed by hand."""

import torch

from catalyst_core.data import Splits
from catalyst_core.training.batches import Batches, shift_and_flip


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
