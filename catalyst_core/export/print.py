"""Figures on paper without a browser: a plotly figure of ours as a matplotlib figure of the same geometry and look.

There is one definition of every figure, in plotly; this translates what our figures use of it (scatter, bar and heat map
traces, panels, lines, notes, legends). Text stays text in PDF and SVG; the same figure gives the same bytes.
"""

import io
import re
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Literal

import plotly.graph_objects as go
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import Op, PdfFile, RendererPdf
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from matplotlib.transforms import Transform, blended_transform_factory

from catalyst_core.export import column
from catalyst_core.export.traces import DASHES, POINTS, draw, handle
from catalyst_core.figures.sheet import flow
from catalyst_core.figures.style import FONTS, WIDTH

PrintFormat = Literal["pdf", "svg", "png"]
DPI = 300
PIXELS = 96  # CSS pixels an inch
_LOCK = threading.Lock()  # matplotlib's settings are global
_SETTINGS = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "catalyst", "axes.unicode_minus": True}
_METADATA: dict[PrintFormat, dict[str, Any]] = {
    "pdf": {"Creator": "Catalyst", "Producer": None, "CreationDate": None},
    "svg": {"Creator": "Catalyst", "Date": None},
    "png": {"Software": "Catalyst"},
}
_OPTIONS: dict[PrintFormat, dict[str, Any]] = {"png": {"pil_kwargs": {"compress_level": 3}}}  # half the time, a little larger


def print_figure(figure: go.Figure, kinds: Sequence[PrintFormat], *, title: str = "") -> dict[PrintFormat, bytes]:
    """The figure as files: PDF and SVG with text as text, PNG with 300 dots an inch. Safe to call from any thread."""
    files: dict[PrintFormat, bytes] = {}
    with _LOCK, rc_context(_SETTINGS | {"font.family": _families()}):
        drawn = to_matplotlib(figure)
        for kind in kinds:
            out = io.BytesIO()
            metadata = _METADATA[kind] | ({"Title": title} if title else {})
            drawn.savefig(out, format=kind, dpi=DPI, metadata=metadata, facecolor=drawn.get_facecolor(), **_OPTIONS.get(kind, {}))
            files[kind] = out.getvalue()
    return files


def print_column(figure: go.Figure, *, title: str = "") -> dict[PrintFormat, bytes]:
    """The figure as PDF and SVG, laid out for a column 3.35 inches wide, with text of 7 to 8 points."""
    pdf, svg = io.BytesIO(), io.BytesIO()
    scale = column.INCHES * PIXELS / column.PIXELS
    with _LOCK, rc_context(_SETTINGS | {"font.family": _families()}):
        drawn = to_matplotlib(figure, narrow=True)
        drawn.savefig(svg, format="svg", metadata=_METADATA["svg"] | {"Title": title}, facecolor=drawn.get_facecolor())
        _small_pdf(drawn, scale, pdf, _METADATA["pdf"] | {"Title": title})
    return {
        "pdf": pdf.getvalue(),
        "svg": re.sub(rb'(width|height)="([\d.]+)pt"', lambda size: _scaled(size, scale), svg.getvalue()),
    }


def _scaled(size: re.Match[bytes], scale: float) -> bytes:
    return b'%s="%.4gpt"' % (size[1], float(size[2]) * scale)


def _small_pdf(drawn: Figure, scale: float, out: io.BytesIO, metadata: dict[str, Any]) -> None:
    """matplotlib's own way to a PDF, on a page that is scaled: text and lines shrink alike."""
    drawn.dpi = 72
    width, height = drawn.get_size_inches()
    with closing(PdfFile(out, metadata=metadata)) as file:
        file.newPage(width * scale, height * scale)
        file.output(scale, 0, 0, scale, 0, 0, Op.concat_matrix)
        renderer = RendererPdf(file, 72, height, width)
        drawn.draw(renderer)
        renderer.finalize()
        file.finalize()


def to_matplotlib(figure: go.Figure, *, narrow: bool = False) -> Figure:
    """A matplotlib figure with the panels, traces, notes, lines and legend of a plotly figure, at 96 pixels an inch.

    `narrow`: laid out as wide as a column.
    """
    layout = _resolved(figure)
    if narrow:
        layout = column.narrow(layout, [trace.name for trace in figure.data if trace.showlegend])
    width, height = layout.get("width", WIDTH), layout.get("height", 450)
    drawn = Figure(figsize=(width / PIXELS, height / PIXELS), facecolor=layout["paper_bgcolor"])
    FigureCanvasAgg(drawn)
    panels = _panels(drawn, layout, (width, height))
    traces = [trace.to_plotly_json() for trace in figure.data]
    for trace in traces:
        draw(panels[trace.get("yaxis", "y")], trace)
    _share(panels, layout)
    for shape in layout.get("shapes", ()):
        _line(drawn, panels, shape)
    for note in layout.get("annotations", ()):
        _note(drawn, panels, note, layout)
    _legend(drawn, traces, layout, (width, height))
    return drawn


