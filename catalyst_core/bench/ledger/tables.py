"""The tables of a ledger as text: a row a contender with mean and deviation, and the same unrounded as CSV."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from catalyst_core.bench.ledger.plan import SWEEP
from catalyst_core.bench.ledger.summary import COLUMNS, FEWEST, NUMBERS, Row, picks, summarise
from catalyst_core.catalog import METHODS
from catalyst_core.figures import words
from catalyst_core.figures.style import title

COLUMN_NAMES = {"post_prune": "post-prune", "finetuned": "fine-tuned"}
NOTHING = "–"
LONGEST_REASON = 120  # characters; the whole of it is in rows.csv


class Table(NamedTuple):
    """Headings and rows of text; the first `left` columns are words."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


class Choice:
    """Why a contender has the strength that it has."""

    def __init__(self, rows: Sequence[Row]) -> None:
        sweeps: dict[str, list[Row]] = {}
        for row in rows:
            if row["section"] == SWEEP:
                sweeps.setdefault(row["task"], []).append(row)
        self.picks = {task: picks(some) for task, some in sweeps.items()}

    def picked_for(self, row: Row) -> list[str]:
        """The columns whose validation accuracy picked this strength on this task."""
        found = self.picks.get(row["task"], {}).get(row["method"], [])
        best = found * len(COLUMNS) if len(found) == 1 else found  # one for both columns, or one for each
        return [column for column, strength in zip(COLUMNS, best, strict=False) if strength == row["strength"]]

    def is_default(self, row: Row) -> bool:
        """Whether it is the strength of the catalogue: for a peer, the documented one."""
        return "strength" not in row["settings"] or row["settings"]["strength"] == METHODS[row["method"]].strength

    def said(self, row: Row) -> str:
        """'default', 'documented', 'picked (post-prune)', or several of these; '' for methods without a strength."""
        method = METHODS[row["method"]]
        if method.strength is None:
            return ""
        columns = [COLUMN_NAMES[column] for column in self.picked_for(row)]
        parts = ["documented" if method.is_peer else "default"] * self.is_default(row)
        parts += ["picked" if len(columns) == len(COLUMNS) else f"picked ({columns[0]})"] if columns else []
        return ", ".join(parts) or "given"


def percent(row: Row, name: str) -> str:
    """'97.5 ± 0.3', of a share in a summary; a dash where there is none."""
    mean, deviation = row[name], row[f"{name}_std"]
    if mean is None:
        return NOTHING
    return words.percent(mean, float("nan") if deviation is None else deviation).removesuffix(" %")


def _number(name: str, digits: int) -> Callable[[Row], str]:
    def said(row: Row) -> str:
        mean, deviation = row[name], row[f"{name}_std"]
        if mean is None:
            return NOTHING
        text = f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")
        return text.replace("-", "−")

    return said


def _percent(name: str) -> Callable[[Row], str]:
    return lambda row: percent(row, name)


ACCURACIES = {
    "sparse %": _percent("sparse_accuracy"),
    "post-prune %": _percent("post_prune_accuracy"),
    "recalibrated %": _percent("recalibrated_accuracy"),
    "fine-tuned %": _percent("finetuned_accuracy"),
}
DECISIONS = {
    "gap": _number("decision_gap", 2),
    "flip point": _number("flip_point", 3),
    "magnitude bias": _number("magnitude_bias", 2),
}
COSTS = {
    "latency ratio": _number("latency_ratio", 2),
    "training s": _number("train_seconds", 1),
    "regularizer %": _percent("regularizer_share"),
}


def main_table(ledger: Mapping[str, Any], task: str, ratio: float) -> Table:
    """Everybody who raced on a task at a ratio, in the order of the suite; failed ones with their reason."""
    rows = [row for row in ledger["rows"] if (row["task"], row["section"], row["ratio"]) == (task, "main", ratio)]
    choice = Choice(ledger["rows"])
    first = {
        "method": lambda row: title(row["label"]),
        "code": lambda row: row["source"],
        "strength": lambda row: _strength(row, choice),
        "seeds": _seeds,
        "MACs %": _macs,
    }
    return _table(rows, first | ACCURACIES | DECISIONS | COSTS, 3)


def study_table(ledger: Mapping[str, Any], study: str) -> Table:
    """Everybody of a study."""
    rows = [row for row in ledger["rows"] if row["section"] == study]
    first = {
        "method": lambda row: title(row["label"]),
        "epochs": lambda row: "+".join(str(epochs) for epochs in row["schedule"].values()),
        "seeds": _seeds,
        "MACs %": _macs,
    }
    return _table(rows, first | ACCURACIES | DECISIONS, 2)


def _table(rows: Sequence[Row], columns: Mapping[str, Callable[[Row], str]], left: int) -> Table:
    summary = summarise(rows)
    reasons = [_reasons(rows, row) for row in summary]
    cells = [[said(row) for said in columns.values()] for row in summary]
    if not any(reasons):
        return Table(list(columns), cells, left)
    return Table([*columns, "failed"], [[*some, reason] for some, reason in zip(cells, reasons, strict=True)], left)


