"""The ledger as files: every row as CSV; means and deviations over seeds as Markdown and LaTeX."""

import re
import unicodedata
from collections.abc import Sequence

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
TEX_HEADS = {  # in two lines, as narrow as they get; accuracies and shares stand below a percent sign
    "contender": ("", "contender"),
    "race": ("", "race"),
    "seeds": ("", "seeds"),
    "dense": ("dense", r"(\%)"),
    "sparse": ("sparse", r"(\%)"),
    "post-prune": ("post-", r"prune (\%)"),
    "recalibrated": ("recali-", r"brated (\%)"),
    "fine-tuned": ("fine-", r"tuned (\%)"),
    "MACs left": ("MACs", r"left (\%)"),
    "parameters left": ("param.", r"left (\%)"),
    "largest logit change": ("logit", "change"),
    "decision gap": ("decision", "gap"),
    "magnitude bias": ("magnitude", "bias"),
    "training (s)": ("training", "(s)"),
    "regularizer (s)": ("regularizer", "(s)"),
}
SHORT = ("contender", "race", "dense", "post-prune", "recalibrated", "fine-tuned", "MACs left")
TEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "&%_#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$"}
    | {"±": r"$\pm$", "−": "$-$", "–": "--", "λ": r"$\lambda$", "ρ": r"$\rho$", "·": r"$\cdot$"}
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
    heads, rows = ledger_rows(ledger)
    if not rows:
        return NOTHING + "\n"
    lines = [list(heads), ["---"] + ["---:"] * (len(rows[0]) - 1), *rows]
    table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*table, "", NOTE]) + "\n"


def ledger_latex(ledger: pd.DataFrame, source: str = "") -> str:
    """The same table for LaTeX with booktabs, for the full width of a page. `source`: where it comes from, as a comment."""
    heads, rows = ledger_rows(ledger)
    return _latex(heads, rows, r"\scriptsize", source)


def ledger_latex_short(ledger: pd.DataFrame, source: str = "") -> str:
    """Accuracies and MACs only, for one column of a paper."""
    heads, rows = ledger_rows(ledger)
    places = [place for place, head in enumerate(heads) if head in SHORT]
    return _latex(
        [heads[place] for place in places], [[row[place] for place in places] for row in rows], r"\footnotesize", source
    )


def _latex(heads: Sequence[str], rows: Sequence[Sequence[str]], size: str, source: str) -> str:
    top = [f"% {_ascii(' '.join(text.split()))}" for text in (source, NOTE if rows else NOTHING) if text]
    if not rows:
        return "\n".join(top) + "\n"
    columns = "@{}l" + "r" * (len(heads) - 1) + "@{}"
    upper, lower = zip(*(TEX_HEADS[head] for head in heads), strict=True)
    lines = [*top, r"% \usepackage{booktabs}", rf"\begingroup{size}\setlength{{\tabcolsep}}{{2pt}}"]
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _line(upper), _line(lower), r"\midrule"]
    cells = [[_cell(cell.removesuffix(" %")) for cell in row] for row in rows]
    return "\n".join([*lines, *map(_line, cells), r"\bottomrule", r"\end{tabular}", r"\endgroup"]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(text: str) -> str:
    """Text as LaTeX; a deviation in small type, a power of ten as one."""
    mean, sign, deviation = text.partition(" ± ")
    if power := re.fullmatch(r"(−?[\d.]+)e(−?)0*(\d+)", mean):
        return rf"${power[1].replace('−', '-')}\cdot10^{{{power[2].replace('−', '-')}{power[3]}}}$"
    return _ascii(mean.translate(TEX)) + (rf"{{\tiny$\pm{deviation}$}}" if sign else "")


def _ascii(text: str) -> str:
    """Letters with accents lose them, what has no letter becomes a question mark."""
    return unicodedata.normalize("NFKD", text.replace("±", "+/-")).encode("ascii", "replace").decode()


def ledger_rows(ledger: pd.DataFrame) -> tuple[tuple[str, ...], list[list[str]]]:
    """Headings, and a row of text a race and contender that was cut, in their order: means ± deviations over seeds."""
    heads = HEADS if ledger["race"].nunique() < 2 else ("contender", "race", *HEADS[1:])
    return heads, _rows(ledger)


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
