"""Races as text: aligned lines and ledgers; and what every command prints."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

from catalyst_core.finite import finite
from catalyst_core.store import RaceInfo, RunInfo

COLUMNS = {  # ledger key -> heading; accuracies are shown in percent
    "dense_accuracy": "dense",
    "sparse_accuracy": "sparse",
    "post_prune_accuracy": "post-prune",
    "recalibrated_accuracy": "recalibrated",
    "finetuned_accuracy": "fine-tuned",
}


def print_json(record: dict[str, Any]) -> None:
    """One JSON object; numbers that are not finite become null, so that any reader takes it."""
    print(json.dumps(finite(record), indent=2, allow_nan=False))


def aside() -> redirect_stdout:
    """What others' code prints while this is entered goes to standard error: standard output is for what was asked."""
    return redirect_stdout(sys.stderr)


def say(record: dict[str, Any], text: str, *, as_json: bool) -> None:
    """One answer: the record as JSON, or the text."""
    if as_json:
        print_json(record)
    else:
        print(text)


def ledger_rows(race: RaceInfo) -> list[dict[str, Any]]:
    """The ledger rows of the runs that have one, in the order of the configuration."""
    return [run.ledger for run in race.runs if run.ledger]


def run_lines(race: RaceInfo) -> list[str]:
    """A line a contender."""
    width = max(len(run.label) for run in race.runs)
    return [f"  {run.label:{width}}  seed {run.config.seed}  {_status(run)}" for run in race.runs]


def ledger_table(race: RaceInfo) -> str:
    """The ledger as aligned text, one row a contender."""
    return table([_cells(run) for run in race.runs if run.ledger])


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows with the same keys, which are the headings, as aligned text."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)] if rows else []
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _cells(run: RunInfo) -> dict[str, str]:
    row = run.ledger or {}
    accuracies = {head: number(row.get(key), ".1%").replace("%", " %") for key, head in COLUMNS.items()}
    return {
        "method": run.label,
        "seed": str(run.config.seed),
        **accuracies,
        "MACs": f"{100 * row['macs'] / row['macs_dense']:.1f} %",
        "params": f"{100 * row['params'] / row['params_dense']:.1f} %",
        "logit change": number(row.get("max_abs_logit_change"), ".1e"),
        "gap": number(row.get("decision_gap"), ".2f"),
        "bias": number(row.get("magnitude_bias"), "+.2f"),
    }


def number(value: float | None, form: str) -> str:
    """The number in the given form; a dash where there is none."""
    return "-" if value is None or not math.isfinite(value) else f"{value:{form}}"


def _status(run: RunInfo) -> str:
    if run.state == "queued":
        return f"queued, place {run.place}" + (f", priority {run.priority}" if run.priority else "")
    worker = "" if run.is_finished or run.process is None else f", pid {run.process.pid}"
    done = f" in {run.stage}, {100 * run.progress:.0f} %" if run.stage and not run.is_finished else ""
    why = run.reason or run.note
    return f"{run.state}{done}{worker}{': ' + why if why else ''}"
