"""The one look of every figure, on screen and on paper: palette, dashes, markers and a template a theme.

The colours of the usual five are Okabe and Ito's ("Color Universal Design", 2008), brightened for dark paper; those of the
rivals were searched so that the smallest distance between any two, for every kind of vision, is as large as it gets. A
method is told apart twice, by hue and by dash and marker (dashes repeat, pairs do not). Settings of one method share
its hue and differ in lightness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import plotly.graph_objects as go

from catalyst_core.catalog import METHODS

Theme = Literal["light", "dark"]

# Metric-compatible families with tabular figures, so that screen and print break lines alike.
FONTS = ("Arial", "Liberation Sans", "Helvetica", "DejaVu Sans")
WIDTH = 640  # pixels, of a figure on paper; on screen figures take the width they are given


class Paper(NamedTuple):
    """The neutral colours of one theme."""

    paper: str
    ink: str
    faint: str  # axis lines, annotations of second rank
    grid: str


PAPERS: dict[Theme, Paper] = {
    "light": Paper("#ffffff", "#1b1f24", "#6a7178", "#e6e8eb"),
    "dark": Paper("#0e1117", "#e8eaed", "#9aa1a9", "#262c36"),
}
METHOD_COLOURS: dict[Theme, dict[str, str]] = {
    "light": {
        "catalyst": "#0072B2",
        "l1": "#D55E00",
        "group_lasso": "#009E73",
        "slimming": "#BE4DFF",
        "sparse_group_lasso": "#774508",
        "group_hoyer_square": "#0F2D61",
        "polarization": "#3C1ED5",
        "growing_reg": "#46072F",
        "none": "#4D4D4D",
        "random": "#CC79A7",
        "depth": "#580098",
    },
    "dark": {
        "catalyst": "#56B4E9",
        "l1": "#F0A01E",
        "group_lasso": "#1FA37A",
        "slimming": "#DD3E26",
        "sparse_group_lasso": "#FBCA6E",
        "group_hoyer_square": "#E9F963",
        "polarization": "#1B5DC5",
        "growing_reg": "#B34152",
        "none": "#D0D0D0",
        "random": "#D67FB5",
        "depth": "#B8F8B8",
    },
}
METHOD_DASHES: dict[str, str] = {
    "catalyst": "solid",
    "l1": "dash",
    "group_lasso": "dashdot",
    "slimming": "longdashdot",
    "sparse_group_lasso": "longdash",
    "group_hoyer_square": "dash",
    "polarization": "dashdot",
    "growing_reg": "dot",
    "none": "dot",
    "random": "longdash",
    "depth": "longdashdot",
}
METHOD_MARKERS: dict[str, str] = {
    "catalyst": "circle",
    "l1": "square",
    "group_lasso": "diamond",
    "slimming": "triangle-down",
    "sparse_group_lasso": "pentagon",
    "group_hoyer_square": "star",
    "polarization": "cross",
    "growing_reg": "triangle-right",
    "none": "triangle-up",
    "random": "x",
    "depth": "diamond-tall",
}
PEER_MARKERS: dict[str, str] = {
    "tp_group_norm": "hexagon",
    "tp_bn_scale": "octagon",
    "tp_growing_reg": "triangle-left",
    "tp_magnitude": "hexagram",
}
PEER_INK = 0.45  # share of the ink in a peer's colour


@dataclass(frozen=True)
class Look:
    """How one contender is drawn, in every figure."""

    title: str
    colour: str
    dash: str
    marker: str

    def channel(self, kept: bool, size: int, opacity: float) -> dict[str, Any]:
        """The marker of one channel: filled on the kept side, open on the pruned one."""
        return {
            "symbol": self.marker if kept else f"{self.marker}-open",
            "size": size,
            "color": self.colour,
            "opacity": opacity,
            "line": {"width": 0 if kept else 1, "color": self.colour},
        }


def title(label: str) -> str:
    """A contender's label for a reader: 'l1 0.03 (b)' -> 'L1, λ 0.03 (b)'; 'catalyst c=1.3' -> 'Catalyst, c 1.3'."""
    known, fork, variant = label.partition(" (")
    name, *settings = known.split()
    shown = [METHODS[name].title]
    for setting in settings:
        shown.append(f"λ {setting}" if setting[0].isdigit() else setting.replace("=", " "))
    return ", ".join(shown) + fork + variant


