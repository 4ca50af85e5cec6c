"""The plan: equal steps for all, one cosine over each half."""

import pytest

from catalyst_core.config import MethodConfig, RaceConfig, Schedule
from catalyst_core.training.plan import LOGGED, MEASURED, Plan


def _plan(method: str = "catalyst", per_epoch: int = 10, **schedule) -> Plan:
    race = RaceConfig.build(schedule=Schedule(**{"dense_epochs": 4, "sparse_epochs": 3, "finetune_epochs": 2, **schedule}))
    return Plan.of(race.contender(MethodConfig(name=method), 0), per_epoch)


def test_all_methods_take_the_same_number_of_steps():
    plans = [_plan(method) for method in ("catalyst", "l1", "group_lasso", "none", "random")]
    assert {plan.total for plan in plans} == {90}
    assert [plan.sparse for plan in plans] == [30, 30, 30, 0, 0]
    assert [plan.finetune for plan in plans] == [20, 20, 20, 50, 50]


def test_all_methods_have_the_same_learning_rate_at_every_step():
    rates = [[_plan(method).learning_rate(step) for step in range(90)] for method in ("catalyst", "none")]
    assert rates[0] == rates[1]


def test_each_half_rises_to_the_peak_and_falls_towards_zero():
    plan = _plan(learning_rate=0.2)
    for first, last in ((0, 39), (40, 89)):
        rates = [plan.learning_rate(step) for step in range(first, last + 1)]
        assert max(rates) == pytest.approx(0.2)
        top = rates.index(max(rates))
        assert rates[: top + 1] == sorted(rates[: top + 1])
        assert rates[top:] == sorted(rates[top:], reverse=True)
        assert 0 < rates[-1] < 0.001


@pytest.mark.parametrize("per_epoch", [1, 18, 156, 400])
def test_a_run_speaks_a_few_hundred_times_however_long_it_is(per_epoch):
    plan = _plan(per_epoch=per_epoch, dense_epochs=30, sparse_epochs=40, finetune_epochs=30)
    steps = range(1, plan.total + 1)
    assert min(plan.total, LOGGED) <= sum(map(plan.is_logged, steps)) <= 2 * LOGGED
    assert min(plan.total, MEASURED) <= sum(map(plan.is_measured, steps)) <= 2 * MEASURED
    assert sum(map(plan.is_evaluated, steps)) <= 130


def test_validation_takes_a_tenth_of_the_time_at_most():
    race = RaceConfig.build(schedule={"dense_epochs": 10, "sparse_epochs": 10, "finetune_epochs": 0})
    plan = Plan.of(race.contender(MethodConfig(name="l1"), 0), 94, 2000)
    looks = sum(map(plan.is_evaluated, range(1, plan.total + 1)))
    assert 15 <= looks <= 20  # once an epoch instead of twice
    assert looks * 2000 / 3 <= 0.1 * plan.total * race.data.batch_size


def test_plans_of_a_single_step_have_a_rate():
    plan = _plan(per_epoch=1, dense_epochs=1, sparse_epochs=1, finetune_epochs=0)
    assert [plan.learning_rate(step) for step in range(plan.total)] == [0.1, 0.1]
