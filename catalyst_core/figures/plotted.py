"""Exactly the numbers that a figure shows, as one tidy table for a CSV."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

COLUMNS = ["panel", "trace", "x", "y", "z", "error_low", "error_high", "text"]


def plotted(figure: go.Figure) -> pd.DataFrame:
    """One row a drawn point, bar or cell of every trace, in the order drawn.

    Columns: panel (what it is called in the figure), trace (its name), x, y, z (of a heat map), error_low and
    error_high (length of the error bar down and up, along the axis that has one), text. Positions that stand for another
    number (exact zeros on a logarithmic axis, channels that are already decided) are given as that number. Gaps between
    joined lines are left out.
    """
    tables = [_heatmap(trace) if trace.type == "heatmap" else _points(trace) for trace in figure.data]
    tables = [
        table.assign(trace=trace.name or "", panel=_panel(figure, trace))
        for table, trace in zip(tables, figure.data, strict=True)
    ]
    tables = [table.reindex(columns=COLUMNS) for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _panel(figure: go.Figure, trace: Any) -> str:
    return (figure.layout.meta or {}).get("panels", {}).get(trace.yaxis or "y", "")


def _points(trace: Any) -> pd.DataFrame:
    x, y = _numbers(trace, "x"), _numbers(trace, "y")
    if x is None or y is None:
        return pd.DataFrame(columns=COLUMNS)
    bar = trace.error_x if trace.error_x.array is not None else trace.error_y
    up = bar.array
    down = up if bar.arrayminus is None else bar.arrayminus
    text = trace.text if isinstance(trace.text, list | tuple | np.ndarray) else None
    table = pd.DataFrame({"x": x, "y": y, "error_low": down, "error_high": up, "text": text})
    return table[table["x"].notna() & table["y"].notna()]


def _heatmap(trace: Any) -> pd.DataFrame:
    z = np.asarray(trace.z, dtype=float)  # (rows, columns)
    x = _meant(_centres(trace.x, z.shape[1]), trace, "x")
    y = _meant(_centres(trace.y, z.shape[0]), trace, "y")
    table = pd.DataFrame({"x": np.tile(x, z.shape[0]), "y": np.repeat(y, z.shape[1]), "z": z.ravel()})
    return table[table["z"].notna()]


def _centres(values: Any, many: int) -> np.ndarray:
    """Centres of cells whose edges or centres are given; a heat map's edges are those of a logarithmic axis."""
    values = np.asarray(values, dtype=float)
    return values if len(values) == many else np.sqrt(values[:-1] * values[1:])


def _numbers(trace: Any, axis: str) -> np.ndarray | None:
    values = trace[axis]
    if values is None:
        return None
    return _meant(np.array([np.nan if value is None else value for value in values], dtype=float), trace, axis)


def _meant(values: np.ndarray, trace: Any, axis: str) -> np.ndarray:
    """Positions that stand for another number, as that number."""
    means = (trace.meta or {}).get(f"{axis}_means", ())
    found = values
    for drawn, number in means:
        found = np.where(np.isclose(values, drawn, rtol=1e-9, atol=0), number, found)
    return found
