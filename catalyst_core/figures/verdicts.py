"""What a ledger says, in honest sentences: who is ahead, by how much, and whether that can be told from chance."""

import math
from collections.abc import Sequence

import pandas as pd

from catalyst_core.figures import style

STAGES = {"post_prune_accuracy": "Right after the cut", "finetuned_accuracy": "After fine-tuning"}
LOSSLESS = 1e-10  # of a logit, in float64


def verdicts(summary: pd.DataFrame) -> list[str]:
    """Sentences on one race from its `ledger_summary`; none while fewer than two contenders have a ledger."""
    done = summary.dropna(subset=["finetuned_accuracy"])
    said = [_comparison(done, column, when) for column, when in STAGES.items()] if len(done) > 1 else []
    return [*filter(None, said), *_cuts(done)]


def _comparison(done: pd.DataFrame, column: str, when: str) -> str:
    ranked = done.dropna(subset=[column]).sort_values(column, ascending=False, kind="stable")
    if len(ranked) < 2:
        return ""
    first = ranked.iloc[0]
    # Catalyst is who this is about: it is compared with the best of the others, whether it leads or not.
    ours = ranked[ranked["method"] == "catalyst"]
    other = ours.iloc[0] if len(ours) and first["method"] != "catalyst" else ranked.iloc[1]
    points = 100 * (first[column] - other[column])
    text = f"{when}: {_named(first, column)}, ahead of {_named(other, column)} by {points:.1f} points"
    if points < 0.05:
        text = f"{when}: {_named(first, column)} and {_named(other, column)} are level"
    return f"{text}; {_trust(first, other, column)}."


def _named(row: pd.Series, column: str) -> str:
    return f"{style.title(row['label'])} ({100 * row[column]:.1f} %)"


def _trust(first: pd.Series, other: pd.Series, column: str) -> str:
    seeds = int(min(first["seeds"], other["seeds"]))
    if seeds < 2:
        return "one seed, so its deviation is not known"
    # Standard error of the difference of two means.
    error = math.sqrt(sum(row[f"{column}_std"] ** 2 / row["seeds"] for row in (first, other)))
    apart = first[column] - other[column] > 2 * error
    return f"{seeds} seeds, {'more' if apart else 'not more'} than two standard errors apart"


def _cuts(done: pd.DataFrame) -> list[str]:
    cut = done.dropna(subset=["max_abs_logit_change"])
    lossless = cut[cut["max_abs_logit_change"] <= LOSSLESS]
    changed = cut[cut["max_abs_logit_change"] > LOSSLESS]
    said = []
    if len(lossless):
        said.append(f"The cut itself changed nothing for {_listed(lossless)}: no logit moved by more than 1e-10 in float64.")
    if len(changed):
        worst = changed["max_abs_logit_change"].max()
        said.append(f"It changed the logits of {_listed(changed)} by up to {worst:.2g}.")
    return said


def _listed(rows: pd.DataFrame) -> str:
    names: Sequence[str] = [style.title(label) for label in rows["label"]]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
