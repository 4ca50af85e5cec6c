"""Training curves: loss, accuracy, penalty and share pruned over steps, epochs or seconds, with a mark at each live change."""

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd

from catalyst_core.events import value_text
from catalyst_core.figures import words
from catalyst_core.figures.scales import LogScale
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown
from catalyst_core.figures.style import Look, Theme

Clock = Literal["step", "epoch", "seconds"]
Quantity = Literal["loss", "accuracy", "penalty", "share_pruned", "strength", "learning_rate"]

CLOCKS: dict[Clock, str] = {"step": "optimizer steps", "epoch": "epochs", "seconds": "training time (s)"}
AXES: dict[Quantity, dict[str, Any]] = {
    "loss": {"title": "training loss"},
    "accuracy": {"title": "accuracy (%)"},
    "penalty": {"title": "penalty R", "rangemode": "tozero"},
    "share_pruned": {"title": "share pruned (%)", "rangemode": "tozero"},
    "strength": {"title": "strength λ", "rangemode": "tozero"},
    "learning_rate": {"title": "learning rate", "rangemode": "tozero"},
}
NAMES = {"strength": "λ", "pruning_ratio": "ratio", "macs_ratio": "MACs ratio", "roll-back": "back, step"}  # of changes
PERCENT = ("accuracy", "share_pruned")
FOUR: tuple[Quantity, ...] = ("loss", "accuracy", "penalty", "share_pruned")
NOTHING = "No training step has been logged yet."
POINTS = 240  # drawn at most a line; of more every k-th is drawn, and the last
MARKED = 16  # points of a line that get a mark each; more would hide the line
SAID = 6  # live changes that are labelled; more are only marked


