"""What the evidence should show, and how far it does: the arithmetic is done again from the rows each time.

    post-prune    Catalyst's mean - the best other method's, points of test accuracy right after the cut: at least 20
    fine-tuned    no peer's mean is above Catalyst's by more than the peer's deviation; and Catalyst's is the highest of all
    seconds       a training step of Catalyst / a plain one: at most 1.02, and the smallest of all methods that regularize

Each method takes part with the strength that validation accuracy picks for the column; all have the same MACs, within 2 %.
"""

from collections.abc import Sequence
from typing import Any

from catalyst_core.bench.ledger.suites import TARGET_RATIOS
from catalyst_core.bench.ledger.summary import FEWEST, Row, summarise
from catalyst_core.catalog import OURS
from catalyst_core.figures.style import title

OUR_METHOD = "catalyst"
MARGIN, SAME_MACS, MOST_TIME = 0.20, 0.02, 1.02


def targets(ledger: dict[str, Any]) -> list[Row]:
    """One row a target, task and ratio: task, ratio, column, wanted, found, best_label, best_source, met, sentence.

    `met` is None where it was not run, or on fewer than three seeds; `found` and `wanted` are accuracies (0..1) or ratios.
    """
    summary = [row for row in summarise(ledger["rows"]) if row["section"] == "main"]
    found = []
    for task in ledger["tasks"]:
        for ratio in TARGET_RATIOS:
            group = [row for row in summary if (row["task"], row["ratio"]) == (task["name"], ratio)]
            if group:
                found += [_post_prune(task, ratio, group), _no_peer_ahead(task, ratio, group), _ahead_of_all(task, ratio, group)]
        found += _seconds(task, ledger.get("timings", []))
    return found


def picked(rows: Sequence[Row], column: str) -> list[Row]:
    """Of each method and solver the row with the best validation accuracy in that column, in the order they come."""
    best: dict[tuple[str, str], Row] = {}
    for row in rows:
        if row[f"{column}_accuracy"] is None:
            continue
        key, value = (row["method"], row["solver"]), row[f"validation_{column}"]
        if key not in best or value > best[key][f"validation_{column}"]:
            best[key] = row
    return list(best.values())


def _sides(group: Sequence[Row], column: str) -> tuple[Row | None, list[Row]]:
    """Catalyst's row as a race has it by default, and everybody else's picked one at the same MACs."""
    ours = next((row for row in group if row["label"] == OUR_METHOD and row[f"{column}_accuracy"] is not None), None)
    others = picked([row for row in group if row["method"] != OUR_METHOD], column)
    if ours is None:
        return None, others
    return ours, [row for row in others if abs(row["macs_share"] / ours["macs_share"] - 1) <= SAME_MACS]


def _row(task: Row, ratio: float, column: str, wanted: float, found: float | None, best: Row | None, **more: Any) -> Row:
    whose = {"best_label": best and best["label"], "best_source": best and best["source"]}
    return {"task": task["name"], "ratio": ratio, "column": column, "wanted": wanted, "found": found, **whose, **more}


def _met(ours: Row, others: Sequence[Row], reached: bool) -> bool | None:
    return None if min(row["seeds"] for row in (ours, *others)) < FEWEST else reached


def _post_prune(task: Row, ratio: float, group: Sequence[Row]) -> Row:
    ours, others = _sides(group, "post_prune")
    if ours is None or not others:
        return _missing(task, ratio, "post_prune", MARGIN)
    best = max(others, key=lambda row: row["post_prune_accuracy"])
    margin = ours["post_prune_accuracy"] - best["post_prune_accuracy"]
    above = sum(ours["post_prune_accuracy"] - row["post_prune_accuracy"] >= MARGIN for row in others)
    sentence = (
        f"Right after the cut Catalyst has {_percent(ours['post_prune_accuracy'])}, the best other method "
        f"({title(best['label'])}, {best['source']}) {_percent(best['post_prune_accuracy'])}: {_points(margin)} points, "
        f"{100 * MARGIN:.0f} were wanted; it is that far above {above} of {len(others)} methods."
    )
    return _row(task, ratio, "post_prune", MARGIN, margin, best, met=_met(ours, others, margin >= MARGIN), sentence=sentence)


def _no_peer_ahead(task: Row, ratio: float, group: Sequence[Row]) -> Row:
    ours, others = _sides(group, "finetuned")
    peers = [row for row in others if row["source"] != OURS]
    if ours is None or not peers:
        return _missing(task, ratio, "finetuned_peers", 0.0)
    best = max(peers, key=lambda row: row["finetuned_accuracy"])
    ahead = [
        row for row in peers if row["finetuned_accuracy"] - ours["finetuned_accuracy"] > (row["finetuned_accuracy_std"] or 0)
    ]
    lead = ours["finetuned_accuracy"] - best["finetuned_accuracy"]
    said = ", ".join(title(row["label"]) for row in ahead) or "none"
    theirs = f"{title(best['label'])}) {_percent(best['finetuned_accuracy'])} ± {_points(best['finetuned_accuracy_std'])}"
    sentence = (
        f"Fine-tuned, Catalyst has {_percent(ours['finetuned_accuracy'])} ± {_points(ours['finetuned_accuracy_std'])}, the best "
        f"peer ({theirs}; peers ahead by more than their deviation: {said}."
    )
    return _row(task, ratio, "finetuned_peers", 0.0, lead, best, met=_met(ours, peers, not ahead), sentence=sentence)


def _ahead_of_all(task: Row, ratio: float, group: Sequence[Row]) -> Row:
    ours, others = _sides(group, "finetuned")
    if ours is None or not others:
        return _missing(task, ratio, "finetuned", 0.0)
    best = max(others, key=lambda row: row["finetuned_accuracy"])
    lead = ours["finetuned_accuracy"] - best["finetuned_accuracy"]
    sentence = (
        f"Fine-tuned, Catalyst's mean is {_points(abs(lead))} points {'above' if lead >= 0 else 'below'} that of the best other "
        f"method ({title(best['label'])}, {best['source']}: {_percent(best['finetuned_accuracy'])})."
    )
    return _row(task, ratio, "finetuned", 0.0, lead, best, met=_met(ours, others, lead > 0), sentence=sentence)


def _seconds(task: Row, timings: Sequence[Row]) -> list[Row]:
    mine = [row for row in timings if row["task"] == task["name"]]
    ours = next((row for row in mine if row["label"] == OUR_METHOD), None)
    if ours is None:
        return []
    others = [row for row in mine if row is not ours]
    best = min(others, key=lambda row: row["ratio"])
    fastest = ours["ratio"] <= best["ratio"]
    sentence = (
        f"A training step with Catalyst takes {ours['ratio']:.3f} of a plain one; the fastest other method that regularizes "
        f"({title(best['label'])}, {best['source']}) {best['ratio']:.3f}."
    )
    met = ours["ratio"] <= MOST_TIME and fastest
    return [_row(task, None, "seconds", MOST_TIME, ours["ratio"], best, met=met, sentence=sentence)]


def _missing(task: Row, ratio: float, column: str, wanted: float) -> Row:
    return _row(task, ratio, column, wanted, None, None, met=None, sentence="Not run yet.")


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:.1f}"
