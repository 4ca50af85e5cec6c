"""Regularizers of the owner's: the one of the README against closed forms, a whole race, and what goes wrong."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalyst_core import find_groups
from catalyst_core.errors import ConfigError
from catalyst_core.models import build_model
from catalyst_core.regularizers import GroupLasso, build_regularizer

BROKEN = """
class NoStep:
    def __init__(self, groups): pass
    def penalty(self): return 0
class Vector:
    def __init__(self, groups): pass
    def penalty(self):
        import torch
        return torch.zeros(3)
    def step(self, t): raise ZeroDivisionError('by t')
class Late:
    def __init__(self): pass
    def penalty(self): pass
    def step(self, t): pass
from catalyst_core.regularizers import GroupLasso
class Mine(GroupLasso):
    pass
function = print
"""
NAMES = {"no_step": "NoStep", "vector": "Vector", "late": "Late", "mine": "Mine", "function": "function"}


@pytest.fixture(autouse=True)
def registered(tmp_path_factory, monkeypatch):
    """The README's regularizer, and some that are wrong."""
    folder = tmp_path_factory.mktemp("owner")
    (folder / "broken_regularizers.py").write_text(BROKEN)
    text = 'path = ["."]\n[regularizers.ridge]\nclass = "docs.own_regularizer:Ridge"\ntitle = "Ridge"\nstrength = 1.0\n'
    for name, kind in NAMES.items():
        text += f'[regularizers.{name}]\nclass = "broken_regularizers:{kind}"\n'
    (folder / "catalyst.toml").write_text(text)
    monkeypatch.setenv("CATALYST_CONFIG", str(folder / "catalyst.toml"))


@pytest.fixture
def groups():
    """Of a network whose magnitudes differ."""
    model = build_model("cnn", 1, 8, 10, seed=0)
    found = find_groups(model, torch.zeros(2, 1, 8, 8))
    generator = torch.Generator().manual_seed(1)
    for group in found:
        group.scale_(torch.rand(group.size, generator=generator) + 0.5)
    return found


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strength=st.floats(0.01, 10), rate=st.floats(0.001, 0.5))
def test_its_step_is_the_closed_form_and_its_penalty_the_sum(strength, rate):
    model = build_model("cnn", 1, 8, 10, seed=0).double()
    groups = find_groups(model, torch.zeros(2, 1, 8, 8, dtype=torch.float64))
    before = [group.magnitudes() for group in groups]
    ours = build_regularizer("ridge", groups, strength=strength)
    assert float(ours.penalty().detach()) == pytest.approx(sum(float((n**2).sum()) for n in before) / 2)
    ours.step(rate)
    for group, n in zip(groups, before, strict=True):
        torch.testing.assert_close(group.magnitudes(), n / (1 + rate * strength))


def test_the_step_minimises_what_a_proximal_step_minimises(groups):
    """F + t dR/dF at the new F is the old F."""
    ours = build_regularizer("ridge", groups, strength=2.0)
    part = groups[0].measured[0].parameter
    before = part.detach().clone()
    ours.step(0.1)
    (gradient,) = torch.autograd.grad(ours.penalty(), part)
    torch.testing.assert_close(part.detach() + 0.2 * gradient, before)


def test_the_subgradient_solver_leaves_the_filters_to_the_optimizer(groups):
    ours = build_regularizer("ridge", groups, strength=2.0, solver="subgradient")
    before = [group.magnitudes() for group in groups]
    ours.step(0.1)
    assert all(group.magnitudes().equal(n) for group, n in zip(groups, before, strict=True))
    assert ours.penalty().requires_grad


def test_budget_decisions_and_state_are_as_for_ours(groups):
    ours = build_regularizer("ridge", groups, pruning_ratio=0.25)
    theirs = build_regularizer("none", groups, pruning_ratio=0.25)
    assert all(
        one.equal(other) for one, other in zip(ours.decisions().kept.values(), theirs.decisions().kept.values(), strict=True)
    )
    state = ours.state_dict()
    assert state["name"] == "ridge"
    build_regularizer("ridge", groups, pruning_ratio=0.5).load_state_dict(state)


def test_a_subclass_of_ours_is_used_as_it_is(groups):
    ours = build_regularizer("mine", groups, strength=1.0)
    assert isinstance(ours, GroupLasso)
    assert ours.name == "mine"
    first = groups[0].magnitudes()
    ours.step(0.1)
    torch.testing.assert_close(groups[0].magnitudes(), (first - 0.1).clamp(min=0))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_step", r"regularizer no_step: broken_regularizers:NoStep has no method step; it needs penalty and step"),
        ("late", r"regularizer late: __init__ of Late failed \(TypeError"),
        ("function", r"broken_regularizers:function is a builtin_function_or_method, not a class"),
        ("nobody", r"unknown method 'nobody': one of catalyst"),
    ],
)
def test_a_class_that_lacks_part_of_the_contract_is_one_sentence(groups, name, said):
    with pytest.raises(ConfigError, match=said):
        build_regularizer(name, groups)


def test_code_that_fails_later_is_told_whose_it_was(groups):
    ours = build_regularizer("vector", groups)
    with pytest.raises(ConfigError, match=r"vector: penalty\(\) must return a \(\) tensor"):
        ours.penalty()
    with pytest.raises(ConfigError, match=r"vector: step of Vector failed \(ZeroDivisionError: by t\)"):
        ours.step(0.1)
