"""Penalties and proximal steps against independent references."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import nn

from catalyst_core.catalog import METHODS
from catalyst_core.config import Magnitude
from catalyst_core.filters import find_groups
from catalyst_core.regularizers import REGULARIZERS, build_regularizer
from tests.core.made import catalyst_with, group_of, noise, pruned_counts, weight_group

WITH_PENALTY = ("catalyst", "l1", "group_lasso")


def test_the_registry_has_the_methods_of_the_catalogue():
    cut_channels = [name for name, method in METHODS.items() if not method.is_peer and method.cuts == "channels"]
    assert list(REGULARIZERS) == cut_channels
    assert all(regularizer.name == name for name, regularizer in REGULARIZERS.items())


@pytest.mark.parametrize("name", WITH_PENALTY)
def test_penalties_pass_gradcheck(name):
    rng = np.random.default_rng(0)
    groups = [group_of(rng.random(4) + 0.5), weight_group(rng.standard_normal((3, 5)))]
    reg = build_regularizer(name, groups, solver="subgradient")
    parameters = [parameter for group in groups for parameter in group.parameters()]

    def penalty(*_):
        return reg.penalty()

    assert torch.autograd.gradcheck(penalty, parameters)


class TwoLayers(nn.Module):
    """The smallest network with a group: convolution, BatchNorm, a reader."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.bn(self.conv(x)).relu().mean((2, 3)))


@pytest.mark.parametrize("magnitude", get_args(Magnitude))
@pytest.mark.parametrize("name", [name for name in REGULARIZERS if METHODS[name].strength is not None])
def test_penalties_pass_gradcheck_for_every_kind_of_magnitude(name, magnitude):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = TwoLayers().double().eval()
        for tensor in (model.bn.weight, model.bn.bias, model.bn.running_mean, model.bn.running_var):
            tensor.data.uniform_(0.5, 1.5)
    groups = find_groups(model, torch.ones(1, 2, 2, 2, dtype=torch.float64), magnitude=magnitude)
    reg = build_regularizer(name, groups, solver="subgradient")
    if name == "growing_reg":  # its coefficients are zero until they have grown
        for _ in range(10):
            reg.step(0.01)
    parameters = [*model.conv.parameters(), *model.bn.parameters()]
    value = reg.penalty()
    assert value.item() > 0
    used = [
        p
        for p, grad in zip(parameters, torch.autograd.grad(value, parameters, allow_unused=True), strict=True)
        if grad is not None
    ]
    assert used
    assert torch.autograd.gradcheck(lambda *_: reg.penalty(), used)


def test_penalties_by_hand():
    group = group_of([3.0, 0.0, 4.0], angle=0.0)  # F_i = (n_i, 0)
    rows = weight_group([[3.0, -4.0], [0.0, 0.0]])
    assert build_regularizer("group_lasso", [group, rows]).penalty().item() == 3 + 4 + 5
    assert build_regularizer("l1", [group, rows]).penalty().item() == 3 + 4 + 7
    assert build_regularizer("catalyst", [group, rows], start_ratio=2.0).penalty().item() == 2 * (9 + 16 + 25)
    assert build_regularizer("none", [group, rows]).penalty().item() == 0


@pytest.mark.parametrize("name", WITH_PENALTY)
def test_a_silent_filter_has_a_finite_gradient(name):
    group = group_of([1.0, 0.0])
    build_regularizer(name, [group], solver="subgradient").penalty().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in group.parameters())


def test_catalyst_vanishes_exactly_where_pruning_is_lossless():
    assert catalyst_with([1.0, 0.0], [0.0, 2.0]).penalty().item() == 0


@pytest.mark.parametrize("name", ["l1", "group_lasso"])
@given(seed=st.integers(0, 1000), t=st.floats(0.05, 1.5))
@settings(deadline=None, max_examples=15)
def test_steps_minimise_the_proximal_objective(name, seed, t):
    """argmin over X of t R(X) + ||X - F||^2 / 2, found by scipy."""
    start = np.random.default_rng(seed).standard_normal((2, 3))
    group = weight_group(start)
    build_regularizer(name, [group], strength=1.0).step(t)
    for row, found in zip(start, group.parameters()[0].detach().numpy(), strict=True):

        def objective(x, row=row):
            return t * (np.abs(x).sum() if name == "l1" else np.linalg.norm(x)) + ((x - row) ** 2).sum() / 2

        reference = minimize(objective, 0.5 * row, method="Powell", options={"xtol": 1e-8, "ftol": 1e-14})
        assert objective(found) <= reference.fun + 1e-9
        np.testing.assert_allclose(found, reference.x, atol=2e-3)