@Plot
def plot_curves(
    frame: pd.DataFrame,
    changes: pd.DataFrame | None = None,
    *,
    x: Clock = "step",
    y: Quantity | Sequence[Quantity] = FOUR,
    theme: Theme = "light",
    reason: str = NOTHING,
) -> Sheet:
    """One panel a quantity from a `curves_frame`, marks from a `changes_frame`; a line a seed, one look a contender.

    Accuracy: full lines are validation images, faint lines the training batches.
    """
    quantities: tuple[Quantity, ...] = (y,) if isinstance(y, str) else tuple(y)
    columns = 1 if len(quantities) == 1 else 2
    rows = -(-len(quantities) // columns)
    sheet = Sheet(theme, height=300 if rows == 1 else 70 + 190 * rows)
    panels = sheet.grid(rows, columns, gaps=(0.1, 0.12))[: len(quantities)]
    looks = shown(frame, theme)
    lines = _lines(frame, [x, *quantities])
    stages = _stages(frame, x)
    for place, (panel, quantity) in enumerate(zip(panels, quantities, strict=True)):
        across: dict[str, Any] = {"rangemode": "tozero"}
        across |= {"title": CLOCKS[x]} if place >= len(panels) - columns else {"showticklabels": False}
        across |= {} if panel is panels[-1] else {"matches": panels[-1].x}
        sheet.axes(panel, across, _losses(frame) if quantity == "loss" else AXES[quantity])
        _begins(sheet, panel, stages, labelled=place == 0)
        for label, look in looks.items():
            drawn = {split: _drawn(lines.get((label, split)), place + 1, quantity) for split in ("train", "validation")}
            _curve(sheet, panel, drawn, look, (x, quantity), in_legend=place == 0)
    if changes is not None and len(changes):
        _changes(sheet, panels, changes, x)
    sheet.legend([look.title for look in looks.values()])
    if not looks:
        sheet.empty(reason)
    return sheet


def caption_curves(frame: pd.DataFrame) -> str:
    """How far each contender is, with its newest validation accuracy."""
    if frame.empty:
        return NOTHING
    newest = frame[frame["split"] == "validation"].groupby(["label", "run"], observed=True).last()
    parts = []
    for label, look in shown(frame, "light").items():
        steps = frame.loc[frame["label"] == label, "step"].max()
        known = newest.loc[label]["accuracy"] if label in newest.index.get_level_values("label") else None
        accuracy = "" if known is None else f", {words.percent(known.mean())}"
        parts.append(f"{look.title} at step {steps}{accuracy}")
    return f"{words.listed(parts).replace(' and ', '; and ')} (validation accuracy, newest)."


def _losses(frame: pd.DataFrame) -> dict[str, Any]:
    losses = frame.loc[frame["split"] == "train", "loss"].to_numpy(dtype=float)
    return LogScale.over(losses[np.isfinite(losses)], zeros=False).axis(AXES["loss"]["title"], most=7)


def _lines(frame: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[str, str], np.ndarray]:
    """(label, split) -> (points, columns and seed): all seeds as one trace, with a NaN row between two of them."""
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for (label, split, seed), one in frame.groupby(["label", "split", "seed"], observed=True, sort=False):
        numbers = one[list(columns)].to_numpy(dtype=float)
        every = max(1, -(-len(numbers) // POINTS))
        kept = np.unique(np.append(np.arange(0, len(numbers), every), len(numbers) - 1))
        parts = found.setdefault((label, split), [])
        parts += [np.full((1, len(columns) + 1), np.nan)] * bool(parts)
        parts.append(np.column_stack([numbers[kept], np.full(len(kept), seed)]))
    return {key: np.concatenate(parts) for key, parts in found.items()}


def _drawn(line: np.ndarray | None, column: int, quantity: Quantity) -> dict[str, np.ndarray]:
    """The points of a line, and whose they are where it has several seeds."""
    if line is None:
        line = np.empty((0, column + 2))
    seeds = line[:, -1]
    whose = {"customdata": seeds} if len(np.unique(seeds[np.isfinite(seeds)])) > 1 else {}
    return {"x": line[:, 0], "y": line[:, column] * (100 if quantity in PERCENT else 1)} | whose


def _curve(
    sheet: Sheet,
    panel: Panel,
    drawn: dict[str, dict[str, np.ndarray]],
    look: Look,
    axes: tuple[Clock, Quantity],
    *,
    in_legend: bool,
) -> None:
    x, quantity = axes
    common = {"type": "scatter", "legendgroup": look.title, "showlegend": in_legend, "name": look.title, "mode": "lines"}
    common |= {"line": {"color": look.colour, "width": 1.6, "dash": look.dash}}
    seed = ", seed %{customdata}" if "customdata" in drawn["train"] else ""
    hover = "%{y:.4~g} at " + CLOCKS[x] + " %{x:.4~g}" + seed + "<extra>" + look.title
    if quantity != "accuracy":
        sheet.add(panel, **common, **drawn["train"], hovertemplate=hover + "</extra>")
        return
    faint = {"showlegend": False, "line": {"color": look.colour, "width": 1}, "opacity": 0.35}
    faint |= {"name": f"{look.title}, training batches"}
    sheet.add(panel, **(common | faint), **drawn["train"], hovertemplate=hover + ", training batches</extra>")
    few = len(drawn["validation"]["x"]) <= MARKED
    held = {"mode": "lines+markers" if few else "lines", "marker": {"symbol": look.marker, "size": 5}}
    sheet.add(panel, **(common | held), **drawn["validation"], hovertemplate=hover + ", validation images</extra>")


def _stages(frame: pd.DataFrame, x: Clock) -> dict[str, float]:
    """Where the sparse stage and the fine-tuning begin; not over seconds, where it differs from run to run."""
    if x == "seconds":
        return {}
    begins = frame.groupby(["run", "stage"], observed=True)[x].min().groupby("stage", observed=True).max()
    return {said: float(begins[stage]) for stage, said in (("sparse", "sparse"), ("finetune", "fine-tuning")) if stage in begins}


def _begins(sheet: Sheet, panel: Panel, stages: dict[str, float], *, labelled: bool) -> None:
    for said, at in stages.items():
        sheet.line(panel, x=(at, at), y=(0, 1), yref=f"{panel.y} domain", color=sheet.paper.grid, width=1.5)
        if labelled:
            place = {"xref": panel.x, "xanchor": "left", "yanchor": "top", "xshift": 3}
            sheet.note(panel, said, at, 1, font={"size": 10, "color": sheet.paper.faint}, **place)


def _changes(sheet: Sheet, panels: Sequence[Panel], changes: pd.DataFrame, x: Clock) -> None:
    """One mark for what was changed, or went back, at about the same time: in several contenders, or in several steps."""
    span = max(float(changes[x].max()), 1.0)
    about = (changes[x] / span * 100).round().astype(int).rename("about")
    groups = list(changes.groupby(["name", about], sort=False))
    lines = Counter[int]()  # labels at each place: a halved learning rate stands above the roll-back that it followed
    for (name, place), same in groups:
        at = float(same[x].min())
        said = _said(str(name), same)
        for panel in panels:
            sheet.line(panel, x=(at, at), y=(0, 1), yref=f"{panel.y} domain", color=sheet.paper.ink, dash="dot")
        shown_text = said if len(groups) <= SAID else "▾"
        look = {"xref": panels[0].x, "xanchor": "left", "yanchor": "bottom", "font": {"size": 10}}
        look |= {"hovertext": _hover(said, same), "xshift": 2, "yshift": 12 * lines[place]}
        sheet.note(panels[0], shown_text, at, 0.02, **look)
        lines[place] += 1


def _said(name: str, same: pd.DataFrame) -> str:
    """'λ 0.3 → 1', each contender from its first value to its last; '→ 1' alone where they came from different ones."""
    runs = same.groupby("run", observed=True, sort=False)
    old, new = (list(dict.fromkeys(column)) for column in (runs["old"].first(), runs["new"].last()))
    before = f"{value_text(old[0])} " if len(old) == 1 else ""
    return f"{NAMES.get(name, name.replace('_', ' '))} {before}→ {value_text(new[0]) if len(new) == 1 else 'several values'}"


def _hover(said: str, same: pd.DataFrame) -> str:
    who = ", ".join(sorted({escape(name) for name in same["who"] if name}))
    whose = words.listed(list(same["label"].astype(str).unique()))
    why = "".join(f"<br>{escape(reason)}" for reason in dict.fromkeys(same["reason"]) if reason)
    return f"{said}<br>step {int(same['step'].min())}, {whose}" + (f"<br>by {who}" if who else "") + why
