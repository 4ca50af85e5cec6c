"""Weights by their size, from TensorBoard's histograms, in the bins and on the axis of the magnitudes.

They are single weights and no filters, so nothing here is called a magnitude.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from catalyst_core.events import HISTOGRAM_DECADES
from catalyst_core.figures import style, words
from catalyst_core.figures.density import PER_DECADE
from catalyst_core.figures.scales import LogScale, tick_label
from catalyst_core.figures.sheet import Panel, Plot, Sheet
from catalyst_core.figures.style import Look, Theme, mix
from catalyst_core.frames.columns import split
from catalyst_core.frames.view import BIN_CENTRES, BIN_EDGES
from catalyst_core.frames.weights import counts_of, weights_at

Arrangement = Literal["rows", "overlay"]
NOTHING = "There is no histogram of weights."
AXIS = "size of a weight |w|"
WHAT = "single weights by their size |w|, no filter magnitudes, TensorBoard's signed buckets spread evenly and counted anew"
MOST = 8  # series drawn at most
ROW = 74  # pixels
TAIL = 0.001  # share of the weights of a look that may lie in front of the axis, beside those that are no larger than zero
SAID = 0.05  # share of the weights whose size is not known that a caption speaks of
LONGEST = 70  # characters of a name


@Plot
def plot_weights(
    frame: pd.DataFrame,
    *,
    theme: Theme = "light",
    arrange: Arrangement = "rows",
    reason: str = NOTHING,
    over: pd.DataFrame | None = None,
) -> Sheet:
    """Histogram of |w| of each series of a `weights_frame`, at its newest look, in fixed bins on one logarithmic axis.

    `arrange`: a row a series ('rows'), or outlines in one panel ('overlay'). What is smaller than the axis shows has a bar of its
    own at the left, labelled with the limit and with its count, which may run out of the top. `over`: all looks that the axes
    have room for, so that they stay when others are shown, with a row for every series in them.
    """
    whole = frame if over is None else over
    looks, left_out = looks_of(whole, theme)
    axis = Axis.over(whole, looks)
    parts = split(weights_at(frame))
    counts = {label: axis.counts(parts.get(label, frame.iloc[:0])) for label in looks}
    if not looks:
        sheet = Sheet(theme, height=300)
        sheet.axes(sheet.grid(1)[0], axis.x(AXIS), {"title": "weights", "range": [0, 10]}, name="weights")
        sheet.empty(reason)
        return sheet
    sheet = _overlaid(counts, looks, axis, theme) if arrange == "overlay" else _in_rows(counts, looks, axis, theme)
    say(sheet, left_out)
    return sheet


def _in_rows(counts: dict[str, np.ndarray], looks: dict[str, Look], axis: "Axis", theme: Theme) -> Sheet:
    sheet = Sheet(theme, height=max(300, 70 + ROW * len(looks)))
    panels = sheet.rows([look.title for look in looks.values()])
    for panel, (label, look) in zip(panels, looks.items(), strict=True):
        last = panel is panels[-1]
        top = 1.25 * axis.tops[label]
        x = axis.x(AXIS if last else "", labelled=last) | ({} if last else {"matches": panels[-1].x})
        sheet.axes(panel, x, {"range": [0, top], "nticks": 4}, name=look.title)
        _bars(sheet, panel, counts[label], look, (axis, top))
    sheet.title_y("weights")
    return sheet


def _overlaid(counts: dict[str, np.ndarray], looks: dict[str, Look], axis: "Axis", theme: Theme) -> Sheet:
    sheet = Sheet(theme, height=360)
    panel = sheet.grid(1)[0]
    top = 1.25 * max(axis.tops[label] for label in looks)
    sheet.axes(panel, axis.x(AXIS), {"title": "weights", "range": [0, top], "nticks": 4})
    for label, look in looks.items():
        _outline(sheet, panel, counts[label], look, (axis, top))
    sheet.legend([look.title for look in looks.values()])
    return sheet


def caption_weights(frame: pd.DataFrame, *, over: pd.DataFrame | None = None) -> str:
    """What is counted, how many weights are smaller than the axis shows, and of how many no size is known."""
    whole = frame if over is None else over
    looks, _ = looks_of(whole, "light")
    axis = Axis.over(whole, looks)
    at = weights_at(frame)
    parts = split(at)
    looks = {label: look for label, look in looks.items() if label in parts}
    if not looks:
        return NOTHING if whole.empty else "There is no histogram of weights up to this step."
    small = []
    for label, look in looks.items():
        counts = axis.counts(parts[label])
        small.append(f"{look.title} {words.count(round(counts[0], 1))} of {words.count(round(counts.sum(), 1))}")
    steps = sorted(set(at[at["label"].isin(list(looks))]["step"]))
    when = f"At step {steps[0]}" if len(steps) == 1 else f"Each at its last look, steps {steps[0]} to {steps[-1]}"
    said = f"{when}: {WHAT}. Smaller than {axis.limit}, zeros among them: {words.listed(small)}."
    return said + unsure_sentence(parts, looks) + ours_sentence(at)


class Axis(NamedTuple):
    """The shared axis of |w|, from a power of ten to another: fixed bins `low` to `high`, and a place for what is smaller."""

    scale: LogScale
    low: int
    high: int
    tops: dict[str, float]  # label -> the most weights in one of these bins, over all looks

    @classmethod
    def over(cls, frame: pd.DataFrame, labels: Sequence[str] | dict[str, Look], foot: float = 0.05) -> "Axis":
        """Around all bins of these series that hold something, but for a thin tail below; `foot`: share for what is smaller."""
        whole = frame[frame["label"].isin(list(labels))]
        mine = whole[whole["bin"] >= 0]
        begin = _begin(whole)
        occupied = mine.loc[(mine["count"] > 0) & (mine["bin"] >= begin), "bin"].to_numpy()
        reach = BIN_EDGES[np.concatenate([np.full(min(1, len(occupied)), begin), occupied + 1])]
        scale = LogScale.over(reach, least=HISTOGRAM_DECADES[0], whole=True, width=foot)
        low, high = (
            round((end - HISTOGRAM_DECADES[0]) * PER_DECADE) for end in (scale.low, min(scale.high, HISTOGRAM_DECADES[1]))
        )
        highest = mine[mine["bin"] >= low].groupby("label", observed=True)["count"].max()
        return cls(scale, low, high, {label: float(highest.get(label, 0.0)) or 8.0 for label in labels})

    @property
    def limit(self) -> str:
        """Where it begins: '0.001'."""
        return tick_label(10.0**self.scale.low)

    @property
    def below(self) -> str:
        """What is said of the weights in front of it."""
        return f"smaller than {self.limit}"

    def x(self, title: str = "", *, labelled: bool = True, most: int = 9) -> dict[str, object]:
        """The axis in plotly's properties; what is smaller is labelled with the limit."""
        axis = self.scale.axis(title, labelled=labelled, most=most)
        return axis | {"ticktext": [f"<{self.limit}", *axis["ticktext"][1:]]}

    def counts(self, rows: pd.DataFrame) -> np.ndarray:
        """(1 + high - low,) the weights of one look that are smaller than the axis shows, and those in each bin on it."""
        counts = counts_of(rows)
        return np.concatenate([[counts[: 1 + self.low].sum()], counts[1 + self.low : 1 + self.high]])


