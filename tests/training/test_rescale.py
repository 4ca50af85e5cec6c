"""The planted rescale audit on a few images: exact where it promises to be, and able to show bias where there is some."""

import numpy as np
import pytest
import torch

from catalyst_core.canonical import rescale_filters
from catalyst_core.config import RaceConfig
from catalyst_core.errors import ConfigError
from catalyst_core.training import rescale
from catalyst_core.training.rescale import jaccard, rescale_audit


def race(*methods, seeds=(0,), sparse_epochs=6):
    return RaceConfig.build(
        data={"name": "digits", "train_images": 200, "batch_size": 50},
        methods=methods,
        seeds=seeds,
        schedule={"dense_epochs": 3, "sparse_epochs": sparse_epochs, "finetune_epochs": 1},
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """(method, factors, seeds) -> result, of two methods and two seeds."""
    told = []
    config = race({"name": "catalyst", "canonicalize": True}, {"name": "group_lasso"}, seeds=(0, 1))
    found = rescale_audit(config, tmp_path_factory.mktemp("dense"), draws=100, tell=told.append)
    assert len(told) == rescale.stages(config) == 20
    assert told[-1] == "group_lasso seed 1"
    return {(one.method, one.factors, one.seeds): one for one in found}


def test_powers_of_two_change_nothing_at_all_in_canonical_form(results):
    found = results["catalyst canonical", "powers_of_two", (0, 1)]
    assert found.identical
    assert found.bit_identical
    assert found.jaccard == 1
    assert found.correlation == pytest.approx(0, abs=1e-12)
    assert (found.max_abs_logit_change, found.max_abs_logit_change_float32) == (0, 0)


def test_the_audit_shows_the_bias_of_group_lasso(results):
    for factors in ("powers_of_two", "any"):
        found = results["group_lasso", factors, (0, 1)]
        assert found.correlation > 0.3
        assert found.low > 0
        assert found.jaccard < 1
        assert not found.identical
        assert not found.bit_identical


def test_any_factors_leave_the_function_alone_up_to_rounding_and_the_canonical_choice_without_bias(results):
    found = results["catalyst canonical", "any", (0, 1)]
    assert 0 < found.max_abs_logit_change < 1e-4
    assert 0 < found.max_abs_logit_change_float32 < 1e-3
    assert abs(found.correlation) < results["group_lasso", "any", (0, 1)].correlation / 3
    assert -1 <= found.low <= found.correlation <= found.high <= 1


def test_the_figures_over_all_seeds_are_means_of_those_of_each(results):
    for method, factors, seeds in [key for key in results if len(key[2]) == 2]:
        whole, each = results[method, factors, seeds], [results[method, factors, (seed,)] for seed in seeds]
        assert whole.correlation == pytest.approx(np.mean([one.correlation for one in each]))
        assert whole.jaccard == pytest.approx(np.mean([one.jaccard for one in each]))
        assert whole.identical == all(one.identical for one in each)
        assert whole.max_abs_logit_change == max(one.max_abs_logit_change for one in each)
    assert len(results) == 12


def test_planting_that_changes_the_function_is_caught(tmp_path, monkeypatch):
    def forgetful(model, groups, factors):
        rescale_filters(model, groups, factors)
        with torch.no_grad():
            model.classifier.weight.mul_(1.01)

    monkeypatch.setattr(rescale, "rescale_filters", forgetful)
    with pytest.raises(AssertionError, match="moved a logit"):
        rescale_audit(race({"name": "catalyst"}, sparse_epochs=1), tmp_path)


def test_a_magnitude_cut_follows_the_planted_scale_and_a_random_one_is_refused(tmp_path):
    found = rescale_audit(race({"name": "none"}, sparse_epochs=1), tmp_path, draws=50)
    assert min(one.correlation for one in found) > 0.5
    with pytest.raises(ConfigError, match="random looks at no filter"):
        rescale_audit(race({"name": "random"}), tmp_path)


@pytest.mark.parametrize(("one", "other", "share"), [("110", "011", 1 / 3), ("101", "101", 1), ("10", "01", 0), ("00", "00", 1)])
def test_jaccard_by_hand(one, other, share):
    assert jaccard(*(np.array(list(bits)) == "1" for bits in (one, other))) == pytest.approx(share)
