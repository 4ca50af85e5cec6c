"""What a regularizer can be told, and the one sentence for whatever it cannot."""

import inspect
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from catalyst_core.errors import BudgetError, ConfigError, NoGroupsError, NonFiniteError, StrengthError
from catalyst_core.groups import FilterGroups
from catalyst_core.regularizers import REGULARIZERS, Settings, build_regularizer
from tests.core.made import catalyst_with, chain_macs, group_of, pruned_counts, weight_group


def groups_with_macs(*sizes):
    rng = np.random.default_rng(0)
    groups = [group_of(rng.random(size) + 0.5, name=str(index)) for index, size in enumerate(sizes)]
    return FilterGroups(groups, macs=chain_macs(list(sizes)))


def test_every_setting_says_what_it_is_and_is_an_argument():
    arguments = inspect.signature(build_regularizer).parameters
    for name, field in Settings.model_fields.items():
        assert field.description
        assert name in arguments
    with pytest.raises(ValueError, match="frozen"):
        build_regularizer("l1", [group_of([1.0, 2.0])]).settings.strength = 2.0


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        ({"strength": -1.0}, ConfigError, r"strength must lie between 0 and 10000, not -1.0"),
        ({"strength": "much"}, ConfigError, "strength must lie between 0 and 10000, not 'much'"),
        ({"pruning_ratio": 1.0}, BudgetError, "pruning_ratio must lie between 0 and 1, both excluded, not 1.0"),
        ({"macs_ratio": math.nan}, BudgetError, "macs_ratio must lie between 0 and 1, both excluded, not nan"),
        ({"pruning_ratio": 0.5, "macs_ratio": 0.5}, ConfigError, "not both"),
        (
            {"keep_at_least": 1.0, "allocation": "global"},
            BudgetError,
            "keep_at_least must lie between 0 and 1, 1 excluded, not 1.0",
        ),
        ({"allocation": "local"}, ConfigError, "allocation must be one of uniform, global, not 'local'"),
        ({"schedule": "steep", "total_steps": 5}, ConfigError, "schedule must be one of ramp, constant, not 'steep'"),
        ({"start_ratio": 0.0}, ConfigError, "start_ratio must lie between 0 and 100, 0 excluded, not 0.0"),
        ({"total_steps": 0}, ConfigError, "total_steps must be a whole number of at least 1, not 0"),
        ({"evidence_share": 0.6, "total_steps": 5}, ConfigError, "evidence_share must lie between 0 and 0.5, not 0.6"),
        ({"every": 0}, ConfigError, "every must be a whole number of at least 1, not 0"),
        ({"macs_ratio": 0.5}, BudgetError, "groups as find_groups returned them"),
        ({"pruning_ratio": 0.95, "allocation": "global"}, BudgetError, "at most"),
    ],
)
def test_a_setting_outside_its_range_is_one_sentence(given, kind, sentence):
    with pytest.raises(kind, match=sentence) as caught:
        build_regularizer("catalyst", [group_of(np.ones(20))], **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("catalyst", {"keep_at_least": 0.2}, "keep_at_least has no effect"),
        ("catalyst", {"schedule": "ramp"}, "without total_steps"),
        ("catalyst", {"schedule": "ramp", "start_ratio": 1.2, "total_steps": 9}, "fixed start_ratio the strength is constant"),
        ("l1", {"schedule": "ramp", "total_steps": 9}, "no effect on l1"),
        ("catalyst", {"evidence_share": 0.2}, "evidence_share has no effect but on catalyst with a budget and total_steps"),
        ("l1", {"evidence_share": 0.2, "total_steps": 9}, "evidence_share has no effect"),
        ("catalyst", {"start_ratio": 1.2, "pruning_ratio": 0.4}, "pruning_ratio has no effect"),
        ("catalyst", {"start_ratio": 1.2, "allocation": "global"}, "allocation has no effect"),
    ],
)
def test_a_setting_without_effect_warns_where_it_was_given(name, given, sentence):
    with pytest.warns(UserWarning, match=sentence) as caught:
        build_regularizer(name, [group_of([1.0, 2.0])], **given)
    assert [one.filename for one in caught] == [__file__]


def test_settings_with_an_effect_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_regularizer("catalyst", [group_of(np.ones(9))], allocation="global", keep_at_least=0.3)
        build_regularizer("catalyst", [group_of(np.ones(9))], schedule="constant", total_steps=9)


def test_a_constant_schedule_is_constant():
    reg = build_regularizer("catalyst", [group_of([1.0, 2.0])], strength=1.5, schedule="constant", total_steps=50)
    seen = []
    for _ in range(50):
        seen.append(reg.current_strength)
        reg.step(0.0)
    assert seen == [0.0] * 5 + [1.5] * 45  # nothing while evidence is gathered