def _begin(frame: pd.DataFrame) -> int:
    """The lowest bin that an axis shows: the beginning of a decade, with no more than a tail below it in any look."""
    sums = frame.groupby(["label", "step", frame["bin"] // int(PER_DECADE)], observed=True)["count"].sum().unstack(fill_value=0.0)
    shares = sums.div(sums.sum(axis=1).replace(0.0, 1.0), axis=0)
    tail = shares[[decade for decade in sorted(shares.columns) if decade >= 0]].cumsum(axis=1).max()
    return int(PER_DECADE) * int(min(tail.index[tail > TAIL], default=0))


def looks_of(frame: pd.DataFrame, theme: Theme) -> tuple[dict[str, Look], str]:
    """The looks of the first few series, by the place of their label in the frame; and what is said of the others."""
    known = list(frame["label"].cat.categories) if len(frame) else []
    present = set(frame["label"].unique())
    colours = list(style.METHOD_COLOURS[theme].values())
    dashes, markers = list(style.METHOD_DASHES.values()), list(style.METHOD_MARKERS.values())
    found = {}
    for place, label in enumerate(known):
        if label in present:
            number = place % min(len(colours), len(dashes), len(markers))
            found[label] = Look(_title(label), colours[number], dashes[number], markers[number])
    shown = dict(list(found.items())[:MOST])
    return shown, f"the first {MOST} of {len(found)} histograms" if len(found) > MOST else ""


def _title(label: str) -> str:
    """A name as plotly may show it: its marks would be read as markup."""
    text = label.replace("<", "‹").replace(">", "›")
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"


def say(sheet: Sheet, text: str) -> None:
    """A word above the first panel, at the right."""
    place = {"xanchor": "right", "yanchor": "bottom", "font": {"size": 10, "color": sheet.paper.faint}}
    sheet.note(sheet.grid_of[0], text, 1, 1, **place)


def unsure_sentence(parts: dict[str, pd.DataFrame], looks: dict[str, Look]) -> str:
    """A sentence where many weights are in a bucket around zero, as of the 30 equal ones that TensorFlow writes."""
    shares = {}
    for label in looks:
        total = parts[label].groupby("step")["count"].sum()
        unsure = parts[label].groupby("step")["unsure"].first()
        shares[label] = float((unsure / total.where(total > 0, 1.0)).max())
    worst = max(shares, key=shares.__getitem__)
    if shares[worst] < SAID:
        return ""
    share, name = words.percent(shares[worst]), looks[worst].title
    return f" {share} of the weights of {name} lie in a bucket around 0, so that their sizes are a guess."


def ours_sentence(frame: pd.DataFrame) -> str:
    """A sentence where races of ours are read back, which do hold a number a filter."""
    ours = any(str(tag).startswith("filters/") for tag in frame["tag"].unique())
    return " What is called filters/ was written by a race of ours and holds a number a filter." if ours else ""


def _bars(sheet: Sheet, panel: Panel, counts: np.ndarray, look: Look, axes: tuple[Axis, float]) -> None:
    axis, top = axes
    edges = BIN_EDGES[axis.low : axis.high + 1]
    left = np.concatenate([[axis.scale.zero_span[0]], edges[:-1]])
    right = np.concatenate([[axis.scale.zero_span[1]], edges[1:]])
    centre = np.concatenate([[axis.scale.zero], BIN_CENTRES[axis.low : axis.high]])
    texts = [axis.below, *(f"|w| from {low:.2g} to {high:.2g}" for low, high in pairwise(edges))]
    sheet.add(
        panel,
        type="bar",
        name=look.title,
        x=centre,
        y=counts,
        base=np.zeros(len(counts)),
        width=right - left,
        offset=left - centre,
        marker={"color": mix(look.colour, sheet.paper.paper, 0.15), "line": {"width": 0}},
        text=texts,
        textposition="none",
        hovertemplate="%{y:.4~g} weights<br>%{text}<extra>" + look.title + "</extra>",
        meta=axis.scale.meaning("x"),
    )
    small = float(counts[0])
    if small > 0:
        place = {"xref": panel.x, "yref": panel.y, "xanchor": "left", "yanchor": "top", "xshift": 2}
        at, high = np.log10(axis.scale.zero_span[1]), min(max(small, 0.3 * top), top)
        sheet.note(panel, words.count(round(small, 1)), at, high, **place)


def _outline(sheet: Sheet, panel: Panel, counts: np.ndarray, look: Look, axes: tuple[Axis, float]) -> None:
    """A line around the histogram, and a mark for what is smaller: near the top of the panel if it is more than that."""
    axis, top = axes
    small = float(counts[0])
    high = 0.97 * top if small > top else small
    sheet.add(
        panel,
        type="scatter",
        mode="lines+markers",
        name=look.title,
        showlegend=True,
        x=np.concatenate([[axis.scale.zero, np.nan], BIN_CENTRES[axis.low : axis.high]]),
        y=np.concatenate([[high, np.nan], counts[1:]]),
        line={"color": look.colour, "width": 1.6, "dash": look.dash, "shape": "hvh"},
        marker={"symbol": look.marker, "size": [8] + [0] * len(counts), "color": look.colour},
        customdata=np.concatenate([[small, np.nan], counts[1:]]),
        text=[axis.below, "", *(f"|w| near {centre:.2g}" for centre in BIN_CENTRES[axis.low : axis.high])],
        hovertemplate="%{customdata:.4~g} weights<br>%{text}<extra>" + look.title + "</extra>",
        meta=axis.scale.meaning("x") | ({"y_means": [[high, small]]} if high < small else {}),
    )
