"""From rows to what is said of them: arithmetic against numpy, and choices by validation alone."""

import statistics

import numpy as np
import pytest

from catalyst_core.bench.ledger.summary import NUMBERS, picks, summarise, with_shares
from catalyst_core.bench.ledger.tables import Choice, verdict
from catalyst_core.bench.ledger.targets import picked, targets
from tests.bench import made


def test_means_and_deviations_are_those_of_numpy():
    rows = made.main_rows(seeds=(0, 1, 2, 7))
    summary = summarise(rows)
    assert len(summary) == len(rows) / 4
    for said in summary:
        mine = [with_shares(row) for row in rows if (row["ratio"], row["label"]) == (said["ratio"], said["label"])]
        for name in NUMBERS:
            values = [row[name] for row in mine]
            assert said[name] == pytest.approx(np.mean(values), rel=1e-12)
            assert said[f"{name}_std"] == pytest.approx(np.std(values, ddof=1), rel=1e-9, abs=1e-15)


def test_a_number_that_one_seed_lacks_is_the_mean_of_the_others():
    rows = [made.row(seed=seed, flip_point=flip) for seed, flip in enumerate((0.1, None, 0.4))]
    said = summarise(rows)[0]
    assert (said["flip_point"], said["flip_point_std"]) == (0.25, statistics.stdev((0.1, 0.4)))
    assert said["seeds"] == 3


def test_one_seed_has_no_deviation_and_is_no_result():
    ledger = made.ledger(made.main_rows(seeds=(0,)), seeds=[0], timings=[])
    assert all(row["post_prune_accuracy_std"] is None for row in summarise(ledger["rows"]))
    assert {one["met"] for one in targets(ledger)} == {None}
    assert {verdict(one) for one in targets(ledger)} == {"no result: fewer than 3 seeds"}
    assert True in {one["met"] for one in targets(made.ledger(timings=[]))}


def test_failed_contenders_are_counted_and_leave_the_mean_alone():
    rows = [made.row("l1", 0), made.row("l1", 1), made.failed("l1", 2, "the loss is not finite")]
    both, three = summarise(rows[:2])[0], summarise(rows)[0]
    assert (three["seeds"], three["failed"]) == (2, 1)
    assert three | {"failed": 0} == both


def test_schedules_tasks_and_ratios_are_never_averaged_together():
    other = made.row(schedule={"dense_epochs": 1, "sparse_epochs": 1, "finetune_epochs": 1})
    rows = [made.row(), other, made.row(ratio=0.7), made.row(task="cifar10"), made.row(section="strength")]
    assert [row["seeds"] for row in summarise(rows)] == [1] * 5


def test_the_sweep_picks_by_validation_whatever_the_test_images_say():
    rows = made.sweep_rows()
    assert picks(rows) == {name: list(values) for name, values in made.STRENGTHS.items()}
    turned = [row | {f"{name}_accuracy": 1 - row["validation"][name] for name in ("post_prune", "finetuned")} for row in rows]
    assert picks(turned) == picks(rows)
    better = [row["validation"] | {"post_prune": row["strength"]} for row in rows]
    assert picks([row | {"validation": one} for row, one in zip(rows, better, strict=True)])["tp_group_norm"] == [0.05]


def test_who_takes_part_in_a_target_is_chosen_by_validation():
    rows = [
        made.row("tp_group_norm", seed, strength=strength, validation={"post_prune": known, "finetuned": known}, **accuracies)
        for strength, known, test in ((0.005, 0.9, 0.2), (0.05, 0.8, 0.95))
        for seed in (0, 1, 2)
        for accuracies in ({"post_prune_accuracy": test, "finetuned_accuracy": test},)
    ]
    for column in ("post_prune", "finetuned"):
        assert [row["strength"] for row in picked(summarise(rows), column)] == [0.005]


def test_why_a_contender_has_its_strength():
    ledger = made.ledger()
    choice = Choice(ledger["rows"])
    said = {row["label"]: choice.said(row) for row in summarise(ledger["rows"]) if row["section"] == "main"}
    assert said["catalyst"] == "default"
    assert said["none"] == ""
    assert said["tp_group_norm"] == "documented"
    assert said["tp_group_norm 0.005"] == "picked (post-prune)"
    assert said["tp_group_norm 0.05"] == "picked (fine-tuned)"
    assert said["l1 0.1"] == "picked"


@pytest.mark.parametrize(
    ("met", "found", "wanted", "column", "said"),
    [
        (True, 0.3, 0.2, "post_prune", "met"),
        (False, 0.012, 0.2, "post_prune", "missed by 18.8 points"),
        (False, 1.05, 1.02, "seconds", "missed by 0.030"),
        (False, 1.01, 1.02, "seconds", "missed: another method is faster"),
        (None, None, 0.2, "post_prune", "not run"),
    ],
)
def test_a_verdict_says_by_how_much(met, found, wanted, column, said):
    assert verdict({"met": met, "found": found, "wanted": wanted, "column": column}) == said
