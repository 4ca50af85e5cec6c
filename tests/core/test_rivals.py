"""The five rivals: penalties against formulas typed again, steps against solvers and autograd, and the ends of their ranges."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from catalyst_core import certify, find_groups, remove_filters
from catalyst_core.decisions import budget
from catalyst_core.errors import NetworkError
from catalyst_core.regularizers import build_regularizer
from tests.core.made import group_of, pruned_counts, weight_group

RIVALS = ("slimming", "sparse_group_lasso", "group_hoyer_square", "polarization", "growing_reg")
LINEARISED = ("group_hoyer_square", "polarization")
seeds = st.integers(0, 2**31)


def lambdas_of(reg):
    return reg.state_dict()["lambdas"].numpy()


def growing_with(groups, lambdas, **options):
    reg = build_regularizer("growing_reg", groups, **options)
    reg.load_state_dict(reg.state_dict() | {"lambdas": torch.tensor(lambdas, dtype=torch.float64)})
    return reg


def entries(group):
    """(C, d)"""
    parts = [parameter.detach().numpy().reshape(group.size, -1) for parameter in group.parameters()]
    return np.concatenate(parts, axis=1)


def typed_again(name, groups):
    """The penalties as their papers print them, one group at a time."""
    total = 0.0
    for group in groups:
        rows = entries(group)
        n = np.linalg.norm(rows, axis=1)
        total += {
            "slimming": lambda rows=rows: np.abs(rows[:, 0]).sum(),
            "sparse_group_lasso": lambda rows=rows, n=n: 0.5 * np.abs(rows).sum() + 0.5 * n.sum(),
            "group_hoyer_square": lambda n=n: n.sum() ** 2 / (n @ n),
            "polarization": lambda n=n: 1.2 * n.sum() - np.abs(n - n.sum() / len(n)).sum(),
            "growing_reg": lambda n=n: 0.5 * (np.arange(len(n)) * n**2).sum(),
        }[name]()
    return total


def built(name, groups, **options):
    """With lambda_i = 0, 1, 2, ... in each group for growing_reg."""
    if name == "growing_reg":
        return growing_with(groups, [place for group in groups for place in range(group.size)], **options)
    return build_regularizer(name, groups, **options)


@pytest.mark.parametrize("name", RIVALS)
@given(seed=seeds)
@settings(deadline=None, max_examples=15)
def test_penalties_are_the_papers(name, seed):
    rng = np.random.default_rng(seed)
    groups = [group_of(rng.random(7) * 3, "a", angle=rng.uniform(0, 6)), group_of(rng.random(4) + 0.1, "b", angle=2.0)]
    assert built(name, groups).penalty().item() == pytest.approx(typed_again(name, groups), rel=1e-12)


@pytest.mark.parametrize("name", RIVALS)
def test_penalties_pass_gradcheck(name):
    rng = np.random.default_rng(0)
    groups = [group_of(rng.random(5) + 0.5), group_of([0.7]), *([] if name == "slimming" else [weight_group(rng.random((3, 4)))])]
    reg = built(name, groups, solver="subgradient")
    assert torch.autograd.gradcheck(lambda *_: reg.penalty(), [p for group in groups for p in group.parameters()])


@given(seed=seeds, t=st.floats(0.05, 1.5))
@settings(deadline=None, max_examples=15)
def test_a_slimming_step_minimises_the_proximal_objective(seed, t):
    group = group_of(np.random.default_rng(seed).random(4) * 2)
    scales, shifts = (parameter.detach().clone().numpy() for parameter in group.parameters())
    build_regularizer("slimming", [group], strength=1.0).step(t)
    found, untouched = (parameter.detach().numpy() for parameter in group.parameters())
    np.testing.assert_array_equal(untouched, shifts)
    for scale, x in zip(scales, found, strict=True):

        def objective(x, scale=scale):
            return t * abs(x) + (x - scale) ** 2 / 2

        reference = minimize_scalar(objective, bounds=(-2, 3), method="bounded", options={"xatol": 1e-10})
        assert objective(x) <= reference.fun + 1e-12
        assert x == pytest.approx(reference.x, abs=1e-5)


@given(seed=seeds, t=st.floats(0.05, 1.5))
@settings(deadline=None, max_examples=15)
def test_a_sparse_group_lasso_step_minimises_the_proximal_objective(seed, t):
    start = np.random.default_rng(seed).standard_normal((2, 3))
    group = weight_group(start)
    build_regularizer("sparse_group_lasso", [group], strength=1.0).step(t)
    for row, found in zip(start, group.parameters()[0].detach().numpy(), strict=True):

        def objective(x, row=row):
            return t * (np.abs(x).sum() + np.linalg.norm(x)) / 2 + ((x - row) ** 2).sum() / 2

        reference = minimize(objective, 0.5 * row, method="Powell", options={"xtol": 1e-8, "ftol": 1e-14})
        assert objective(found) <= reference.fun + 1e-9
        np.testing.assert_allclose(found, reference.x, atol=2e-3)


@pytest.mark.parametrize("name", LINEARISED)
@given(seed=seeds, t=st.floats(0, 2), size=st.integers(1, 9))
@settings(deadline=None, max_examples=30)
def test_linearised_steps_follow_autograds_slope_of_their_own_penalty(name, seed, t, size):
    n = np.random.default_rng(seed).random(size) + 1e-3
    group, other = group_of(n, "a", angle=0.0), group_of([1.0, 3.0, 7.0], "b", angle=0.0)  # F_i = (n_i, 0)
    reg = build_regularizer(name, [group, other], strength=1.0)
    reg.penalty().backward()
    slopes = group.parameters()[0].grad.numpy().copy()
    reg.step(t)
    np.testing.assert_allclose(group.magnitudes(), np.clip(n - t * slopes, 0, 2 * n), rtol=1e-9, atol=1e-9)


@given(seed=seeds, scale=st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=30)
def test_group_hoyer_square_sees_no_scale(seed, scale):
    n = np.random.default_rng(seed).random(6) + 0.2
    one, other = group_of(n), group_of(scale * n)
    regs = [build_regularizer("group_hoyer_square", [group], strength=1.0) for group in (one, other)]
    assert regs[0].penalty().item() == pytest.approx(regs[1].penalty().item(), rel=1e-12)
    assert 1 <= regs[0].penalty().item() <= 6
    regs[0].step(0.01)
    regs[1].step(0.01 * scale**2)
    np.testing.assert_allclose(other.magnitudes(), scale * one.magnitudes(), rtol=1e-9)


def test_group_hoyer_square_counts_equal_channels():
    for alive in (1, 3, 6):
        reg = build_regularizer("group_hoyer_square", [group_of([2.0] * alive + [0.0] * (6 - alive))])
        assert reg.penalty().item() == pytest.approx(alive)


def test_polarization_is_smallest_with_eight_of_ten_at_zero():
    """On [0, a]^C the share (2 + kappa) / 4 belongs at 0, the rest at a."""
    values = [build_regularizer("polarization", [group_of([0.0] * k + [1.0] * (20 - k))]).penalty().item() for k in range(21)]
    assert np.argmin(values) == 16


def test_no_channel_more_than_doubles_in_one_step():
    for name in LINEARISED:
        group = group_of([1e-9, 1e-9, 1e-9, 3e-9])
        build_regularizer(name, [group], strength=1.0).step(1.0)
        np.testing.assert_allclose(group.magnitudes(), [0, 0, 0, 6e-9], rtol=1e-9)


def test_growing_reg_follows_its_closed_form():
    """lambda_i = (steps // 10) for the weak half, so n = n_0 / prod_k (1 + t (k // 10)); the others do not move."""
    group = group_of([1.0, 2.0, 3.0, 4.0])
    reg = build_regularizer("growing_reg", [group], strength=2.0, pruning_ratio=0.5)
    for _ in range(35):
        reg.step(0.05)
    factor = np.prod([1 / (1 + 0.1 * (k // 10)) for k in range(1, 36)])
    np.testing.assert_allclose(group.magnitudes(), [factor, 2 * factor, 3, 4], rtol=1e-12)
    np.testing.assert_array_equal(lambdas_of(reg), [3, 3, 0, 0])


@pytest.mark.parametrize("solver", ["proximal", "subgradient"])
def test_lambda_grows_for_whoever_is_weak_now_up_to_a_ceiling_and_never_falls(solver):
    group = group_of([1.0, 2.0])
    reg = build_regularizer("growing_reg", [group], strength=1.0, pruning_ratio=0.5, every=4, total_steps=2000, solver=solver)
    for _ in range(12):  # the step that is taken after 12 is the first one past an interval
        reg.step(0.0)
    np.testing.assert_array_equal(lambdas_of(reg), [1, 0])
    group.scale_(torch.tensor([9.0, 1.0]))
    for _ in range(1500):
        reg.step(0.0)
    np.testing.assert_array_equal(lambdas_of(reg), [1, 100])
    np.testing.assert_array_equal(group.magnitudes(), group_of([9.0, 2.0]).magnitudes())


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("norms", [[0.7] * 5, [0.0] * 5, [1.3], [0.0], [5e-324, 1e-320], [1.0, 0.0, 0.0]], ids=str)
def test_degenerate_groups(name, norms):
    group = group_of(norms)
    reg = built(name, [group], strength=1.0, pruning_ratio=0.5)
    reg.penalty().backward()
    assert torch.isfinite(reg.penalty())
    assert all(torch.isfinite(parameter.grad).all() for parameter in group.parameters() if parameter.grad is not None)
    for size in (0.0, 0.01):
        reg.step(size)
    after = group.magnitudes().numpy()
    assert np.isfinite(after).all()
    assert (after[np.array(norms) == 0] == 0).all()
    assert pruned_counts(reg) == [budget(len(norms), 0.5)]


@pytest.mark.parametrize("norms", [[0.7] * 5, [1.3], [2.0, 0.0, 0.0]], ids=str)
def test_group_hoyer_square_rests_where_the_alive_are_equal(norms):
    group = group_of(norms)
    build_regularizer("group_hoyer_square", [group], strength=1.0).step(0.1)
    np.testing.assert_allclose(group.magnitudes(), norms, rtol=1e-12)


@pytest.mark.parametrize("name", RIVALS)
def test_the_subgradient_solver_leaves_filters_to_the_optimizer(name):
    group = group_of([1.0, 2.0, 3.0])
    reg = built(name, [group], strength=1.0, solver="subgradient")
    for _ in range(20):
        reg.step(0.1)
    np.testing.assert_array_equal(group.magnitudes(), group_of([1.0, 2.0, 3.0]).magnitudes())


@pytest.mark.parametrize("name", RIVALS)
def test_only_the_slices_of_a_group_are_touched(make_network, images, name):
    model = make_network("dense")
    group = next(group for group in find_groups(model, images) if group.name == "conv1")
    before = model.bn3.weight.detach().clone()
    built(name, [group], strength=1.0).step(0.1)
    changed = model.bn3.weight.detach() != before
    assert not changed[:5].any()
    assert not changed[9:].any()
    assert changed[5:9].any()


def test_slimming_decides_by_the_scales_of_coupled_batchnorms_alone(make_network, images):
    model = make_network("resnet20")
    group = find_groups(model, images)[0]
    reg = build_regularizer("slimming", [group])
    scales = [part.parameter for part in group.cut if part.name.endswith("weight")]
    assert len(scales) > 1
    np.testing.assert_allclose(reg.measure().magnitudes, torch.stack(scales).square().sum(0).sqrt().detach(), rtol=1e-6)


def test_slimming_is_not_lossless_while_a_shift_remains(make_network, images):
    model = make_network("cnn").double()
    groups = find_groups(model, images.double())
    reg = build_regularizer("slimming", groups, strength=1.0, pruning_ratio=0.5)
    reg.step(100.0)
    assert all((part.parameter == 0).all() for group in groups for part in group.cut if part.role == "scale")
    assert certify(model, remove_filters(model, images.double(), reg.decisions()), images).max_abs_logit_change > 1e-3


@pytest.mark.parametrize("network", ["flatten", "mlp"])
def test_slimming_names_the_group_without_batchnorm(make_network, images, network):
    groups = find_groups(make_network(network), images)
    with pytest.raises(NetworkError, match=f"group '{groups[0].name}': slimming needs a BatchNorm"):
        build_regularizer("slimming", groups)


@pytest.mark.parametrize("name", RIVALS)
def test_budgets_in_macs_and_one_ranking_over_all_groups(make_network, images, name):
    groups = find_groups(make_network("cnn"), images)
    reg = build_regularizer(name, groups, macs_ratio=0.5, allocation="global")
    kept = np.concatenate([mask.numpy() for mask in reg.decisions().kept.values()])
    everything = np.ones_like(kept)
    assert groups.macs.count(kept) == pytest.approx(0.5 * groups.macs.count(everything), rel=0.05)
