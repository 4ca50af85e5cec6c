"""Decision margins: how far each channel is from being decided the other way, and how much noise it takes to flip it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from catalyst_core.figures import words
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown
from catalyst_core.figures.style import Look, Theme, mix
from catalyst_core.frames.audited import gap_frame
from catalyst_core.frames.columns import split

NOTHING = "No decision margin has been measured yet."
NO_FLIPS = "No decision has been made yet, so none can flip."
AXIS = "decision margin (log; below 0 goes)"
RANGES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # log units shown on either side of the boundary
BINS = 24
ROW = 74  # pixels a contender


@Plot
def plot_margins(
    frame: pd.DataFrame,
    gaps: pd.DataFrame | None = None,
    *,
    theme: Theme = "light",
    reason: str = NOTHING,
    least: int = 300,
    over: pd.DataFrame | None = None,
) -> Sheet:
    """Distribution of the signed margin from a `filters_frame`, a row a contender on one axis.

    Bars are counts of channels, the mean over seeds. Channels that are already decided stand at the two ends with their
    number. The decision gap, the mean over groups and seeds, is printed above each row: `gaps` is the `gap_frame` of the same
    channels, if it is known. `least`: pixels of height at least. `over`: other moments that the
    axis has room for, too.
    """
    looks = shown(frame, theme)
    reach = _reach((frame if over is None else over)["margin"].to_numpy(dtype=float))
    known = _gaps(frame, gaps)
    sheet = Sheet(theme, height=max(least, 70 + ROW * len(looks)))
    panels = sheet.rows([_said(look, known.get(label, np.nan)) for label, look in looks.items()])
    mine = split(frame)
    for panel, (label, look) in zip(panels, looks.items(), strict=False):
        last = panel is panels[-1]
        x = _axis(reach, last) | ({} if last else {"matches": panels[-1].x})
        top = _bars(sheet, panel, mine[label], look, reach)
        sheet.axes(panel, x, {"range": [0, top], "nticks": 4}, name=look.title)
        sheet.line(panel, x=(0, 0), y=(0, 1), yref=f"{panel.y} domain", color=sheet.paper.ink, dash="dot")
    if looks:
        sheet.title_y("channels")
    else:
        sheet.axes(panels[0], _axis(reach, True), {"title": "channels", "range": [0, 10]}, name="channels")
        sheet.empty(reason)
    return sheet


def _gaps(frame: pd.DataFrame, gaps: pd.DataFrame | None) -> Mapping[str, float]:
    """The gap of each label, the mean over its seeds."""
    return (gap_frame(frame) if gaps is None else gaps).groupby("label", observed=True)["gap"].mean().to_dict()


def caption_margins(frame: pd.DataFrame, gaps: pd.DataFrame | None = None) -> str:
    """How many channels go in each contender, and by what gap."""
    if frame.empty:
        return NOTHING
    known = _gaps(frame, gaps)
    parts = []
    by_label = split(frame)
    for label, look in shown(frame, "light").items():
        mine = by_label[label]
        seeds = mine["run"].nunique()
        gone = words.count((~mine["kept"]).sum() / seeds)
        parts.append(f"{look.title} {gone} of {words.count(len(mine) / seeds)} (gap {words.number(known.get(label, np.nan))})")
    return f"Channels on the pruned side: {words.listed(parts)}."


def _reach(margins: np.ndarray) -> float:
    finite = np.abs(margins[np.isfinite(margins)])
    wanted = np.quantile(finite, 0.99) if finite.size else 1.0
    return next((reach for reach in RANGES if reach >= wanted), RANGES[-1])


def _axis(reach: float, labelled: bool) -> dict[str, object]:
    ticks = [-reach / 2, 0.0, reach / 2]
    ends = 1.2 * reach
    return {
        "range": [-1.3 * reach, 1.3 * reach],
        "tickvals": [-ends, *ticks, ends],
        "ticktext": ["pruned", *(f"{tick:g}".replace("-", "−") for tick in ticks), "kept"],
        "tickangle": 0,
        "showticklabels": labelled,
    } | ({"title": AXIS} if labelled else {})


def _bars(sheet: Sheet, panel: Panel, frame: pd.DataFrame, look: Look, reach: float) -> float:
    """Draws a row and returns how high it reaches: by its undecided channels; the bars at the ends may run out of it."""
    margins = frame["margin"].to_numpy(dtype=float)
    seeds = max(1, frame["run"].nunique())
    finite = margins[np.isfinite(margins)]
    edges = np.linspace(-reach, reach, BINS + 1)
    counts = np.histogram(-np.clip(finite, -reach, reach), edges)[0][::-1] / seeds  # 0 itself is on the pruned side
    some = np.flatnonzero(counts)
    paper = sheet.paper.paper
    if some.size:
        centres = (edges[:-1] + edges[1:]) / 2
        sheet.add(
            panel,
            type="bar",
            name=f"{look.title}, undecided",
            x=centres[some],
            y=counts[some],
            width=np.full(some.size, edges[1] - edges[0]),
            marker={"color": [mix(look.colour, paper, 0.8 if centre < 0 else 0.45) for centre in centres[some]]},
            hovertemplate="%{y:.3~g} channels, margin about %{x:.2~f}<extra>" + look.title + "</extra>",
        )
    ends = [np.isneginf(margins).sum() / seeds, np.isposinf(margins).sum() / seeds]
    top = 1.25 * float(counts.max() if some.size else max(*ends, 1))
    _ends(sheet, panel, ends, look, (reach, top))
    return top


def _ends(sheet: Sheet, panel: Panel, counts: list[float], look: Look, scales: tuple[float, float]) -> None:
    """The channels that are decided, as two bars beside the axis with their counts."""
    reach, top = scales
    for place, number, fill, count in (
        (-1.2 * reach, -np.inf, sheet.paper.paper, counts[0]),
        (1.2 * reach, np.inf, look.colour, counts[1]),
    ):
        if not count:
            continue
        sheet.add(
            panel,
            type="bar",
            name=f"{look.title}, decided",
            x=[place],
            y=[count],
            width=[0.1 * reach],
            marker={"color": fill, "line": {"color": look.colour, "width": 0.8}},
            hovertemplate="%{y:.3~g} channels are decided<extra>" + look.title + "</extra>",
            meta={"x_means": [[place, number]]},
        )
        beside = {"xref": panel.x, "yref": panel.y, "xanchor": "left" if place < 0 else "right", "yanchor": "top"}
        at = place + 0.05 * reach * (1 if place < 0 else -1)
        sheet.note(panel, words.count(count), at, min(count, top), **beside)


def _said(look: Look, gap: float) -> str:
    return look.title + (f" · gap {words.number(gap)}" if np.isfinite(gap) else "")


@Plot
def plot_flip_curve(flips: pd.DataFrame, *, theme: Theme = "light", reason: str = NO_FLIPS) -> Sheet:
    """Share of decisions that change under noise of eps times the median kept magnitude, from a `flip_frame`.

    One line a contender, the mean over seeds; the dotted line marks the 1 % that the flip point is read at.
    """
    sheet = Sheet(theme, height=320)
    panel = sheet.grid(1)[0]
    looks = shown(flips, theme)
    x = {"title": "noise, in medians of the kept magnitudes (%)", "rangemode": "tozero"}
    sheet.axes(panel, x, {"title": "decisions that flip (%)", "rangemode": "tozero"})
    sheet.line(panel, x=(0, 1), y=(1, 1), xref=f"{panel.x} domain", dash="dot")
    for label, look in looks.items():
        mean = flips[flips["label"] == label].groupby("eps")["flipped"].agg(["mean", "min", "max"]) * 100
        sheet.add(
            panel,
            type="scatter",
            mode="lines+markers",
            name=look.title,
            showlegend=True,
            x=mean.index.to_numpy() * 100,
            y=mean["mean"].to_numpy(),
            error_y=_whiskers(mean) if flips["seed"].nunique() > 1 else None,
            line={"color": look.colour, "width": 1.8, "dash": look.dash},
            marker={"symbol": look.marker, "size": 6},
            hovertemplate="%{y:.2~f} % flip at %{x:.3~g} % noise<extra>" + look.title + "</extra>",
        )
    sheet.legend([look.title for look in looks.values()])
    if not looks:
        sheet.empty(reason)
    return sheet


def _whiskers(mean: pd.DataFrame) -> dict[str, object]:
    up, down = (mean["max"] - mean["mean"]).to_numpy(), (mean["mean"] - mean["min"]).to_numpy()
    return {"type": "data", "array": up, "arrayminus": down, "thickness": 1, "width": 3}


def caption_flip_curve(flips: pd.DataFrame) -> str:
    """The noise that flips 1 % of the decisions, a contender."""
    if flips.empty:
        return NO_FLIPS
    points = flips.groupby("label", observed=True)["flip_point"].mean()
    parts = [f"{look.title} {words.number(100 * points[label])} %" for label, look in shown(flips, "light").items()]
    return f"Noise that flips 1 % of the decisions, in medians of the kept magnitudes: {words.listed(parts)}."
