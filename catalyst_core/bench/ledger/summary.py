"""From rows to what is said of them: the strengths that a sweep picked, means and deviations, and the targets.

Every choice is made by validation accuracy; accuracies of the test images are only reported. One seed is no result: means are
of rows with the same task, section, ratio and label, and a deviation is the sample standard deviation over their seeds.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
COLUMNS = ("post_prune", "finetuned")  # that a strength is picked for, and that the targets are about
NUMBERS = (
    "dense_accuracy",
    "sparse_accuracy",
    "post_prune_accuracy",
    "recalibrated_accuracy",
    "finetuned_accuracy",
    "macs_share",
    "params_share",
    "latency_ratio",
    "train_seconds",
    "regularizer_share",
    "decision_gap",
    "magnitude_bias",
    "flip_point",
    "max_abs_logit_change",
    "share_pruned",
)
FEWEST = 3  # seeds of a result


def picks(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Method -> the strengths with the best validation accuracy right after the cut and fine-tuned; one where they agree."""
    found: dict[str, list[float]] = {}
    for name in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == name and row.get("validation")]
        best = [max(mine, key=lambda row: row["validation"].get(column, -1.0))["strength"] for column in COLUMNS if mine]
        found[name] = list(dict.fromkeys(best))
    return found


def summarise(rows: Sequence[Row]) -> list[Row]:
    """One row a task, section, ratio, schedule and label: seeds with a ledger, how many failed, each number's mean and `_std`."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row["task"], row["section"], row["ratio"], tuple(sorted(row["schedule"].items())), row["label"])
        groups.setdefault(key, []).append(row)
    return [_summary(group) for group in groups.values()]


def _summary(group: Sequence[Row]) -> Row:
    first = group[0]
    done = [with_shares(row) for row in group if row.get("macs")]
    kept = ("task", "section", "ratio", "label", "method", "solver", "source", "schedule", "settings")
    said = {name: first[name] for name in kept}
    said |= {"strength": done[0]["strength"] if done else None, "seeds": len(done), "failed": len(group) - len(done)}
    for name in NUMBERS:
        said |= _mean(name, [row.get(name) for row in done])
    for column in COLUMNS:
        said |= _mean(f"validation_{column}", [row["validation"].get(column) for row in done])
    return said


def _mean(name: str, values: Sequence[float | None]) -> Row:
    known = [value for value in values if value is not None and math.isfinite(value)]
    mean = statistics.fmean(known) if known else None
    return {name: mean, f"{name}_std": statistics.stdev(known) if len(known) > 1 else None}


def with_shares(row: Row) -> Row:
    """A row with what it costs as shares of the dense network (of a training second: what the regularizer takes)."""
    return row | {
        "macs_share": row["macs"] / row["macs_dense"],
        "params_share": row["params"] / row["params_dense"],
        "latency_ratio": row["latency_ms"] / row["latency_ms_dense"],
        "regularizer_share": row["regularizer_seconds"] / row["train_seconds"] if row["train_seconds"] else None,
        "share_pruned": row["channels_pruned"] / row["channels_total"],
    }