@pytest.mark.parametrize("found", [nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)), None, [nn.Linear(2, 2)], "groups"])
def test_what_are_no_groups_says_what_to_call(found):
    with pytest.raises(NoGroupsError, match=r"find_groups\(model, example_inputs\)"):
        build_regularizer("catalyst", found)


def test_no_groups_at_all_says_why_each_was_left_out():
    skipped = {f"conv{i}": f"reason {i}" for i in range(5)}
    with pytest.raises(NoGroupsError, match=r"no group .*conv0: reason 0; conv1: reason 1; conv2: reason 2; and 2 more"):
        build_regularizer("catalyst", FilterGroups([], skipped=skipped))
    with pytest.raises(NoGroupsError, match=r"losslessly$"):
        build_regularizer("catalyst", [])


@pytest.mark.parametrize("name", ["catalyst", "l1", "none", "random"])
def test_a_budget_in_macs_acts_and_can_be_changed_while_it_runs(name):
    groups = groups_with_macs(12, 20)
    reg = build_regularizer(name, groups, macs_ratio=0.5)
    assert (reg.macs_ratio, reg.pruning_ratio) == (0.5, None)
    dense = groups.macs.count(np.ones(32, bool))

    def share():
        return 1 - groups.macs.count(reg.measure().kept) / dense

    assert share() == pytest.approx(0.5, abs=0.08)
    reg.macs_ratio = 0.8
    assert share() == pytest.approx(0.8, abs=0.08)
    with pytest.raises(BudgetError, match="cannot be reached"):
        reg.macs_ratio = 0.999
    assert reg.macs_ratio == 0.8
    reg.pruning_ratio = 0.25
    assert (reg.macs_ratio, reg.pruning_ratio, pruned_counts(reg)) == (None, 0.25, [3, 5])


def test_a_step_that_would_overshoot_names_both_numbers_and_changes_nothing():
    reg = build_regularizer("catalyst", [group_of([1.0, 2.0])], strength=5.0, total_steps=10, every=1)
    before, state = reg.measure().magnitudes, reg.state_dict()
    with pytest.raises(StrengthError, match=r"learning rate 1 x strength 1.5 is 1.5: .* below 0.5 \(it is 5\)"):
        reg.step(1.0)
    np.testing.assert_array_equal(reg.measure().magnitudes, before)
    assert reg.state_dict()["steps"] == state["steps"] == 0
    reg.strength = 0.49
    reg.step(1.0)
    with pytest.raises(StrengthError, match="below 1 "):
        catalyst_with([1.0, 2.0], [1.0, 1.0], strength=1.0).step(1.0)
    build_regularizer("group_lasso", [group_of([1.0, 2.0])], strength=5.0).step(1.0)


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["catalyst", "l1", "none"])
def test_a_learning_rate_that_is_none(name, rate):
    reg = build_regularizer(name, [group_of([1.0, 2.0])])
    with pytest.raises(ConfigError, match="learning rate of a step"):
        reg.step(rate)
    assert reg.steps == 0


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_filter_that_is_no_number_is_named_and_nothing_changes(name, value):
    if name == "slimming":
        made = [group_of([1.0, 2.0, 3.0], "layer1.bn")]
    else:
        made = [group_of([1.0, 2.0, 3.0], "layer1.bn"), weight_group([[1.0, 2.0], [3.0, 4.0]], "fc")]
    reg = build_regularizer(name, made)
    parameters = [part.parameter for group in made for part in group.measured]
    named = "layer1.bn.weight"
    with torch.no_grad():
        parameters[0][1] = value
        if name != "slimming":
            parameters[-1][0, 1], named = value, r"layer1.bn.weight \(1 of its filters\), fc.weight \(1"
    before = [parameter.detach().clone() for parameter in parameters]
    for act in (lambda: reg.step(0.1), reg.measure, reg.settle, reg.decisions, lambda: build_regularizer(name, made)):
        with pytest.raises(NonFiniteError, match=named):
            act()
    for parameter, old in zip(parameters, before, strict=True):
        torch.testing.assert_close(parameter.detach(), old, rtol=0, atol=0, equal_nan=True)
    assert reg.steps == 0


def test_states_of_another_budget_or_allocation_are_refused():
    groups = groups_with_macs(12, 20)
    channels, macs = (build_regularizer("catalyst", groups, **{name: 0.5}) for name in ("pruning_ratio", "macs_ratio"))
    spread = build_regularizer("catalyst", groups, allocation="global")
    fixed = build_regularizer("catalyst", groups, start_ratio=1.2)
    for one, other, words in (
        (channels, macs, "a budget in macs"),
        (channels, spread, "allocation global"),
        (spread, channels, "allocation uniform"),
        (channels, fixed, "no budget"),
    ):
        with pytest.raises(ConfigError, match=words):
            one.load_state_dict(other.state_dict())
