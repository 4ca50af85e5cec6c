"""The ledger: one row a contender, and its mean and deviation over the seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from catalyst_core.store.base import RaceInfo, RunInfo

ACCURACIES = ("dense_accuracy", "sparse_accuracy", "post_prune_accuracy", "recalibrated_accuracy", "finetuned_accuracy")
NUMBERS = (
    *ACCURACIES,
    "macs",
    "macs_dense",
    "params",
    "params_dense",
    "bytes",
    "bytes_dense",
    "latency_ms",
    "latency_ms_dense",
    "channels_pruned",
    "channels_total",
    "undecided",
    "max_abs_logit_change",
    "max_abs_logit_change_float32",
    "changed_predictions",
    "decision_gap",
    "magnitude_bias",
    "magnitude_bias_low",
    "magnitude_bias_high",
    "train_seconds",
    "regularizer_seconds",
    "trained_params",
    "dense_steps",
    "sparse_steps",
    "finetune_steps",
)
VALIDATION = ("dense", "sparse", "post_prune", "recalibrated", "finetuned")


def ledger_frame(races: RaceInfo | Sequence[RaceInfo]) -> pd.DataFrame:
    """One row a contender of one or several races, whether it got as far as a ledger or not (then its numbers are NaN).

    Columns: race, race_title, run, label, method, seed, state, solver, recovery (how it is fine-tuned), strength, pruning_ratio,
    the numbers of the ledger (accuracies are fractions of the test images; trained_params are those that fine-tuning trains),
    macs_share and params_share (of the dense network), and the same accuracies on the validation images as validation_<stage>.
    """
    several = [races] if isinstance(races, RaceInfo) else list(races)
    rows = [_row(race, run) for race in several for run in race.runs]
    frame = pd.DataFrame(rows, columns=_columns())
    labels = list(dict.fromkeys(frame["label"]))
    return frame.assign(label=pd.Categorical(frame["label"], categories=labels))


def _columns() -> list[str]:
    identity = [
        "race",
        "race_title",
        "run",
        "label",
        "method",
        "seed",
        "state",
        "solver",
        "recovery",
        "strength",
        "pruning_ratio",
    ]
    return [*identity, *NUMBERS, "macs_share", "params_share", *(f"validation_{name}" for name in VALIDATION)]


def _row(race: RaceInfo, run: RunInfo) -> dict[str, Any]:
    ledger, config = run.ledger or {}, run.config
    numbers = {name: _number(ledger.get(name)) for name in NUMBERS}
    validation = ledger.get("validation") or {}
    return (
        {
            "race": race.id,
            "race_title": race.title,
            "run": run.id,
            "label": run.label,
            "method": config.method.name,
            "seed": config.seed,
            "state": run.state,
            "solver": config.method.solver,
            "recovery": config.method.recovery,
            "strength": _number(ledger.get("strength", config.method.effective_strength)),
            "pruning_ratio": _number(ledger.get("pruning_ratio", config.pruning_ratio)),
        }
        | numbers
        | {"macs_share": numbers["macs"] / numbers["macs_dense"], "params_share": numbers["params"] / numbers["params_dense"]}
        | {f"validation_{name}": _number(validation.get(name)) for name in VALIDATION}
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def ledger_summary(ledger: pd.DataFrame) -> pd.DataFrame:
    """Mean and deviation over seeds: one row a race and label, in their order.

    Columns: race, race_title, label, method, seeds (how many have a ledger), and for every number of the ledger its mean under
    its own name and its sample standard deviation as <name>_std (NaN for a single seed).
    """
    numbers = [name for name in _columns() if name in (*NUMBERS, "macs_share", "params_share") or name.startswith("validation_")]
    rows = []
    for (race, label), group in ledger.groupby(["race", "label"], sort=False, observed=True):
        done = group.dropna(subset="macs")
        first = group.iloc[0]
        row = {"race": race, "race_title": first["race_title"], "label": label, "method": first["method"], "seeds": len(done)}
        values = done[numbers].to_numpy(dtype=float)
        counts = np.isfinite(values).sum(axis=0)
        for name, column, count in zip(numbers, values.T, counts, strict=True):
            column = column[np.isfinite(column)]
            row[name] = column.mean() if count else np.nan
            row[f"{name}_std"] = column.std(ddof=1) if count > 1 else np.nan
        rows.append(row)
    columns = ["race", "race_title", "label", "method", "seeds", *(part for name in numbers for part in (name, f"{name}_std"))]
    return pd.DataFrame(rows, columns=columns)
