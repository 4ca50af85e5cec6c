"""What the methods decide, what they save, and what they refuse."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from catalyst_core.errors import ConfigError
from catalyst_core.filters import find_groups
from catalyst_core.regularizers import REGULARIZERS, build_regularizer
from tests.core.made import group_of, noise, pruned_counts


@pytest.mark.parametrize("name", ["l1", "group_lasso", "none"])
def test_the_smallest_go(name):
    groups = [group_of([3.0, 1.0, 2.0, 4.0], "a"), group_of([9.0, 8.0, 7.0], "b")]
    reg = build_regularizer(name, groups, pruning_ratio=0.5)
    look = reg.measure()
    assert look.kept.tolist() == [True, False, False, True, True, False, False]
    assert look.thresholds == (2.5, 8.5)
    np.testing.assert_allclose(look.margins, np.log(np.array([3, 1, 2, 4, 9, 8, 7]) / np.repeat([2.5, 8.5], [4, 3])))
    assert look.share_pruned == pytest.approx(4 / 7)
    assert look.catalysts is None
    decisions = reg.decisions()
    assert decisions.kept["b"].tolist() == [True, False, False]
    assert decisions.kept["b"].dtype == torch.bool
    assert (decisions.undecided, reg.undecided) == (0, 0)
    reg.settle()
    assert reg.measure().magnitudes.min() > 0
    reg.pruning_ratio = 0.25
    assert pruned_counts(reg) == [1, 1]


def test_a_group_too_small_to_lose_a_channel_has_no_threshold():
    look = build_regularizer("none", [group_of([1.0, 2.0])], pruning_ratio=0.1).measure()
    assert look.thresholds == (None,)
    assert np.isposinf(look.margins).all()


def test_random_draws_by_its_seed_and_prunes_the_same_and_more():
    groups = [group_of(np.ones(30), "a"), group_of(np.ones(10), "b")]
    one, same, other = (build_regularizer("random", groups, pruning_ratio=0.5, generator_seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.measure().kept, same.measure().kept)
    assert (one.measure().kept != other.measure().kept).any()
    assert pruned_counts(one) == [15, 5]
    assert one.measure().thresholds == (None, None)
    before = one.measure().kept
    one.pruning_ratio = 0.8
    assert pruned_counts(one) == [24, 8]
    assert not (one.measure().kept & ~before).any()


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("every", [1, 4])
def test_state_goes_on_bit_for_bit(name, every, tmp_path):
    def made():
        rng = np.random.default_rng(5)
        groups = [group_of(rng.random(9) + 0.5, "a"), group_of(rng.random(5) + 0.5, "b")]
        reg = build_regularizer(name, groups, pruning_ratio=0.4, total_steps=60, every=every, generator_seed=3)
        return reg, groups

    def steps(reg, groups, seed, count):
        rng = np.random.default_rng(seed)
        for _ in range(count):
            for group in groups:
                noise(group, rng)
            reg.step(0.05)

    reg, groups = made()
    steps(reg, groups, 0, 26)
    reg.pruning_ratio = 0.6
    path = tmp_path / "state.pt"
    torch.save(reg.state_dict(), path)
    other, copies = made()
    for group, twin in zip(groups, copies, strict=True):
        for parameter, target in zip(group.parameters(), twin.parameters(), strict=True):
            target.data.copy_(parameter.data)
    other.load_state_dict(torch.load(path, weights_only=True))
    for one, its in ((reg, groups), (other, copies)):
        steps(one, its, 1, 34)
    a, b = reg.measure(), other.measure()
    for field in ("magnitudes", "catalysts", "margins", "kept"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    assert other.pruning_ratio == 0.6
    assert reg.steps == other.steps == 60


def test_state_of_something_else_is_refused():
    reg = build_regularizer("l1", [group_of([1.0, 2.0])])
    with pytest.raises(ConfigError, match="not l1"):
        reg.load_state_dict(build_regularizer("none", [group_of([1.0, 2.0])]).state_dict())
    with pytest.raises(ConfigError, match=r"groups of \[3\]"):
        reg.load_state_dict(build_regularizer("l1", [group_of([1.0, 2.0, 3.0])]).state_dict())


def test_training_survives_a_reloaded_optimizer_and_a_copy_of_the_network(make_network, images):
    model = make_network("cnn").train()
    groups = find_groups(model, images)
    reg = build_regularizer("catalyst", groups, pruning_ratio=0.5, total_steps=12)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for step in range(12):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), torch.tensor([0, 1])).backward()
        optimizer.step()
        reg.step(0.05)
        if step == 5:
            optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
            model.load_state_dict(copy.deepcopy(model.state_dict()))
        twin = copy.deepcopy(model).eval()
        torch.testing.assert_close(twin(images), model.eval()(images))
        model.train()
    assert reg.undecided == 0
    assert [int((group.magnitudes() == 0).sum()) for group in groups] == [16, 32, 32]
    assert reg.seconds > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "lasso"}, "unknown method"),
        ({"strength": -1.0}, "strength"),
        ({"strength": float("nan")}, "strength"),
        ({"pruning_ratio": 1.0}, "pruning_ratio"),
        ({"pruning_ratio": 0.0}, "pruning_ratio"),
        ({"start_ratio": 0.0}, "start_ratio"),
        ({"name": "l1", "start_ratio": 1.0}, "start_ratio"),
        ({"name": "none", "strength": 1.0}, "none has no strength"),
        ({"solver": "newton"}, "solver"),
        ({"total_steps": 0}, "total_steps"),
        ({"every": 0}, "every"),
        ({"groups": []}, "no group"),
    ],
)
def test_settings_outside_their_range(settings, message):
    with pytest.raises(ConfigError, match=message):
        build_regularizer(**({"name": "catalyst", "groups": [group_of([1.0, 2.0])]} | settings))


def test_live_settings_outside_their_range():
    reg = build_regularizer("catalyst", [group_of([1.0, 2.0])])
    for bad in (0.0, 1.0, -0.2, float("inf")):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            reg.pruning_ratio = bad
    with pytest.raises(ConfigError, match="strength must lie"):
        reg.strength = 1e9
    with pytest.raises(ConfigError, match="random has no strength"):
        build_regularizer("random", [group_of([1.0, 2.0])]).strength = 1.0
