"""Magnitudes far from 1, groups without differences, signed zeros: nothing underflows, overflows or is lost."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catalyst_core.filters import find_groups
from catalyst_core.regularizers import REGULARIZERS, build_regularizer
from tests.core.made import catalyst_with, group_of, noise, pruned_counts, weight_group

EVERYWHERE = [name for name in REGULARIZERS if name != "slimming"]


def as_float32(group):
    for parameter in group.parameters():
        parameter.data = parameter.data.float()
    return group


@pytest.mark.parametrize("make", [group_of, lambda n: weight_group(np.outer(n, [0.6, 0.8]))])
def test_float32_squares_underflow_and_overflow_but_magnitudes_do_not(make):
    n = np.array([1e-25, 1e-30, 1.0, 1e25])
    reg = build_regularizer("catalyst", [as_float32(make(n))], pruning_ratio=0.5)
    np.testing.assert_allclose(reg.measure().magnitudes, n, rtol=1e-6)
    assert reg.undecided == 4


@given(exponents=st.lists(st.integers(-319, 300), min_size=1, max_size=8), matrix=st.booleans())
@settings(deadline=None, max_examples=50)
def test_float64_magnitudes_over_the_whole_range(exponents, matrix):
    n = np.array([float(f"1e{exponent}") for exponent in exponents])
    group = weight_group(np.outer(n, [0.6, -0.8])) if matrix else group_of(n)
    # A denormal number of 1e-319 has four digits.
    np.testing.assert_allclose(build_regularizer("none", [group]).measure().magnitudes, n, rtol=1e-3)


def test_denormal_and_huge_filters_share_a_group_and_the_task_decides():
    n = np.array([1e-320, 1e-200, 1.0, 1e200])
    group = group_of(n, angle=0.0)
    reg = build_regularizer("catalyst", [group], pruning_ratio=0.5)
    np.testing.assert_allclose(reg.measure().magnitudes, n, rtol=1e-3)
    for _ in range(60):
        group.scale_(torch.tensor([1.0, 0.9, 1.05, 0.95], dtype=torch.float64))
        reg.step(0.1)
    look = reg.measure()
    assert np.isfinite(look.magnitudes).all()
    assert np.isfinite(look.catalysts).all()
    assert look.kept.tolist() == [True, False, True, False]
    reg.settle()
    assert reg.undecided == 0


@pytest.mark.parametrize("name", EVERYWHERE)
@pytest.mark.parametrize("norms", [[0.0, 0.0, 0.0], [0.7, 0.7, 0.7, 0.7], [0.3], [0.0], [-0.0, 1.0, 2.0]])
@pytest.mark.parametrize("allocation", ["uniform", "global"])
def test_groups_without_differences_and_single_channels(name, norms, allocation):
    """Every method runs to its end beside an ordinary group, keeps a channel of each, and stays finite."""
    rng = np.random.default_rng(0)
    groups = [group_of(norms, "odd"), group_of(rng.random(8) + 0.5, "usual")]
    reg = build_regularizer(name, groups, pruning_ratio=0.5, total_steps=30, allocation=allocation)
    for _ in range(30):
        noise(groups[1], rng)
        reg.step(0.05)
    reg.settle()
    kept = reg.decisions().kept
    assert all(mask.any() for mask in kept.values())
    assert np.isfinite(reg.measure().magnitudes).all()
    assert reg.undecided == 0
    # Filters that are zero from the start are gone already, so one ranking leaves the other group more.
    total = sum(mask.numel() - int(mask.sum()) for mask in kept.values())
    alive_total = round(0.5 * len(norms)) if len(norms) > 1 else 0
    if allocation == "uniform" and any(norms):
        assert total == 4 + alive_total


def test_all_equal_filters_are_pruned_to_the_budget():
    reg = build_regularizer("catalyst", [group_of(np.full(10, 0.5))], pruning_ratio=0.3, total_steps=40)
    for _ in range(40):
        reg.step(0.1)
    assert (pruned_counts(reg), reg.undecided) == ([3], 0)


def test_a_signed_zero_is_a_zero():
    group = group_of([1.0, 2.0, 3.0])
    with torch.no_grad():
        for parameter in group.parameters():
            parameter[0] = -0.0
    for name in EVERYWHERE:
        look = build_regularizer(name, [group], pruning_ratio=0.4).measure()
        assert look.magnitudes[0] == 0
    assert not build_regularizer("catalyst", [group], pruning_ratio=0.4).measure().kept[0]


def test_a_preserved_filter_that_something_else_zeroes_stays_preserved():
    reg = catalyst_with([1.0, 2.0], [0.0, 3.0])
    with torch.no_grad():
        for parameter in reg.groups[0].parameters():
            parameter[0] = 0.0
    reg.step(0.1)
    assert reg.measure().kept.tolist() == [True, False]


def test_a_step_of_size_zero_changes_nothing_even_beside_pruned_filters():
    reg = catalyst_with([1.0, 2.0, 0.5], [0.5, 2.5, 9.0])
    for _ in range(30):
        reg.step(0.1)
    gone = reg.measure().magnitudes == 0
    assert gone.any()
    reg.step(0.0)
    assert ((reg.measure().magnitudes == 0) == gone).all()
    for parameter in reg.groups[0].parameters():
        parameter.data += 0.1
    assert ((reg.measure().magnitudes == 0) == gone).all()


def test_small_folded_filters_do_not_vanish(make_network, images):
    model = make_network("cnn")
    with torch.no_grad():
        model.get_submodule(
            next(name for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d))
        ).weight[0] = 1e-25
        model.get_submodule(
            next(name for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d))
        ).bias[0] = 1e-25
    reg = build_regularizer("catalyst", find_groups(model, images, magnitude="folded"))
    assert 0 < reg.measure().magnitudes[0] < 1e-20
