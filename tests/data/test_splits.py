"""Splits: disjoint, stratified, fixed."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from catalyst_core.catalog import DATASETS
from catalyst_core.config import DataConfig
from catalyst_core.data import CHECKS, READERS, check_data, load_data
from catalyst_core.data.sampling import stratified


def test_every_data_set_of_the_catalogue_has_a_reader_and_a_check():
    assert set(READERS) == set(CHECKS) == set(DATASETS)


def test_digits_have_the_promised_sizes_and_are_normalised():
    splits = load_data(DataConfig(name="digits"))
    assert splits.train_x.shape == (1200, 1, 8, 8)
    assert (len(splits.val_y), len(splits.test_y)) == (200, 397)
    assert (splits.channels, splits.size, splits.classes) == (1, 8, tuple("0123456789"))
    assert abs(float(splits.train_x.mean())) < 1e-5
    assert abs(float(splits.train_x.std()) - 1) < 1e-3


def test_digits_splits_do_not_overlap_and_hold_every_class_in_proportion():
    splits = load_data(DataConfig(name="digits"))
    images = np.concatenate([part.flatten(1).numpy() for part in (splits.train_x, splits.val_x, splits.test_x)])
    assert len(np.unique(images, axis=0)) == 1797  # digits holds no image twice
    whole = torch.cat((splits.train_y, splits.val_y, splits.test_y)).bincount()
    for labels in (splits.train_y, splits.val_y, splits.test_y):
        expected = whole * (len(labels) / 1797)
        assert float((labels.bincount() - expected).abs().max()) < 2


def test_the_same_seed_gives_the_same_splits_and_another_one_others():
    first, again, other = (load_data(DataConfig(name="digits"), seed) for seed in (0, 0, 1))
    assert first.train_x.equal(again.train_x)
    assert first.test_x.equal(again.test_x)
    assert not first.test_x.equal(other.test_x)


def test_the_cap_takes_fewer_training_images_and_leaves_the_test_set_alone():
    whole, capped = load_data(DataConfig(name="digits")), load_data(DataConfig(name="digits", train_images=200))
    labels = capped.train_y
    assert (len(labels), len(labels.unique())) == (200, 10)
    assert capped.test_y.equal(whole.test_y)


@pytest.mark.parametrize(("sizes", "count"), [((5, 5, 5), 3), ((1, 1, 98), 10), ((90, 9, 1), 100), ((7, 11, 13), 20)])
def test_stratified_draws_exactly_the_count_and_every_class(sizes, count):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    chosen = stratified(labels, count, np.random.default_rng(0))
    assert len(np.unique(chosen)) == count
    assert set(labels[chosen]) == set(labels)


def test_stratified_shares_differ_by_less_than_one_seat():
    labels = np.repeat(np.arange(4), (100, 200, 300, 411))
    seats = np.bincount(labels[stratified(labels, 100, np.random.default_rng(3))])
    assert abs(seats - np.array([100, 200, 300, 411]) * 100 / 1011).max() < 1


def test_the_preflight_needs_no_torch():
    code = (
        "import sys; from catalyst_core.config import DataConfig; from catalyst_core.data import check_data; "
        "check_data(DataConfig(name='digits')); "
        "print([name for name in ('torch', 'torchvision', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_check_data_accepts_digits():
    check_data(DataConfig(name="digits"))
