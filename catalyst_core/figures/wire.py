"""A figure as a browser gets it: plain data, its numbers as compact typed arrays that plotly.js reads as they are."""

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from catalyst_core.figures.sheet import Sheet
from catalyst_core.figures.style import TEMPLATES, Theme

SHORT = 6  # numbers: of fewer a list is shorter
PLAIN: dict[Theme, dict[str, Any]] = {theme: template.to_plotly_json() for theme, template in TEMPLATES.items()}


def wire(sheet: Sheet) -> dict[str, Any]:
    """`{"data", "layout"}` for `Plotly.react`: floats as float32, whole numbers in as few bytes as hold them.

    What only `plotted` reads (`meta`) stays behind.
    """
    data, layout = sheet.spec()
    sent = {name: value for name, value in layout.items() if name != "meta"}
    sent |= {"template": PLAIN[sheet.theme], "uirevision": "kept", "autosize": True}
    return {"data": [_plain(trace) for trace in data], "layout": _plain(sent)}


def walked(value: Any, array: Callable[[np.ndarray], Any], number: Callable[[float], float] = float) -> Any:
    """Parts of a figure as what JSON knows, without what only `plotted` reads; how arrays and floats are written is given.

    Floats that are not finite become None: JSON has no word for them.
    """
    if isinstance(value, dict):
        return {name: walked(one, array, number) for name, one in value.items() if name != "meta" and one is not None}
    if isinstance(value, list | tuple):
        return [walked(one, array, number) for one in value]
    if isinstance(value, np.ndarray):
        return array(value)
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, float):
        return plain
    return number(plain) if math.isfinite(plain) else None


def _plain(value: Any) -> Any:
    return walked(value, _array)


def _array(values: np.ndarray) -> Any:
    if values.dtype.kind not in "iuf":
        return values.tolist()
    if values.dtype.kind == "f" and values.size < SHORT:
        return _plain(values.tolist())
    packed = values.astype("<f4") if values.dtype.kind == "f" else values.astype(_least(values))
    array = {"dtype": packed.dtype.str[1:], "bdata": base64.b64encode(packed.tobytes()).decode()}
    return array if values.ndim == 1 else array | {"shape": ", ".join(map(str, values.shape))}


def _least(values: np.ndarray) -> str:
    """The smallest type of whole numbers that plotly.js knows and that holds them all."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    return next((kind for kind in ("<u1", "<i2", "<u2") if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max), "<i4")
