"""A figure laid out anew for one column of a paper: legend, axis titles and labels have to do with less width."""

import textwrap
from collections.abc import Sequence
from typing import Any

from catalyst_core.figures.sheet import LEGEND_LINE, flow
from catalyst_core.figures.style import WIDTH

INCHES = 3.35  # of a column, as in two-column papers
PIXELS = 380  # a figure is laid out at; on paper its text of 11 to 12 pixels is then 7 to 8 points high
LINE = 15  # pixels of a second line of an axis title
CHARACTER = 0.52  # width of a character, of its height, about
APART = 6  # pixels between two labels of an axis
BETWEEN = 54  # pixels between two panels beside each other, if the right one has a title at its left
TICK = 44  # pixels that an axis without labels of its own needs for each

Layout = dict[str, Any]


def narrow(layout: Layout, legend: Sequence[str]) -> Layout:
    """The layout at `PIXELS` wide: the panels keep their heights, what needs more lines makes the figure higher."""
    margin = layout["margin"]
    before, after = (flow(legend, width - margin["l"] - margin["r"])[1] for width in (layout.get("width", WIDTH), PIXELS))
    grown = {"t": LEGEND_LINE * (after - before), "b": 0}
    inner = PIXELS - margin["l"] - margin["r"]
    narrowed = _apart(layout, inner) | {"width": PIXELS}
    for name in [name for name in layout if name.startswith("xaxis")]:
        axis = _labels(narrowed[name], inner)
        title = axis["title"].get("text", "")
        lines = _wrapped(title, _share(axis) * inner + margin["r"], axis["title"]["font"]["size"])
        narrowed[name] = axis | {"title": axis["title"] | {"text": "\n".join(lines)}}
        grown["b"] = max(grown["b"], LINE * (len(lines) - 1))
    for note in narrowed.get("annotations", ()):
        if note.get("name") == "reason":
            note["text"] = "<br>".join(_wrapped(note["text"].replace("<br>", " "), inner, note["font"]["size"]))
    higher = {side: margin[side] + more for side, more in grown.items()}
    return narrowed | {"margin": margin | higher, "height": layout["height"] + sum(grown.values())}


def _apart(layout: Layout, inner: float) -> Layout:
    """Panels beside each other moved apart, where the title between them needs it."""
    names = [name for name in layout if name.startswith("xaxis")]
    lefts = sorted({layout[name].get("domain", (0, 1))[0] for name in names})
    titled = any(layout[name]["title"].get("text") for name in _right(layout, names))
    if len(lefts) < 2 or not titled:
        return layout
    gap = BETWEEN / inner
    wide = (1 - gap * (len(lefts) - 1)) / len(lefts)
    moved = {name: lefts.index(layout[name]["domain"][0]) * (wide + gap) for name in names}
    return layout | {name: layout[name] | {"domain": [left, left + wide]} for name, left in moved.items()}


def _right(layout: Layout, names: Sequence[str]) -> list[str]:
    """The y axes of the panels that have another at their left."""
    return [f"y{name[1:]}" for name in names if layout[name].get("domain", (0, 1))[0] > 0]


def _share(axis: Layout) -> float:
    left, right = axis.get("domain", (0, 1))
    return right - left


def _wrapped(text: str, room: float, size: float) -> list[str]:
    return textwrap.wrap(text, max(8, int(room / (CHARACTER * size)))) or [""]


def _labels(axis: Layout, inner: float) -> Layout:
    """Every k-th label of an axis, if all of them would run into each other; the ticks stay."""
    values, texts = axis.get("tickvals"), axis.get("ticktext")
    if not values or not texts or axis.get("tickangle"):
        return axis if values else axis | {"nticks": max(2, int(_share(axis) * inner / TICK))}
    wide = CHARACTER * axis["tickfont"]["size"] * max(len(text) for text in texts) + APART
    fit = max(1, int(_share(axis) * inner / wide))
    every = -(-len(texts) // fit)
    # Counted from the right, so that the 0 at the left of a logarithmic axis is kept beside few others.
    kept = [text if (len(texts) - 1 - place) % every == 0 or place == 0 else "" for place, text in enumerate(texts)]
    return axis | {"ticktext": kept}
