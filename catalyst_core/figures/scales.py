"""A logarithmic axis that can show exact zeros: they get a place of their own at its left end, labelled 0."""

from dataclasses import dataclass
from typing import Any

import numpy as np

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


LEAST_SPAN = np.log10(4)  # decades shown at least


@dataclass(frozen=True)
class LogScale:
    """From 10**low to 10**high, and in front of it, if there are zeros to show, a place for them, `width` of the axis wide."""

    low: float
    high: float
    has_zeros: bool
    width: float = 0.05

    @classmethod
    def over(
        cls, values: np.ndarray, *, zeros: bool = True, least: float = -8, whole: bool = False, width: float = 0.05
    ) -> "LogScale":
        """From a 1, 2 or 5 to another (`whole`: from a power of ten to another) around all positive values; none below
        10**least."""
        positive = values[values > 0]
        if not positive.size:
            return cls(-2.0, 1.0, zeros, width)
        low, high = _rounded(float(positive.min()), whole)[0], _rounded(float(positive.max()), whole)[1]
        if high - low < LEAST_SPAN:
            low, high = _rounded(10**low / 1.5, whole)[0], _rounded(10**high * 1.5, whole)[1]
        low = max(low, least)
        return cls(low, max(high, low + 1), zeros, width) if high <= low else cls(low, high, zeros, width)

    @property
    def _unit(self) -> float:
        """The width of the zeros' place, in decades."""
        return (self.high - self.low) * self.width

    @property
    def zero(self) -> float:
        """Where exact zeros are drawn."""
        return float(10 ** (self.low - 1.5 * self._unit))

    @property
    def zero_span(self) -> tuple[float, float]:
        """The bar of exact zeros, from and to."""
        return float(10 ** (self.low - 2 * self._unit)), float(10 ** (self.low - self._unit))

    def place(self, values: np.ndarray) -> np.ndarray:
        """Values with the zeros moved to their place, and what is below the axis to its end."""
        return np.where(values > 0, np.maximum(values, 10.0**self.low), self.zero)

    def meaning(self, axis: str) -> dict[str, Any]:
        """For a trace's `meta`: which drawn position stands for which number (see `plotted`)."""
        return {f"{axis}_means": [[self.zero, 0.0]]} if self.has_zeros else {}

    def axis(self, title: str = "", *, labelled: bool = True, most: int = 9) -> dict[str, Any]:
        """The axis, in plotly's properties, with about `most` labels at most."""
        ticks = self._ticks(most)
        left = self.low - (2.5 if self.has_zeros else 0.2) * self._unit
        axis = {
            "type": "log",
            "range": [left, self.high + 0.2 * self._unit],
            "tickvals": [self.zero] * self.has_zeros + ticks,
            "ticktext": ["0"] * self.has_zeros + [tick_label(tick) for tick in ticks],
            "showticklabels": labelled,
        }
        return axis | ({"title": title} if title else {})

    def _ticks(self, most: int) -> list[float]:
        """1, 2, 5 steps where they fit, else powers of ten, else every second or third of these."""
        first, last = int(np.floor(self.low)), int(np.ceil(self.high))
        for steps, every in (((1, 2, 5), 1), *(((1,), every) for every in range(1, last - first + 2))):
            ticks = [step * 10.0**decade for decade in range(last, first - 1, -every) for step in steps]
            inside = sorted(tick for tick in ticks if 10**self.low * 0.999 <= tick <= 10**self.high * 1.001)
            if len(inside) <= most:
                break
        return inside


def _rounded(value: float, whole: bool) -> tuple[float, float]:
    """log10 of the next 1, 2 or 5 (or power of ten) at or below a value, and at or above it."""
    steps = (1.0, 10.0) if whole else (1.0, 2.0, 5.0, 10.0)
    decade = np.floor(np.log10(value))
    edges = decade + np.log10(steps)
    place = np.log10(value)
    return float(edges[edges <= place + 1e-9].max()), float(edges[edges >= place - 1e-9].min())


def tick_label(value: float) -> str:
    """0.01 -> '0.01', 1e-05 -> '10⁻⁵'; other leading digits beside small powers are left out."""
    if 1e-3 <= value < 1e4:
        return f"{value:.10g}"
    decade = round(np.log10(value))
    return f"10{str(decade).translate(_RAISED)}" if np.isclose(value, 10.0**decade) else ""
