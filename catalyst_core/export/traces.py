"""Plotly's traces as matplotlib artists: the few kinds that our figures use."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

POINTS = 0.75  # typographic points a CSS pixel
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "pentagon": "p", "star": "*", "cross": "P", "x": "X", "x-thin": "x"}
MARKERS |= {"triangle-up": "^", "triangle-down": "v", "triangle-right": ">", "triangle-left": "<", "arrow": "^"}
MARKERS |= {"hexagon": "h", "octagon": "8", "hexagram": (6, 1, 0), "diamond-tall": "d"}
# Lengths of dash and gap, in line widths, as plotly draws them.
DASHES = {"solid": "-", "dot": (0, (1.5, 2)), "dash": (0, (5, 3)), "dashdot": (0, (5, 2, 1.5, 2)), "longdash": (0, (8, 3))}
DASHES |= {"longdashdot": (0, (8, 2, 1.5, 2))}

Trace = dict[str, Any]


def draw(axes: Axes, trace: Trace) -> None:
    """Put one trace on its axes."""
    DRAWERS[trace["type"]](axes, trace)


def handle(trace: Trace) -> Line2D | Patch:
    """What stands for a trace in a legend."""
    if trace["type"] == "bar":
        return Patch(**_bar_look(trace))
    marker = _marker(trace) if "markers" in trace.get("mode", "lines") else {}
    return Line2D([], [], **_line(trace), **marker)


def _scatter(axes: Axes, trace: Trace) -> None:
    x, y = _numbers(trace["x"]), _numbers(trace["y"])
    if not np.isfinite(x).any():
        return
    mode, marker = trace.get("mode", "lines"), trace.get("marker", {})
    look: dict[str, Any] = {"alpha": trace.get("opacity", 1) * marker.get("opacity", 1), "zorder": 3}
    look["clip_on"] = trace.get("cliponaxis", True)
    if "lines" in mode:
        style = {"hvh": "steps-mid"}.get(trace.get("line", {}).get("shape", ""), "default")
        axes.plot(x, y, drawstyle=style, **_line(trace), **look)
    if "markers" in mode:
        sizes = np.broadcast_to(np.asarray(marker.get("size", 6), dtype=float), x.shape)
        is_arrow = marker.get("angleref") == "previous"
        for size in np.unique(sizes[sizes > 0]):
            some = np.flatnonzero(sizes == size)
            if is_arrow:
                _arrows(axes, trace, (x, y), some)
            else:
                axes.plot(x[some], y[some], linestyle="none", **_marker(trace, float(size)), **look)
    _error_bars(axes, trace, x, y)


def _arrows(axes: Axes, trace: Trace, xy: tuple[np.ndarray, np.ndarray], some: np.ndarray) -> None:
    """Heads that point, on paper, away from the point before."""
    for at in some:
        tail, tip = ((float(xy[0][place]), float(xy[1][place])) for place in (at - 1, at))
        look = {"arrowstyle": "-|>", "color": trace["marker"]["color"], "linewidth": 0, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=tip, xytext=tail, arrowprops=look | {"mutation_scale": 8})


def _line(trace: Trace) -> dict[str, Any]:
    line = trace.get("line", {})
    if "lines" not in trace.get("mode", "lines"):
        return {"linestyle": "none"}
    width, dash = line.get("width", 2) * POINTS, DASHES[line.get("dash", "solid")]
    return {"color": line["color"], "linewidth": width, "linestyle": dash}


def _marker(trace: Trace, size: float | None = None) -> dict[str, Any]:
    marker = trace.get("marker", {})
    named = marker.get("symbol", "circle")
    symbol = named.removesuffix("-open")
    colour = marker.get("color") or trace["line"]["color"]
    edge = marker.get("line", {})
    if size is None:
        size = float(np.max(marker.get("size", 6)))
    return {
        "marker": MARKERS[symbol],
        "markersize": size * POINTS * (0.8 if symbol in ("diamond", "square") else 1),
        "markerfacecolor": "none" if named != symbol else colour,
        "markeredgecolor": edge.get("color", colour),
        "markeredgewidth": edge.get("width", 0) * POINTS,
    }


def _error_bars(axes: Axes, trace: Trace, x: np.ndarray, y: np.ndarray) -> None:
    for name, direction in (("error_y", "yerr"), ("error_x", "xerr")):
        bars = trace.get(name)
        if not bars or bars.get("array") is None:
            continue
        up = _numbers(bars["array"])
        down = up if bars.get("arrayminus") is None else _numbers(bars["arrayminus"])
        length = np.nan_to_num(np.vstack([down, up]))
        look = {"elinewidth": bars.get("thickness", 2) * POINTS, "capsize": bars.get("width", 4) * POINTS / 2}
        colour = bars.get("color") or (trace.get("line") or trace["marker"])["color"]
        axes.errorbar(x, y, fmt="none", ecolor=colour, zorder=3.5, **{direction: length}, **look)


def _bar(axes: Axes, trace: Trace) -> None:
    across = trace.get("orientation") == "h"
    place, length = (_numbers(trace[name]) for name in (("y", "x") if across else ("x", "y")))
    width = np.broadcast_to(np.asarray(trace.get("width", 0.8), dtype=float), place.shape)
    offset = _numbers(trace["offset"]) if trace.get("offset") is not None else -width / 2
    base = np.zeros(place.shape) if trace.get("base") is None else _numbers(trace["base"])
    some = np.isfinite(length)
    (axes.barh if across else axes.bar)(
        (place + offset)[some], length[some], width[some], base[some], align="edge", zorder=2, **_bar_look(trace)
    )
    middle, end = place + offset + width / 2, base + length
    _error_bars(axes, trace, *((end, middle) if across else (middle, end)))


def _bar_look(trace: Trace) -> dict[str, Any]:
    marker = trace["marker"]
    edge = marker.get("line", {})
    width = edge.get("width", 0)
    return {
        "facecolor": marker["color"],
        "edgecolor": edge.get("color", "none") if width else "none",
        "linewidth": width * POINTS,
    }


def _heatmap(axes: Axes, trace: Trace) -> None:
    z = np.asarray(trace["z"], dtype=float)
    x, y = (_edges(_numbers(trace[name]), many) for name, many in (("x", z.shape[1]), ("y", z.shape[0])))
    colours = LinearSegmentedColormap.from_list("scale", [(float(stop), colour) for stop, colour in trace["colorscale"]], N=512)
    scale = Normalize(trace["zmin"], trace["zmax"], clip=True)
    for value in np.unique(np.round(z[z > trace["zmin"]], 2)):
        # One outline for all cells of a colour, drawn a hair larger, as viewers would show the seams.
        rows, columns = np.nonzero(np.round(z, 2) == value)
        look = {"facecolor": colours(scale(value)), "edgecolor": colours(scale(value)), "linewidth": 0.1, "zorder": 1}
        axes.add_artist(PathPatch(_cells(x, y, rows, columns), **look))  # not add_patch, which looks for the ranges at length
    axes.update_datalim([(x[0], y[0]), (x[-1], y[-1])])
    axes.set_xlim(x[0], x[-1])


def _cells(x: np.ndarray, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Path:
    """The rectangles of some cells as one path; neighbours in a row are joined."""
    starts = np.flatnonzero((np.diff(rows, prepend=-1) != 0) | (np.diff(columns, prepend=-9) != 1))
    ends = np.append(starts[1:], len(rows)) - 1
    left, right, low, high = x[columns[starts]], x[columns[ends] + 1], y[rows[starts]], y[rows[starts] + 1]
    corners = np.stack([left, low, right, low, right, high, left, high, left, low], axis=1).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(starts))
    return Path(corners, codes)


def _edges(values: np.ndarray, many: int) -> np.ndarray:
    """Edges of cells, from edges or centres."""
    if len(values) == many + 1:
        return values
    if len(values) == 1:
        return values[0] + np.array([-0.5, 0.5])
    middle = (values[:-1] + values[1:]) / 2
    return np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])


def _numbers(values: Any) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


DRAWERS: dict[str, Callable[[Axes, Trace], None]] = {"scatter": _scatter, "bar": _bar, "heatmap": _heatmap}
