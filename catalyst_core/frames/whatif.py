"""Other budgets than a run's own: by the order that is stored, at once; and as they were measured on validation images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from catalyst_core import whatif
from catalyst_core.store.base import RaceInfo, RunInfo

RATIOS = np.linspace(0.05, 0.95, 91)
POINT = ["ratio", "own", "channels", "macs", "accuracy", "recalibrated_accuracy", "max_abs_logit_change"]
WHOLE = ["images", "dense_accuracy", "uncut_accuracy"]
AUDITED = ["correlation", "low", "high", "jaccard", "identical", "bit_identical", "max_abs_logit_change_float32"]


def stays(filters: pd.DataFrame, ratio: float) -> np.ndarray:
    """(C,) whether each channel of one run's `filters_frame` would stay if `ratio` (0..1) of all went.

    Within a group those with the smallest margin go, of equal margins the smallest magnitude. Each group gives in proportion
    to what it gave in the run's own decision, `kept` (see `whatif.counts`).
    """
    ids, sizes, own = _groups(filters)
    return _places(filters, ids) >= whatif.counts(sizes, own, ratio)[ids]


def whatif_frame(filters: pd.DataFrame) -> pd.DataFrame:
    """Another budget by the stored order alone, one row a ratio (0.05..0.95), from one run's `filters_frame`.

    Columns: label, ratio, stay (channels), channels, lost (share of the sum of all magnitudes that would go, 0..1), step
    (between the margins of the last channel that goes and the first that stays, log units, mean over the groups by their size;
    NaN where it is infinite or undefined everywhere), same (of the channels that stay here and in the run's own decision,
    `kept`, the share of the smaller of the two sets that is in both, 0..1).
    """
    ids, sizes, own = _groups(filters)
    places = _places(filters, ids)
    order = np.lexsort((places, ids))  # (C,) group by group, what goes first in front
    starts = np.cumsum(sizes) - sizes
    magnitude, margin, kept = (filters[name].to_numpy()[order] for name in ("magnitude", "margin", "kept"))
    with np.errstate(invalid="ignore", divide="ignore"):
        # Against one limit a group, margins differ as log-magnitudes do, and are infinite where the limit is 0.
        standing = margin if filters["catalyst"].notna().any() else np.log(magnitude)
        step = np.append(np.diff(standing), np.nan)  # behind a place, to the next one
    rows = []
    for ratio in RATIOS:
        gone = whatif.counts(sizes, own, ratio)
        stay = places[order] >= gone[ids]
        here = np.where(gone > 0, step[starts + gone - 1], np.nan)
        known = np.isfinite(here)
        between = float(np.average(here[known], weights=sizes[known])) if known.any() else np.nan
        smaller = max(1, min(int(stay.sum()), int(kept.sum())))
        lost = float(magnitude[~stay].sum() / total) if (total := magnitude.sum()) > 0 else np.nan
        rows.append((ratio, int(stay.sum()), len(stay), lost, between, int((stay & kept).sum()) / smaller))
    frame = pd.DataFrame(rows, columns=["ratio", "stay", "channels", "lost", "step", "same"])
    return frame.assign(label=pd.Categorical([filters["label"].iloc[0]] * len(frame), dtype=filters["label"].dtype))


def budgets_frame(race: RaceInfo, results: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Measured budgets of some runs of a race, one row a run and budget; `results`: those of their analyses by run id.

    Columns: run, label, method, seed, ratio (share of the channels that go), own (whether it is the run's budget), channels
    (that stay), macs, accuracy (on validation images), recalibrated_accuracy, max_abs_logit_change (by the cut), macs_share
    (of the whole network), images, dense_accuracy, uncut_accuracy. NaN where a number does not exist.
    """
    rows = []
    for run in race.runs:
        found = results.get(run.id)
        for point in found["points"] if found else ():
            share = point["macs"] / found["macs"]
            rows.append((*_whose(run), *(point[name] for name in POINT), share, *(found[name] for name in WHOLE)))
    frame = pd.DataFrame(rows, columns=["run", "label", "method", "seed", *POINT, "macs_share", *WHOLE])
    numbers = ["ratio", "accuracy", "recalibrated_accuracy", "max_abs_logit_change", "macs_share", "dense_accuracy"]
    frame = frame.astype(dict.fromkeys(numbers, float) | {"own": bool})
    return frame.assign(label=pd.Categorical(frame["label"], categories=list(race.labels)))


def rescale_frame(results: list[Mapping[str, Any]], labels: tuple[str, ...] = ()) -> pd.DataFrame:
    """The planted rescale audit, one row a method and kind of factors; `results` as `audit rescale --json` prints them.

    Columns: label, factors, correlation, low, high, jaccard, identical, bit_identical, max_abs_logit_change_float32. `labels`:
    all of the race, so that looks do not change with what is shown.
    """
    rows = [(one["method"], one["factors"], *(one[name] for name in AUDITED)) for one in results]
    frame = pd.DataFrame(rows, columns=["label", "factors", *AUDITED])
    frame = frame.astype(
        {name: float for name in AUDITED if "identical" not in name} | {"identical": bool, "bit_identical": bool}
    )
    return frame.assign(label=pd.Categorical(frame["label"], categories=list(labels or dict.fromkeys(frame["label"]))))


def _whose(run: RunInfo) -> tuple[str, str, str, int]:
    return run.id, run.label, run.config.method.name, run.config.seed


def _groups(filters: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(C,) group of each channel, (G,) channels and (G,) how many of them the run's own decision prunes."""
    ids = pd.factorize(filters["group"])[0]
    return ids, np.bincount(ids), np.bincount(ids, ~filters["kept"].to_numpy(dtype=bool)).astype(np.int64)


def _places(filters: pd.DataFrame, ids: np.ndarray) -> np.ndarray:
    return whatif.places(ids, (filters["margin"].to_numpy(), filters["magnitude"].to_numpy()))