def _reasons(rows: Sequence[Row], said: Row) -> str:
    same = ("label", "task", "section", "ratio", "schedule")
    mine = [row for row in rows if not row.get("macs") and all(row[name] == said[name] for name in same)]
    text = "; ".join(f"seed {row['seed']} {row['state']}: {row['reason'] or 'no reason known'}" for row in mine)
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "..."


def _seeds(row: Row) -> str:
    return str(row["seeds"]) if not row["failed"] else f"{row['seeds']} of {row['seeds'] + row['failed']}"


def _macs(row: Row) -> str:
    return NOTHING if row["macs_share"] is None else f"{100 * row['macs_share']:.1f}"


def _strength(row: Row, choice: Choice) -> str:
    why, default = choice.said(row), METHODS[row["method"]].strength
    strength = row["strength"] if row["strength"] is not None else row["settings"].get("strength", default)
    return f"{strength:g}, {why}" if why else NOTHING


def sweep_table(ledger: Mapping[str, Any], task: str) -> Table:
    """Every strength that was tried on a task, by validation accuracy, and for what it was picked."""
    rows = summarise([row for row in ledger["rows"] if (row["task"], row["section"]) == (task, SWEEP)])
    choice = Choice(ledger["rows"])
    columns = {
        "method": lambda row: title(row["method"]),
        "strength": lambda row: NOTHING if row["strength"] is None else f"{row['strength']:g}",
        "validation, post-prune %": _percent("validation_post_prune"),
        "validation, fine-tuned %": _percent("validation_finetuned"),
        "picked for": lambda row: ", ".join(COLUMN_NAMES[column] for column in choice.picked_for(row)),
    }
    return Table(list(columns), [[said(row) for said in columns.values()] for row in rows])


def audit_table(audits: Sequence[Row]) -> Table:
    """The planted rescale audits."""
    heads = ("method", "factors", "seeds", "correlation [low, high]", "overlap (Jaccard)", "same filters", "bit for bit")
    rows = [
        [
            title(row["method"]),
            row["factors"].replace("_", " "),
            str(len(row["seeds"])),
            f"{_signed(row['correlation'])} [{_signed(row['low'])}, {_signed(row['high'])}]",
            NOTHING if row["jaccard"] is None else f"{row['jaccard']:.3f}",
            "yes" if row["identical"] else "no",
            "yes" if row["bit_identical"] else "no",
        ]
        for row in audits
    ]
    return Table(heads, rows, 2)


def timing_table(timings: Sequence[Row]) -> Table:
    """Seconds of a training step, to a plain one's, the fastest first."""
    rows = [
        [title(row["label"]), row["source"], f"{row['ratio']:.3f}", f"{row['plain_ms']:.2f}"]
        for row in sorted(timings, key=lambda row: row["ratio"])
    ]
    return Table(("method", "code", "step, of a plain one", "plain step ms"), rows, 2)


def target_table(targets: Sequence[Row], titles: Mapping[str, str]) -> Table:
    """What was wanted, and by how much it was met or missed. `titles`: of the tasks."""
    rows = [
        [titles[one["task"]], NOTHING if one["ratio"] is None else f"{one['ratio']:g}", verdict(one), one["sentence"]]
        for one in targets
    ]
    return Table(("task", "ratio", "verdict", "found"), rows, 4)


def verdict(target: Row) -> str:
    """'met', 'missed by 3.1 points', 'not run' or why there is no verdict."""
    wanted, found = target["wanted"], target["found"]
    if target["met"] is None:
        return "not run" if found is None else f"no result: fewer than {FEWEST} seeds"
    if target["met"]:
        return "met"
    if target["column"] == "seconds":
        return f"missed by {found - wanted:.3f}" if found > wanted else "missed: another method is faster"
    return f"missed by {100 * (wanted - found):.1f} points"


def _signed(value: float | None) -> str:
    return NOTHING if value is None else f"{value:+.2f}".replace("-", "−")


def rows_csv(rows: Sequence[Row]) -> str:
    """Every contender's row as measured; accuracies are fractions, nested values JSON."""
    flat = [
        {name: value for name, value in row.items() if name != "validation"}
        | {f"validation_{name}": value for name, value in (row.get("validation") or {}).items()}
        for row in rows
    ]
    return _csv(flat, list(dict.fromkeys(name for row in flat for name in row)))


def summary_csv(rows: Sequence[Row]) -> str:
    """Means and sample deviations over seeds, unrounded, and why each has its strength."""
    choice = Choice(rows)
    summary = [row | {"chosen": choice.said(row)} for row in summarise(rows)]
    first = ["task", "section", "ratio", "label", "source", "strength", "chosen", "seeds", "failed", "schedule"]
    validation = [f"validation_{column}" for column in COLUMNS]
    return _csv(summary, [*first, *(part for name in (*NUMBERS, *validation) for part in (name, f"{name}_std"))])


def _csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values = (row.get(name) for name in names)
        writer.writerow([json.dumps(value) if isinstance(value, dict | list) else value for value in values])
    return out.getvalue()
