"""The ledger as files: every row as CSV; means and deviations over seeds as Markdown and LaTeX."""

import numpy as np
import pandas as pd

from catalyst_core.figures import words
from catalyst_core.figures.style import title
from catalyst_core.frames.ledger import ACCURACIES, ledger_summary

HEADS = (
    "contender",
    "seeds",
    "dense",
    "sparse",
    "post-prune",
    "recalibrated",
    "fine-tuned",
    "MACs left",
    "parameters left",
    "largest logit change",
    "decision gap",
    "magnitude bias",
    "training (s)",
    "regularizer (s)",
)
NOTE = (
    "Accuracies are of the test images; ± is the sample standard deviation over seeds; the largest logit change is over all "
    "seeds, in float64, between the network before and after the cut."
)
NOTHING = "No contender has reached the cut, so there is no ledger."


def ledger_csv(ledger: pd.DataFrame) -> str:
    """Every contender's row of a `ledger_frame`, numbers as measured; an empty field is a number that does not exist."""
    return ledger.to_csv(index=False, lineterminator="\n")


def ledger_markdown(ledger: pd.DataFrame) -> str:
    """A table of means ± deviations, a row a race and contender, with a line on what the numbers are."""
    rows = _rows(ledger)
    if not rows:
        return NOTHING + "\n"
    lines = [list(_heads(ledger)), ["---"] + ["---:"] * (len(rows[0]) - 1), *rows]
    table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*table, "", NOTE]) + "\n"


def ledger_latex(ledger: pd.DataFrame) -> str:
    """The same table for LaTeX with booktabs."""
    rows = _rows(ledger)
    if not rows:
        return f"% {NOTHING}\n"
    body = [" & ".join(_tex(cell) for cell in row) + r" \\" for row in rows]
    heads = " & ".join(_heads(ledger)) + r" \\"
    columns = "l" + "r" * (len(rows[0]) - 1)
    top = [f"% {NOTE}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", heads, r"\midrule"]
    return "\n".join([*top, *body, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _heads(ledger: pd.DataFrame) -> tuple[str, ...]:
    return HEADS if ledger["race"].nunique() < 2 else ("contender", "race", *HEADS[1:])


def _rows(ledger: pd.DataFrame) -> list[list[str]]:
    done = ledger.dropna(subset=["macs_share"])
    several = ledger["race"].nunique() > 1
    worst = done.groupby(["race", "label"], observed=True)["max_abs_logit_change"].max()
    rows = []
    for _, row in ledger_summary(done).iterrows():
        change = worst[row["race"], row["label"]]
        rows.append(
            [title(row["label"]), *([row["race_title"]] if several else []), str(row["seeds"])]
            + [words.percent(row[name], row[f"{name}_std"]) for name in (*ACCURACIES, "macs_share", "params_share")]
            + [words.number(change)]
            + [_plain(row, "decision_gap", 3), _plain(row, "magnitude_bias")]
            + [_plain(row, "train_seconds", 1), _plain(row, "regularizer_seconds", 2)]
        )
    return rows


def _plain(row: pd.Series, name: str, digits: int = 2) -> str:
    value, deviation = row[name], row[f"{name}_std"]
    if np.isnan(value):
        return "–"
    text = f"{value:.{digits}f}" + ("" if np.isnan(deviation) else f" ± {deviation:.{digits}f}")
    return text.replace("-", "−")


def _tex(cell: str) -> str:
    for plain, tex in (("\\", r"\textbackslash "), ("&", r"\&"), ("%", r"\%"), ("_", r"\_"), ("#", r"\#"), ("$", r"\$")):
        cell = cell.replace(plain, tex)
    for plain, tex in (("±", r"$\pm$"), ("−", "$-$"), ("–", "--"), ("λ", r"$\lambda$"), ("·", r"$\cdot$")):
        cell = cell.replace(plain, tex)
    return cell
