"""Histograms of weights from elsewhere, as counts in our fixed logarithmic bins of |w|: a row an occupied bin of every look.

    F(x) = sum_b c_b |[l_b, r_b) ∩ (-x, x)| / (r_b - l_b)        count of the bin from e to e': F(e') - F(e)

A histogram says how many weights a bucket [l_b, r_b) holds and not where in it: they are spread evenly over it. Weights are
signed, and single ones: their sizes are no filter magnitudes.
"""

# B = buckets, 97 = the place below the fixed bins, and these

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from catalyst_core.events import HISTOGRAM_BINS
from catalyst_core.frames.columns import categorical
from catalyst_core.frames.view import BIN_CENTRES, BIN_EDGES

COLUMNS = ["label", "run", "tag", "step", "time", "bin", "magnitude", "count", "unsure"]


class Series(NamedTuple):
    """One histogram over time: a tag of a run."""

    run: str
    tag: str


class Look(NamedTuple):
    """One histogram, counted anew in the fixed bins."""

    step: int
    time: float  # seconds since the epoch
    counts: np.ndarray  # (97,) weights below the lowest edge (zeros among them), then in each bin; what is larger is in the last
    unsure: float  # of them, those in a bucket around 0 that reaches into the bins: no size is known, but that it is no larger


def spread(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, float]:
    """(B,) lower and upper limits of buckets and what they hold -> `counts` and `unsure` of a `Look`.

    A bucket without a width is a number that occurs so many times.
    """
    width, nearest = right - left, np.minimum(np.abs(left), np.abs(right))
    edges = BIN_EDGES[:, None]  # (97, 1)
    inside = np.clip(np.minimum(right, edges) - np.maximum(left, -edges), 0.0, None)  # (97, B) of the width, within (-e, e)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(width > 0, inside / width, nearest < edges)
    below = share @ counts  # (97,) F at the edges
    found = np.diff(below, prepend=0.0)  # the first is what lies below the lowest edge
    found[-1] += counts.sum() - below[-1]
    reach = np.maximum(np.abs(left), np.abs(right))
    around = (left <= 0) & (right >= 0) & (width > 0) & (reach > BIN_EDGES[0])
    return np.maximum(found, 0.0), float(counts[around].sum())


def weights_frame(looks: Mapping[Series, Sequence[Look]]) -> pd.DataFrame:
    """One row an occupied bin of every look.

    Columns: label (what tells the series apart: run, tag, or both), run, tag, step, time, bin (index of the fixed bin, -1:
    below the lowest), magnitude (geometric centre of the bin, 0 below), count (of weights, a fraction where a bucket was
    divided), unsure (of the whole look: weights in a bucket around 0, whose size is not known).
    """
    series = [one for one, mine in looks.items() if mine]
    labels = _labels(series)
    parts = [_rows(look) | {"series": place} for place, one in enumerate(series) for look in looks[one]]
    rows = [len(part["bin"]) for part in parts]
    place = np.repeat(np.array([part["series"] for part in parts], dtype=int), rows)
    bins = np.concatenate([part["bin"] for part in parts]) if parts else np.empty(0, dtype=int)
    columns = {
        "label": categorical(labels, place),
        "run": _named([one.run for one in series], place),
        "tag": _named([one.tag for one in series], place),
        "step": np.repeat(np.array([part["step"] for part in parts], dtype=np.int64), rows),
        "time": np.repeat(np.array([part["time"] for part in parts], dtype=float), rows),
        "bin": bins,
        "magnitude": np.where(bins < 0, 0.0, BIN_CENTRES[bins]),
        "count": np.concatenate([part["count"] for part in parts]) if parts else np.empty(0),
        "unsure": np.repeat(np.array([part["unsure"] for part in parts], dtype=float), rows),
    }
    return pd.DataFrame(columns, columns=COLUMNS)


def weights_at(frame: pd.DataFrame, step: int | None = None) -> pd.DataFrame:
    """The rows of a `weights_frame` at each series' last look at or before `step` (None: the newest)."""
    early = frame if step is None else frame[frame["step"] <= step]
    return early[early["step"] == early.groupby("label", observed=True)["step"].transform("max")]


def counts_of(frame: pd.DataFrame) -> np.ndarray:
    """(97,) the counts of one look's rows."""
    counts = np.zeros(HISTOGRAM_BINS + 1)
    np.add.at(counts, frame["bin"].to_numpy() + 1, frame["count"].to_numpy())
    return counts


def _rows(look: Look) -> dict[str, Any]:
    some = np.flatnonzero(look.counts)
    some = some if some.size else np.array([0])  # an empty histogram is a look, too
    return {"step": look.step, "time": look.time, "bin": some - 1, "count": look.counts[some], "unsure": look.unsure}


def _named(names: Sequence[str], place: np.ndarray) -> pd.Categorical:
    known = list(dict.fromkeys(names))
    return categorical(known, np.array([known.index(name) for name in names], dtype=int)[place])


def _labels(series: Sequence[Series]) -> list[str]:
    """What differs among the series: the tag, the run, or both; each once."""
    if len({one.run for one in series}) == 1:
        return [one.tag for one in series]
    if len({one.tag for one in series}) == 1:
        return [one.run for one in series]
    both = [f"{one.tag} · {one.run}" for one in series]
    return [label if both.count(label) == 1 else f"{label} ({place + 1})" for place, label in enumerate(both)]