def _families() -> list[str]:
    """The house fonts that this machine has; matplotlib brings the last one along."""
    have = {entry.name for entry in font_manager.fontManager.ttflist}
    return [name for name in FONTS if name in have]


def _resolved(figure: go.Figure) -> dict[str, Any]:
    """The layout with its template filled in."""
    layout = figure.layout.to_plotly_json()
    template = layout.pop("template").get("layout", {})
    merged = _over(template, layout)
    for key in [key for key in layout if re.fullmatch(r"[xy]axis\d*", key)]:
        merged[key] = _over(template[key[:5]], layout[key])
    return merged


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, nested."""
    both = {key: _over(below[key], value) if isinstance(value, dict) and key in below else value for key, value in above.items()}
    return below | both


def _panels(drawn: Figure, layout: dict[str, Any], size: tuple[float, float]) -> dict[str, Axes]:
    """'y', 'y2', ... -> axes."""
    margin, (width, height) = layout["margin"], size
    inner = (width - margin["l"] - margin["r"], height - margin["t"] - margin["b"])
    panels = {}
    for key in [key for key in layout if key.startswith("yaxis")]:
        up, across = layout[key], layout["xaxis" + key[5:]]
        (left, right), (low, high) = across.get("domain", (0, 1)), up.get("domain", (0, 1))
        place = (
            (margin["l"] + left * inner[0]) / width,
            (margin["b"] + low * inner[1]) / height,
            (right - left) * inner[0] / width,
            (high - low) * inner[1] / height,
        )
        axes = drawn.add_axes(place, facecolor=layout["plot_bgcolor"])
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        for name, axis in (("x", across), ("y", up)):
            _axis(axes, name, axis, layout["font"]["color"])
        panels["y" + key[5:]] = axes
    return panels


def _axis(axes: Axes, name: Literal["x", "y"], axis: dict[str, Any], ink: str) -> None:
    side, drawn = ("bottom", axes.xaxis) if name == "x" else ("left", axes.yaxis)
    axes.spines[side].set(color=axis["linecolor"], linewidth=axis["linewidth"] * POINTS)
    if axis.get("type") == "log":
        axes.set(**{f"{name}scale": "log"})
    if axis.get("range") is not None:
        axes.set(**{f"{name}lim": [10**end if axis.get("type") == "log" else end for end in axis["range"]]})
    if axis.get("tickvals") is not None:
        drawn.set_major_locator(FixedLocator(axis["tickvals"]))
        texts = axis.get("ticktext") or [f"{value:g}" for value in axis["tickvals"]]
        drawn.set_major_formatter(FuncFormatter(lambda _, place: str(texts[place]) if place is not None else ""))
        drawn.set_minor_locator(NullLocator())
    else:
        drawn.set_major_locator(MaxNLocator(nbins=axis.get("nticks", 7), steps=[1, 2, 5, 10]))
    look = {"length": axis["ticklen"] * POINTS, "width": 0.75, "color": axis["tickcolor"], "labelcolor": ink}
    axes.tick_params(axis=name, labelsize=axis["tickfont"]["size"] * POINTS, **look)
    if not axis.get("showticklabels", True):
        axes.tick_params(axis=name, **{f"label{side}": False})
    if axis.get("tickangle"):
        for label in drawn.get_ticklabels():
            label.set(rotation=-axis["tickangle"], ha="right", rotation_mode="anchor")
    if axis.get("showgrid"):
        axes.grid(axis=name, color=axis["gridcolor"], linewidth=axis["gridwidth"] * POINTS)
    title = axis["title"]
    if title.get("text"):
        label = {"fontsize": title["font"]["size"] * POINTS, "color": ink, "labelpad": title["standoff"] * POINTS}
        axes.set(**{f"{name}label": title["text"]})
        drawn.label.set(fontsize=label["fontsize"], color=ink)
        drawn.labelpad = label["labelpad"]


def _share(panels: dict[str, Axes], layout: dict[str, Any]) -> None:
    """Ranges that plotly would find by itself: x axes that match have the same; some begin at zero."""
    free = {key: axes for key, axes in panels.items() if layout["xaxis" + key[1:]].get("range") is None}
    linked = {key for key in free if layout["xaxis" + key[1:]].get("matches")}
    linked |= {"y" + layout["xaxis" + key[1:]]["matches"][1:] for key in linked}
    for group in (
        [free[key] for key in sorted(linked & set(free))],
        *([axes] for key, axes in free.items() if key not in linked),
    ):
        if group:
            low, high = min(axes.get_xlim()[0] for axes in group), max(axes.get_xlim()[1] for axes in group)
            for axes in group:
                axes.set_xlim(low, high)
    for key, axes in panels.items():
        for name in ("x", "y"):
            axis = layout[f"{name}axis{key[1:]}"]
            if axis.get("rangemode") == "tozero" and axis.get("range") is None and axis.get("type") != "log":
                axes.set(**{f"{name}lim": (0, None)})


def _place(drawn: Figure, panels: dict[str, Axes], refs: tuple[str, str]) -> tuple[Transform, Axes | None]:
    """Where a pair of references measures; and the axes, if it is in a panel."""
    number = next((ref.split()[0][1:] for ref in refs if ref != "paper"), None)
    if number is None:
        return drawn.transFigure, None
    axes = panels[f"y{number}"]
    parts = [axes.transData if " " not in ref and ref != "paper" else axes.transAxes for ref in refs]
    return blended_transform_factory(*parts), axes


def _line(drawn: Figure, panels: dict[str, Axes], shape: dict[str, Any]) -> None:
    transform, axes = _place(drawn, panels, (shape["xref"], shape["yref"]))
    assert shape["type"] == "line"
    assert axes is not None
    look = {"color": shape["line"]["color"], "linewidth": shape["line"]["width"] * POINTS}
    dash = DASHES[shape["line"].get("dash", "solid")]
    # Added as an artist, a line does not take part in finding the ranges.
    from_to = ([shape["x0"], shape["x1"]], [shape["y0"], shape["y1"]])
    line = axes.plot(*from_to, transform=transform, linestyle=dash, zorder=1.5, scalex=False, scaley=False, **look)[0]
    line.set_in_layout(False)


def _note(drawn: Figure, panels: dict[str, Axes], note: dict[str, Any], layout: dict[str, Any]) -> None:
    refs = (note["xref"], note["yref"])
    transform, axes = _place(drawn, panels, refs)
    x, y = note["x"], note["y"]
    if axes is None:
        x, y = _on_paper(layout, (x, y), drawn)
    else:
        x = 10**x if " " not in refs[0] and axes.get_xscale() == "log" else x
        y = 10**y if " " not in refs[1] and axes.get_yscale() == "log" else y
    font = layout["font"] | note.get("font", {})
    target = axes if axes is not None else drawn.axes[0]
    target.annotate(
        re.sub(r"<[^>]+>", "", note["text"].replace("<br>", "\n")),
        (x, y),
        (note.get("xshift", 0) * POINTS, note.get("yshift", 0) * POINTS),
        xycoords=transform,
        textcoords="offset points",
        annotation_clip=False,
        fontsize=font["size"] * POINTS,
        color=font["color"],
        rotation=-note.get("textangle", 0),
        ha=note.get("xanchor", "center"),
        va={"middle": "center"}.get(note.get("yanchor", "middle"), note.get("yanchor", "middle")),
        zorder=5,
    )


def _on_paper(layout: dict[str, Any], at: tuple[float, float], drawn: Figure) -> tuple[float, float]:
    """Shares of the plotting area -> shares of the whole figure."""
    width, height = (inches * PIXELS for inches in drawn.get_size_inches())
    margin = layout["margin"]
    return (
        (margin["l"] + at[0] * (width - margin["l"] - margin["r"])) / width,
        (margin["b"] + at[1] * (height - margin["t"] - margin["b"])) / height,
    )


def _legend(drawn: Figure, traces: list[dict[str, Any]], layout: dict[str, Any], size: tuple[float, float]) -> None:
    """Entries in lines above the panels, as many as the figure made room for."""
    shown = [trace for trace in traces if trace.get("showlegend")]
    width, height = size
    margin = layout["margin"]
    places, lines = flow([trace["name"] for trace in shown], width - margin["l"] - margin["r"])
    foot = height - margin["t"] + (layout["legend"]["y"] - 1) * (height - margin["t"] - margin["b"])
    for trace, (line, left) in zip(shown, places, strict=True):
        up = foot + (lines - line) * 19
        drawn.add_artist(
            drawn.legend(
                [handle(trace)],
                [trace["name"]],
                loc="center left",
                bbox_to_anchor=((margin["l"] + left) / width, (up - 8) / height),
                frameon=False,
                fontsize=layout["legend"]["font"]["size"] * POINTS,
                labelcolor=layout["font"]["color"],
                handlelength=2.4,
                handletextpad=0.5,
                borderpad=0,
            )
        )