@given(n=st.floats(0.1, 3), d=st.floats(0.1, 3), t=st.floats(0.01, 0.45))
@settings(deadline=None, max_examples=30)
def test_a_catalyst_step_minimises_both_proximal_objectives(n, d, t):
    """Each from the old value of the other: t D ||X|| + ||X - F||^2 / 2 over X, t n y + (y - D)^2 / 2 over y >= 0."""
    reg = catalyst_with([n, 50.0], [d, 1e-3])
    filters = torch.stack([p.detach().clone() for p in reg.groups[0].parameters()], 1).numpy()[0]
    reg.step(t)
    x = torch.stack([p.detach() for p in reg.groups[0].parameters()], 1).numpy()[0]

    def objective(x):
        return t * d * np.linalg.norm(x) + ((x - filters) ** 2).sum() / 2

    reference = minimize(objective, 0.5 * filters, method="Powell", options={"xtol": 1e-10, "ftol": 1e-15})
    assert objective(x) <= reference.fun + 1e-10
    assert reg.catalysts[0][0].item() == pytest.approx(max(d - t * n, 0))


def test_a_sum_of_steps_is_shortened_so_that_the_sign_is_safe():
    reg = catalyst_with([1.2, 1.0], [1.0, 1.2], every=2)
    reg.step(0.9)
    reg.step(0.9)
    np.testing.assert_allclose(reg.measure().magnitudes, [1.2 - 0.5, 1.0 - 0.6])
    np.testing.assert_allclose(reg.catalysts[0], [1.0 - 0.6, 1.2 - 0.5])


def test_the_step_scales_a_filter_and_keeps_its_direction(make_network, images):
    model = make_network("resnet20")
    groups = find_groups(model, images)
    before = [parameter.detach().clone() for parameter in groups[0].parameters()]
    build_regularizer("group_lasso", groups, strength=1.0).step(0.1)
    factors = [parameter.detach() / old for parameter, old in zip(groups[0].parameters(), before, strict=True)]
    for factor in factors[1:]:
        torch.testing.assert_close(factor, factors[0])
    assert (factors[0] < 1).all()


@pytest.mark.parametrize("name", WITH_PENALTY)
def test_only_the_slices_of_a_group_are_touched(make_network, images, name):
    model = make_network("dense")
    group = next(group for group in find_groups(model, images) if group.name == "conv1")
    before = model.bn3.weight.detach().clone()
    build_regularizer(name, [group], strength=1.0, start_ratio=0.5 if name == "catalyst" else None).step(0.1)
    changed = model.bn3.weight.detach() != before
    assert changed.tolist() == [False] * 5 + [True] * 4 + [False] * 3


def test_parameters_that_moved_in_memory_are_found_again():
    group = group_of([1.0, 2.0])
    reg = build_regularizer("group_lasso", [group], strength=1.0)
    reg.step(0.1)
    for parameter in group.parameters():
        parameter.data = parameter.data.clone()
    reg.step(0.1)
    np.testing.assert_allclose(group.magnitudes(), [0.8, 1.8])


@pytest.mark.parametrize("name", WITH_PENALTY)
def test_memory_that_numpy_cannot_look_into(name):
    """bfloat16 takes the way that other devices take: over and back."""
    group, rows = group_of([1.0, 2.0, 4.0]), weight_group([[1.0, 2.0], [0.5, 0.5]])
    for parameter in (*group.parameters(), *rows.parameters()):
        parameter.data = parameter.data.bfloat16()
    reg = build_regularizer(name, [group, rows], strength=1.0)
    before = reg.measure().magnitudes
    reg.step(0.25)
    assert (reg.measure().magnitudes < before).all()
    assert group.parameters()[0].dtype == torch.bfloat16


def test_the_subgradient_solver_leaves_filters_to_the_optimizer():
    for name in WITH_PENALTY:
        group = group_of([1.0, 2.0, 3.0])
        reg = build_regularizer(name, [group], solver="subgradient")
        reg.step(0.1)
        np.testing.assert_allclose(reg.measure().magnitudes, [1, 2, 3])
    assert (reg.bank.magnitudes() > 0).all()


def test_subgradient_catalyst_moves_d_and_settles_to_the_budget():
    rng = np.random.default_rng(0)
    group = group_of(rng.random(10) + 0.5)
    reg = build_regularizer("catalyst", [group], solver="subgradient", pruning_ratio=0.3, total_steps=40, every=1)
    optimizer = torch.optim.SGD(group.parameters(), lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        (reg.current_strength * reg.penalty()).backward()
        optimizer.step()
        noise(group, rng)
        reg.step(0.1)
    assert reg.undecided == 0
    assert pruned_counts(reg) == [3]
    assert int((group.magnitudes() == 0).sum()) == 3
