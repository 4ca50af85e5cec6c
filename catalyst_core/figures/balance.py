"""Class balance before a race: images of each class, a bar a class with a part a split, from a `balance_frame`."""

import html

import numpy as np
import pandas as pd

from catalyst_core.figures import words
from catalyst_core.figures.sheet import Plot, Sheet
from catalyst_core.figures.style import Theme, mix

NOTHING = "There are no images."
MOST_NAMED = 30  # classes whose names stand below the bars
LONGEST = 16  # characters of a name there
SHADES = {"train": 0.35, "val": 0.6, "test": 0.8}  # share of the paper in the ink


@Plot
def plot_balance(frame: pd.DataFrame, *, theme: Theme = "light", reason: str = NOTHING) -> Sheet:
    """Images of each class: train at the bottom, val and test on it. Many classes stand in the order of their sizes, unnamed."""
    counts = _counts(frame)
    named = len(counts) <= MOST_NAMED
    names = [html.escape(str(name)) for name in counts.index]
    shown = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in map(str, counts.index)]
    longest = max(map(len, shown), default=0) if named else 0
    sheet = Sheet(theme, height=300, bottom=max(46, 24 + 5 * longest))
    panel = sheet.grid(1)[0]
    ticks = {"tickvals": list(range(len(names))), "ticktext": [html.escape(name) for name in shown]} if named else {}
    ticks |= {"tickangle": -40} if named and len(names) > 6 else {}
    title = "class" if named else "classes, the largest first"
    axis = {"title": title, "range": [-0.6, max(1, len(names)) - 0.4]}
    sheet.axes(panel, axis | ticks, {"title": "images", "rangemode": "tozero"})
    places, below = np.arange(len(names)), np.zeros(len(names), dtype=np.int64)
    for split, share in SHADES.items():
        if split not in counts:
            continue
        tall = counts[split].to_numpy()
        sheet.add(
            panel,
            type="bar",
            name=split,
            showlegend=True,
            x=places,
            y=tall,
            base=below.tolist(),
            width=np.full(len(names), 0.8 if named else 1.0),
            marker={"color": mix(sheet.paper.ink, sheet.paper.paper, share), "line": {"width": 0}},
            text=names,
            textposition="none",
            hovertemplate="%{text}: %{y} images<extra>" + split + "</extra>",
        )
        below = below + tall
    sheet.legend([split for split in SHADES if split in counts])
    if counts.empty:
        sheet.empty(reason)
    return sheet


def caption_balance(frame: pd.DataFrame) -> str:
    """The largest and the smallest class."""
    counts = _counts(frame)
    if counts.empty:
        return NOTHING
    total = counts.sum(axis=1)
    most, least = int(total.max()), int(total.min())
    if most == least:
        return f"Every one of {len(total)} classes has {words.count(most)} images."
    return (
        f"Of {len(total)} classes {_name(total.idxmax())} has the most images, {words.count(most)}, and "
        f"{_name(total.idxmin())} the fewest, {words.count(least)}."
    )


def _counts(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a class, a column a split; few classes in their order, many by size."""
    order = list(dict.fromkeys(frame["class"]))
    counts = frame.pivot_table(index="class", columns="split", values="images", aggfunc="sum", sort=False).reindex(order)
    if len(counts) <= MOST_NAMED:
        return counts
    return counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def _name(name: object) -> str:
    text = str(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
