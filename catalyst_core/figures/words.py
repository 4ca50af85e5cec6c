"""How captions say numbers: one short sentence, rounded to what can be told apart."""

from collections.abc import Sequence

import numpy as np

MOST = 6  # contenders named in one sentence


def listed(parts: Sequence[str]) -> str:
    """'a, b, c'; of a long list the first few and how many more there are."""
    more = len(parts) - MOST
    return ", ".join(parts[:MOST]) + (f" and {more} more" if more > 0 else "")


def number(value: float, digits: int = 2) -> str:
    """`digits` significant digits, without an exponent where that is short; '–' when there is none."""
    if not np.isfinite(value):
        return "–"
    text = f"{value:.{digits}g}" if abs(value) < 10**digits or abs(value) >= 1e6 else f"{value:.0f}"
    return text.replace("-", "−")


def percent(share: float, deviation: float = float("nan")) -> str:
    """A fraction as '97.5 %', with its deviation if it has one: '97.5 ± 0.3 %'."""
    if not np.isfinite(share):
        return "–"
    return f"{100 * share:.1f} ± {100 * deviation:.1f} %" if np.isfinite(deviation) else f"{100 * share:.1f} %"


def count(value: float) -> str:
    """A mean over seeds of something countable: '80', '80.3'."""
    return f"{value:.10g}" if float(value).is_integer() else f"{value:.1f}"


def size(count: float) -> str:
    """Bytes as people read them: 1_300_000 -> '1.3 MB'."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
