"""The evidence in front of the ramp: what is gathered, what it does not see, and what it decides."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from catalyst_core.canonical import plant_rescale
from catalyst_core.config import RaceConfig
from catalyst_core.decisions import budget
from catalyst_core.errors import ConfigError
from catalyst_core.filters import find_groups
from catalyst_core.regularizers import build_regularizer
from catalyst_core.regularizers.bank import FilterBank
from tests.core.conftest import lively
from tests.core.made import group_of, noise, pruned_counts

LABELS = torch.tensor([0, 1])
SIZES = (11, 6)
STEPS, SHARE, WATCHED = 40, 0.25, 10


def relative_gradients(model, images):
    """Of the groups of a network, behind one backward pass."""
    model.zero_grad()
    cross_entropy(model(images), LABELS).backward()
    return FilterBank(find_groups(model, images)).relative_gradients()


def test_what_is_gathered_is_the_derivative_by_the_logarithm_of_a_scale(network, images):
    model, images = network.double(), images.double()
    groups = find_groups(model, images)
    logs = [torch.zeros(group.size, dtype=torch.float64, requires_grad=True) for group in groups]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    scaled = {name: parameter.detach() for name, parameter in model.named_parameters()}
    for group, log in zip(groups, logs, strict=True):
        for part in group.measured:
            whole = scaled[names[id(part.parameter)]]
            factors = torch.ones(len(whole), dtype=torch.float64).index_put((part.rows,), log[part.channels].exp())
            scaled[names[id(part.parameter)]] = whole * factors.reshape(-1, *[1] * (whole.ndim - 1))
    wanted = torch.autograd.grad(cross_entropy(functional_call(model, scaled, images), LABELS), logs)
    found = relative_gradients(model, images)
    assert np.abs(found).max() > 1e-4
    np.testing.assert_allclose(found, torch.cat(wanted).numpy(), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", ["cnn", "vgg_small", "resnet20", "dense", "flatten"])
@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=6)
def test_it_does_not_see_how_magnitude_is_shared_between_layers(name, seed):
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    model = lively(name).train()
    twin = copy.deepcopy(model)
    planted = plant_rescale(twin, find_groups(twin, images), seed)
    assert any((factors != 1).any() for factors in planted.values())
    np.testing.assert_array_equal(relative_gradients(model, images), relative_gradients(twin, images))


def made(seed=0, **options):
    """Catalyst on two groups with magnitudes far apart."""
    rng = np.random.default_rng(seed)
    groups = [group_of(np.exp(2 * rng.standard_normal(size)), str(size)) for size in SIZES]
    plan = {"pruning_ratio": 0.5, "total_steps": STEPS, "evidence_share": SHARE} | options
    return build_regularizer("catalyst", groups, **plan), groups


def feel(groups, derivatives):
    """Gradients with <F_i, dL/dF_i> = derivatives (C,)."""
    for group, wanted in zip(groups, np.split(derivatives, [SIZES[0]]), strict=True):
        n = group.magnitudes()
        for parameter in group.parameters():
            parameter.grad = parameter.detach() / n.square() * torch.from_numpy(wanted)


def watch(reg, groups, drawn):
    """One step a row of (steps, C) derivatives."""
    for row in drawn:
        feel(groups, row)
        reg.step(0.01)


def draw(seed=0, steps=WATCHED):
    """(steps, C) derivatives, of channels that matter more or less whatever their magnitude."""
    rng = np.random.default_rng(100 + seed)
    return np.exp(1.5 * rng.standard_normal(sum(SIZES))) * rng.standard_normal((steps, sum(SIZES)))


def test_while_evidence_is_gathered_nothing_else_happens():
    reg, groups = made(every=1)
    parameters = [parameter for group in groups for parameter in group.parameters()]
    start, rng = torch.cat(reg.catalysts).clone(), np.random.default_rng(1)
    for row in draw():
        for group in groups:
            noise(group, rng)
        before = [parameter.detach().clone() for parameter in parameters]
        assert reg.current_strength == 0
        watch(reg, groups, [row])
        assert reg.undecided == sum(SIZES)
        assert torch.equal(torch.cat(reg.catalysts), start)
        assert all(torch.equal(one, other) for one, other in zip(before, parameters, strict=True))
    assert reg.current_strength == pytest.approx(0.3 * reg.strength)


@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_then_ratios_stand_in_the_reverse_order_of_the_evidence(seed):
    reg, groups = made(seed, every=STEPS)  # no step of the regularizer before the last
    drawn = draw(seed)
    watch(reg, groups, drawn)
    reg.step(0.01)
    for group, catalysts, evidence in zip(groups, reg.catalysts, np.split((drawn**2).sum(0), [SIZES[0]]), strict=True):
        u = np.log(catalysts.numpy() / group.magnitudes().numpy())
        s = np.log(evidence) / 2
        away = s - np.median(s)
        wanted = -2 * np.clip(away / (1.4826 * np.median(np.abs(away))), -3, 3)
        np.testing.assert_allclose(u, wanted, atol=1e-9)
        assert (np.diff(u[np.argsort(evidence)]) <= 1e-9).all()
        assert np.abs(u).max() <= 6 + 1e-9


def test_a_filter_without_any_gradient_begins_as_the_weakest_and_a_group_without_as_it_was():
    reg, groups = made(every=STEPS)
    drawn = draw()
    drawn[:, 3], drawn[:, SIZES[0] :] = 0, 0
    start = [d.clone() for d in reg.catalysts]
    watch(reg, groups, drawn)
    reg.step(0.01)
    u = (reg.catalysts[0] / start[0]).log()
    assert u[3].item() == pytest.approx(6) == u.max().item()
    assert torch.equal(reg.catalysts[1], start[1])


def test_the_only_filter_without_a_gradient_is_told_from_equal_ones():
    reg, groups = made(every=STEPS)
    watch(reg, groups, [np.array([1.0] * 10 + [0.0] + [2.0] * 6)] * (WATCHED + 1))
    u = np.log(torch.cat(reg.catalysts).numpy() / reg.measure().magnitudes)
    np.testing.assert_allclose(u, [0.0] * 10 + [6.0] + [0.0] * 6, atol=1e-12)


def test_without_gradients_it_goes_on_as_without_evidence():
    (late, late_groups), (prompt, prompt_groups) = made(every=1), made(every=1, evidence_share=0)
    for _ in range(WATCHED):
        late.step(0.01)
    for reg, groups in ((late, late_groups), (prompt, prompt_groups)):
        rng = np.random.default_rng(1)
        for _ in range(20):
            for group in groups:
                noise(group, rng)
            reg.step(0.01)
    np.testing.assert_array_equal(late.measure().magnitudes, prompt.measure().magnitudes)
    np.testing.assert_array_equal(late.measure().catalysts, prompt.measure().catalysts)


def test_gradients_that_are_not_finite_are_no_evidence():
    reg, groups = made()
    watch(reg, groups, draw(steps=3))
    before = reg.state_dict()["evidence"]
    spoilt = draw(steps=2)
    spoilt[0, 4], spoilt[1, 9] = np.inf, np.nan
    watch(reg, groups, spoilt)
    assert torch.equal(reg.state_dict()["evidence"], before)
    assert reg.steps == 5


@pytest.mark.parametrize(("rate", "strength"), [(-1.0, 1.0), (float("nan"), 1.0), (1.0, 4.0)])
def test_a_step_that_is_refused_gathers_nothing(rate, strength):
    reg, groups = made(strength=strength)
    feel(groups, draw()[0])
    with pytest.raises(ConfigError):
        reg.step(rate)
    assert not reg.state_dict()["evidence"].any()
    assert reg.steps == 0


@pytest.mark.parametrize("allocation", ["uniform", "global"])
def test_a_state_saved_meanwhile_goes_on_identically(allocation, tmp_path):
    (reg, groups), (other, copies) = made(allocation=allocation), made(allocation=allocation)
    watch(reg, groups, draw(steps=6))
    torch.save(reg.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for one, its in ((reg, groups), (other, copies)):
        watch(one, its, draw(1, STEPS - 6))
    np.testing.assert_array_equal(reg.measure().magnitudes, other.measure().magnitudes)
    np.testing.assert_array_equal(reg.measure().catalysts, other.measure().catalysts)
    assert reg.undecided == other.undecided == 0


def test_settled_meanwhile_it_decides_by_the_evidence():
    reg, groups = made()
    drawn = draw(steps=4)
    watch(reg, groups, drawn)
    by_magnitude = reg.measure().kept
    reg.pruning_ratio = 0.4
    reg.settle()
    assert reg.undecided == 0
    for kept, evidence in zip(reg.bank.split(reg.measure().kept), np.split((drawn**2).sum(0), [SIZES[0]]), strict=True):
        assert set(np.flatnonzero(~kept)) == set(np.argsort(evidence)[: budget(len(kept), 0.4)])
    assert (reg.measure().kept != by_magnitude).sum() > 2


def test_settled_meanwhile_global_allocation_hears_the_evidence_too():
    reg, groups = made(allocation="global", pruning_ratio=0.3)
    uniform = pruned_counts(reg)
    weak = np.full(sum(SIZES), 1.0) * np.tile([0.9, 1.1], 9)[:17]
    weak[:5] = 1e-3  # nearly half of the first group, nothing of the second
    watch(reg, groups, [weak] * 4)
    reg.settle()
    assert sum(pruned_counts(reg)) == sum(uniform)
    assert pruned_counts(reg) == [5, 0] != uniform
    assert not reg.measure().kept[:5].any()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "l1", "evidence_share": 0.1}, "evidence_share is a setting of catalyst, not of l1"),
        ({"name": "l1", "schedule": "constant"}, "schedule is a setting of catalyst, not of l1"),
        ({"name": "catalyst", "start_ratio": 1.2, "evidence_share": 0.1}, "no evidence_share and no schedule"),
        ({"name": "catalyst", "evidence_share": 0.6}, "evidence_share"),
    ],
)
def test_a_race_refuses_evidence_where_there_is_none(method, message):
    with pytest.raises(ConfigError, match=message):
        RaceConfig.build(methods=[method])


def test_a_share_that_was_chosen_is_in_the_label():
    method = RaceConfig.build(methods=[{"name": "catalyst", "evidence_share": 0.2, "schedule": "constant"}]).methods[0]
    assert method.label == "catalyst evidence=0.2 constant"
