"""Filter magnitudes: one histogram a contender on one shared logarithmic axis, in fixed bins, so that they compare."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from catalyst_core.events import HISTOGRAM_BINS, HISTOGRAM_DECADES
from catalyst_core.figures import words
from catalyst_core.figures.scales import LogScale
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown
from catalyst_core.figures.style import Look, Theme, mix
from catalyst_core.frames.columns import split
from catalyst_core.frames.view import bin_of

Arrangement = Literal["stacked", "overlay", "layers"]
STATES = ("pruned", "undecided", "kept")
NOTHING = "No filter has been measured yet."
AXIS = "filter magnitude n"
ROW = 74  # pixels a contender or group
LAYERS = 8  # groups drawn at most, a row each


@Plot
def plot_magnitudes(
    frame: pd.DataFrame,
    *,
    theme: Theme = "light",
    arrange: Arrangement = "stacked",
    reason: str = NOTHING,
    least: int = 300,
    over: pd.DataFrame | None = None,
) -> Sheet:
    """Histogram of magnitudes from a `filters_frame`, in fixed bins on one axis.

    `arrange`: small multiples ('stacked'), outlines in one panel ('overlay'), or outlines in a row a filter group ('layers').

    Bars are counts of filters, the mean over seeds; filled: kept, pale: undecided, outlined: pruned; vertical dashes: the
    threshold that the cut would use, one a filter group. Exact zeros have a bar of their own, labelled 0 and with its count,
    which may run out of the top of its row. `least`: pixels of height of the small multiples at least. `over`: other moments
    that the axis of magnitudes has room for, too.
    """
    looks = shown(frame, theme)
    scale = LogScale.over((frame if over is None else over)["magnitude"].to_numpy(), least=-6)
    bins = Bins.of(scale)
    if looks and arrange == "overlay":
        return _outlined(frame, looks, (scale, bins), Sheet(theme, height=320), [])
    if looks and arrange == "layers":
        return _by_layer(frame, looks, (scale, bins), theme, least)
    sheet = Sheet(theme, height=max(least, 70 + ROW * len(looks)))
    panels = sheet.rows([look.title for look in looks.values()])
    parts = split(frame)
    for panel, (label, look) in zip(panels, looks.items(), strict=False):
        last = panel is panels[-1]
        x = scale.axis(AXIS if last else "", labelled=last) | ({} if last else {"matches": panels[-1].x})
        mine = parts[label]
        counts = bins.counts(mine)
        top = _top(counts)
        sheet.axes(panel, x, {"range": [0, top], "nticks": 4}, name=look.title)
        _bars(sheet, panel, counts, look, (scale, bins))
        _thresholds(sheet, panel, mine, look, top)
        _zeros(sheet, panel, float(counts[:, 0].sum()), (scale, top))
    if not looks:
        sheet.axes(panels[0], scale.axis(AXIS), {"title": "filters", "range": [0, 10]}, name="filters")
        sheet.empty(reason)
    else:
        _legend(sheet, panels[0])
        sheet.title_y("filters")
    return sheet


def caption_magnitudes(frame: pd.DataFrame) -> str:
    """How many filters are exactly zero, and how many are still undecided."""
    if frame.empty:
        return NOTHING
    parts = []
    parts_of = split(frame)
    for label, look in shown(frame, "light").items():
        mine = parts_of[label]
        seeds = mine["run"].nunique()
        zeros, channels = (mine["magnitude"] == 0).sum() / seeds, len(mine) / seeds
        parts.append(f"{look.title} {words.count(zeros)} of {words.count(channels)}")
    undecided = int((~frame["decided"]).sum())
    return f"Filters at exactly zero: {words.listed(parts)}; {undecided} still undecided."


class Bins(NamedTuple):
    """The fixed logarithmic bins of the stored histograms, or a fixed division of them where the axis is short."""

    edges: np.ndarray  # (B + 1,)
    centres: np.ndarray  # (B,)
    finer: int

    @classmethod
    def of(cls, scale: LogScale) -> "Bins":
        """About as fine as the axis can show."""
        decades = scale.high - scale.low
        finer = 4 if decades <= 2 else 2 if decades <= 4 else 1
        edges = np.logspace(*HISTOGRAM_DECADES, finer * HISTOGRAM_BINS + 1)
        return cls(edges, np.sqrt(edges[:-1] * edges[1:]), finer)

    def counts(self, frame: pd.DataFrame) -> np.ndarray:
        """(3, B + 1) filters in each state and bin (the first bin: exact zeros), the mean over the runs of the frame."""
        state = np.where(~frame["decided"], 1, np.where(frame["kept"], 2, 0))
        many = len(self.centres) + 1
        place = state * many + bin_of(frame["magnitude"].to_numpy(), self.finer) + 1
        return np.bincount(place, minlength=3 * many).reshape(3, -1) / max(1, frame["run"].nunique())


def _top(counts: np.ndarray) -> float:
    """How high a row reaches: by its filters that are not zero; a higher bar of zeros runs out of it, with its number."""
    high = counts[:, 1:].sum(axis=0).max()
    return 1.25 * float(high if high > 0 else max(1, counts[:, 0].sum()))


def _zeros(sheet: Sheet, panel: Panel, count: float, scales: tuple[LogScale, float]) -> None:
    scale, top = scales
    if count:
        place = {"xref": panel.x, "yref": panel.y, "xanchor": "left", "yanchor": "top", "xshift": 2}
        at, high = np.log10(scale.zero_span[1]), min(count, top)
        sheet.note(panel, words.count(count), at, high, **place)


def _bars(sheet: Sheet, panel: Panel, counts: np.ndarray, look: Look, scales: tuple[LogScale, Bins]) -> None:
    scale, bins = scales
    base = np.zeros(counts.shape[1])
    left = np.concatenate([[scale.zero_span[0]], bins.edges[:-1]])
    right = np.concatenate([[scale.zero_span[1]], bins.edges[1:]])
    centre = np.concatenate([[scale.zero], bins.centres])
    hover = (
        "%{y:.3~g} " + "{state}" + "<br>n from %{customdata[0]:.2~g} to %{customdata[1]:.2~g}<extra>" + look.title + "</extra>"
    )
    for state, row in zip(STATES, counts, strict=True):
        some = np.flatnonzero(row)
        sheet.add(
            panel,
            type="bar",
            name=f"{look.title}, {state}",
            x=centre[some],
            y=row[some],
            base=base[some],
            width=(right - left)[some],
            offset=(left - centre)[some],
            marker=_fill(state, look.colour, sheet),
            customdata=np.column_stack([left, right])[some] * (some > 0)[:, None],
            hovertemplate=hover.replace("{state}", state),
            meta=scale.meaning("x"),
        )
        base = base + row


def _fill(state: str, colour: str, sheet: Sheet) -> dict[str, object]:
    pale = {"kept": 0.0, "undecided": 0.6, "pruned": 1.0}[state]
    return {"color": mix(colour, sheet.paper.paper, pale), "line": {"color": colour, "width": 0.8 if state == "pruned" else 0}}


def _thresholds(sheet: Sheet, panel: Panel, frame: pd.DataFrame, look: Look, top: float) -> None:
    """The decision boundary: a dash a group, at the mean over seeds of its threshold."""
    limits = frame.groupby("group", observed=True)["threshold"].mean().dropna()
    limits = limits[limits > 0]
    if limits.empty:
        return
    sheet.add(
        panel,
        type="scatter",
        mode="lines",
        name=f"{look.title}, threshold",
        x=np.repeat(limits.to_numpy(), 3),
        y=np.tile([0.0, top, np.nan], len(limits)),
        line={"color": sheet.paper.ink, "width": 1, "dash": "dot"},
        text=np.repeat(limits.index.astype(str).to_numpy(), 3),
        hovertemplate="threshold %{x:.3~g}<br>group %{text}<extra></extra>",
    )


def _legend(sheet: Sheet, panel: Panel) -> None:
    entries = [("kept", "bar"), ("undecided", "bar"), ("pruned", "bar"), ("threshold of a group", "scatter")]
    for name, kind in entries:
        if kind == "bar":
            look = {"marker": _fill(name, sheet.paper.ink, sheet)}
        else:
            look = {"mode": "lines", "line": {"color": sheet.paper.ink, "width": 1, "dash": "dot"}}
        sheet.add(panel, type=kind, name=name, x=[None], y=[None], showlegend=True, hoverinfo="skip", **look)
    sheet.legend([name for name, _ in entries])


def _outlined(
    frame: pd.DataFrame, looks: dict[str, Look], scales: tuple[LogScale, Bins], sheet: Sheet, groups: Sequence[str]
) -> Sheet:
    """The contenders as outlines over each other: all filters in one panel, or those of each group in a row of its own."""
    scale, bins = scales
    panels = sheet.rows(groups) if groups else sheet.grid(1)
    for panel, group in zip(panels, groups or [""], strict=True):
        last = panel is panels[-1]
        x = scale.axis(AXIS if last else "", labelled=last) | ({} if last else {"matches": panels[-1].x})
        mine = frame[frame["group"] == group] if group else frame
        counts = {label: bins.counts(mine[mine["label"] == label]).sum(axis=0) for label in looks}
        top = max((_top(one[None]) for one in counts.values()), default=10.0)
        sheet.axes(panel, x, {"range": [0, top], "nticks": 4} | ({} if group else {"title": "filters"}), name=group or "filters")
        for label, look in looks.items():
            _outline(sheet, panel, counts[label], look, (scale, bins, top), in_legend=panel is panels[0])
    if groups:
        sheet.title_y("filters")
    sheet.legend([look.title for look in looks.values()])
    return sheet


def _outline(
    sheet: Sheet, panel: Panel, counts: np.ndarray, look: Look, scales: tuple[LogScale, Bins, float], *, in_legend: bool
) -> None:
    """A line around the histogram, and a mark for the exact zeros: at the top of the panel, if they are more than that."""
    scale, bins, top = scales
    some = np.flatnonzero(counts[1:])
    span = slice(some[0], some[-1] + 1) if some.size else slice(0, 0)
    zeros = float(counts[0])
    meaning = scale.meaning("x") | ({"y_means": [[0.97 * top, zeros]]} if zeros > top else {})
    centres = np.concatenate([[scale.zero, np.nan], bins.centres[span]])
    sheet.add(
        panel,
        type="scatter",
        mode="lines+markers",
        name=look.title,
        legendgroup=look.title,
        showlegend=in_legend,
        x=centres,
        y=np.concatenate([[0.97 * top if zeros > top else zeros, np.nan], counts[1:][span]]),
        line={"color": look.colour, "width": 1.6, "dash": look.dash, "shape": "hvh"},
        marker={"symbol": look.marker, "size": [8] + [0] * (len(centres) - 1), "color": look.colour},
        customdata=np.concatenate([[zeros, np.nan], counts[1:][span]]),
        hovertemplate="%{customdata:.3~g} filters at n = %{x:.2~g}<extra>" + look.title + "</extra>",
        meta=meaning,
    )


def _by_layer(frame: pd.DataFrame, looks: dict[str, Look], scales: tuple[LogScale, Bins], theme: Theme, least: int) -> Sheet:
    """A row a filter group; of many the first few."""
    groups = list(dict.fromkeys(frame["group"]))
    shown_groups = [str(group) for group in groups[:LAYERS]]
    sheet = Sheet(theme, height=max(least, 70 + ROW * len(shown_groups)))
    _outlined(frame, looks, scales, sheet, shown_groups)
    if len(groups) > LAYERS:
        place = {"xanchor": "right", "yanchor": "bottom", "font": {"size": 10, "color": sheet.paper.faint}}
        sheet.note(sheet.grid_of[0], f"the first {LAYERS} of {len(groups)} groups", 1, 1, **place)
    return sheet