def looks(labels: Sequence[str], theme: Theme) -> dict[str, Look]:
    """The look of every label of a race. The same labels give the same looks, whatever part of them is shown."""
    kinds = [label.split()[0] for label in labels]
    found = {}
    for place, (label, kind) in enumerate(zip(labels, kinds, strict=True)):
        shade = _shade(_hue(kind, theme), kinds[:place].count(kind), kinds.count(kind), theme)
        like = METHODS[kind].like or kind
        dash = METHOD_DASHES.get(like, "solid")
        found[label] = Look(title(label), shade, dash, PEER_MARKERS.get(kind) or METHOD_MARKERS.get(kind, "circle"))
    return found


def _hue(kind: str, theme: Theme) -> str:
    """A method's colour; a peer has that of the method of ours that it comes closest to, halfway to the ink."""
    method = METHODS[kind]
    if not method.is_peer:
        return METHOD_COLOURS[theme].get(kind, PAPERS[theme].ink)
    return mix(METHOD_COLOURS[theme][method.like], PAPERS[theme].ink, PEER_INK)


def _shade(colour: str, place: int, of: int, theme: Theme) -> str:
    """The place-th of several shades of one hue: from towards the ink to towards the paper; the hue itself if alone."""
    if of == 1:
        return colour
    towards = -0.4 + 0.85 * place / (of - 1)
    paper = PAPERS[theme]
    return mix(colour, paper.ink if towards < 0 else paper.paper, abs(towards))


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with `share` (0..1) of `other` in it; both '#rrggbb'."""
    ours, theirs = (bytes.fromhex(one[1:]) for one in (colour, other))
    return "#" + bytes(round(a + (b - a) * share) for a, b in zip(ours, theirs, strict=True)).hex()


def _axis(paper: Paper) -> dict[str, Any]:
    return {
        "showline": True,
        "linecolor": paper.faint,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": paper.faint,
        "tickfont": {"size": 11},
        "title": {"font": {"size": 12}, "standoff": 6},
        "gridcolor": paper.grid,
        "gridwidth": 1,
        "zeroline": False,
        "exponentformat": "power",
    }


def _template(paper: Paper) -> go.layout.Template:
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "font": {"size": 11}}
    return go.layout.Template(
        layout={
            "font": {"family": ", ".join(FONTS) + ", sans-serif", "size": 12, "color": paper.ink},
            "paper_bgcolor": paper.paper,
            "plot_bgcolor": paper.paper,
            "colorway": [paper.ink],
            "xaxis": _axis(paper) | {"showgrid": False},
            "yaxis": _axis(paper) | {"showgrid": True},
            "legend": legend | {"bgcolor": "rgba(0,0,0,0)", "itemsizing": "trace"},
            "hoverlabel": {"font": {"size": 12}, "align": "left"},
            "hovermode": "closest",
            "barmode": "overlay",
            "bargap": 0,
            "separators": ".\u2009",
        }
    )


TEMPLATES: dict[Theme, go.layout.Template] = {theme: _template(paper) for theme, paper in PAPERS.items()}


def figure(data: Sequence[dict[str, Any]] = (), layout: dict[str, Any] | None = None, *, theme: Theme = "light") -> go.Figure:
    """A figure of these traces in the product's template; zoom and selection survive an update (`uirevision`)."""
    fixed = {"template": TEMPLATES[theme], "uirevision": "catalyst"}
    return go.Figure(data=list(data), layout=fixed | (layout or {}))
