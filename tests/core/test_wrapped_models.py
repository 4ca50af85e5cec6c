"""A compiled or parallel wrapper is looked through: the same groups, names, decisions and cut as for the network inside."""

import copy

import pytest
import torch
from torch import nn

from catalyst_core import canonicalize, certify, find_groups, plant_rescale, remove_filters, zero_pruned
from catalyst_core.cost import count
from catalyst_core.wrappers import unwrap
from tests.core.loops import (
    RATE,
    assert_settled_within_budget_and_lossless,
    catalyst,
    digits,
    plain,
    run,
    small_cnn,
)

BACKENDS = ("eager", "aot_eager")  # neither needs a C++ compiler


@pytest.fixture(autouse=True)
def fresh_compiler():
    """Compiled code is remembered by the code it came from, across models."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


WRAPPERS = {
    "compiled": lambda model: torch.compile(model, backend="eager"),
    "data parallel": nn.DataParallel,
    "both": lambda model: nn.DataParallel(torch.compile(model, backend="eager")),
    "twice": lambda model: torch.compile(nn.DataParallel(model), backend="eager"),
}


def compiled_in_place(model: nn.Module) -> nn.Module:
    model.compile(backend="eager")
    return model


@pytest.mark.parametrize("wrap", [*WRAPPERS.values(), compiled_in_place], ids=[*WRAPPERS, "compiled in place"])
def test_a_wrapper_has_the_groups_the_cut_and_the_cost_of_the_network_inside(wrap):
    model = small_cnn()
    images = digits().test_x[:8]
    wrapped = wrap(copy.deepcopy(model))
    groups, expected = find_groups(wrapped, images[:2]), find_groups(model, images[:2])
    assert [(group.name, group.size) for group in groups] == [(group.name, group.size) for group in expected]
    assert [part.name for group in groups for part in group.cut] == [part.name for group in expected for part in group.cut]
    inside = {id(parameter) for parameter in wrapped.parameters()}
    assert all(id(parameter) in inside for group in groups for parameter in group.parameters())
    decisions = catalyst(model).decisions()
    zero_pruned(groups, decisions)
    with pytest.warns(UserWarning, match="160 channels are undecided"):
        small = remove_filters(wrapped, images[:2], decisions)
    assert type(small) is type(model)
    assert list(small.state_dict()) == list(model.state_dict())
    assert certify(wrapped, wrap(copy.deepcopy(small)), images).lossless
    assert certify(wrapped, model, images).max_abs_logit_change > 1e-3
    assert count(wrapped, images[:1]).macs == count(model, images[:1]).macs


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapper_is_rescaled_as_the_network_inside_is(wrap):
    model, images = small_cnn(), digits().test_x[:8]
    wrapped = wrap(copy.deepcopy(model))
    groups = find_groups(wrapped, images[:2])
    plant_rescale(wrapped, groups, seed=1)
    assert len(canonicalize(wrapped, groups).rescaled) == 3
    assert certify(model, wrapped, images).max_abs_logit_change < 1e-4
    assert all(torch.allclose(group.magnitudes(), torch.ones(group.size)) for group in groups)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_compiled_network_trains_settles_and_is_cut(backend):
    model = torch.compile(small_cnn(), backend=backend)
    regularizer = catalyst(model)
    run(model, regularizer, plain(torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)))
    assert_settled_within_budget_and_lossless(model, regularizer)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_compiled_graph_sees_what_is_changed_in_place(backend):
    images = digits().test_x[:8]
    model = small_cnn().eval()
    compiled = torch.compile(model, backend=backend)
    with torch.no_grad():
        before = compiled(images)
        regularizer = catalyst(compiled)
        regularizer.settle()
        after = compiled(images)
        torch.testing.assert_close(after, model(images))
    assert float((after - before).abs().max()) > 1e-3
    small = torch.compile(remove_filters(compiled, images[:2], regularizer.decisions()), backend=backend)
    with torch.no_grad():
        torch.testing.assert_close(small(images), after)


def test_what_is_no_wrapper_is_itself():
    model = small_cnn()
    assert unwrap(model) is model
    assert unwrap(nn.Sequential(model)) is not model
    assert unwrap(torch.compile(nn.DataParallel(model), backend="eager")) is model
