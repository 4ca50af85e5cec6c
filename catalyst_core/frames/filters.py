"""What the filters were at a step, a row a channel; and their density over all steps, a row an occupied bin."""

import bisect
from collections.abc import Sequence

import numpy as np
import pandas as pd

from catalyst_core.events import STAGES
from catalyst_core.frames.columns import categorical, whose
from catalyst_core.frames.view import BIN_CENTRES, Measurement, RaceView, RunRecord

Look = tuple[RunRecord, Measurement]


def steps(view: RaceView) -> list[int]:
    """Every step at which some run looked at its filters, ascending: the positions of the step slider."""
    return view.once("steps", lambda: sorted({found.step for record in view.records.values() for found in record.measured}))


def filters_frame(view: RaceView, step: int | None = None, *, until_cut: bool = False) -> pd.DataFrame:
    """One row a channel of every run, at the run's last measurement at or before `step` (None: the newest).

    With `until_cut`, what came after the cut is left out: there every pruned channel has magnitude 0 and nothing is left to
    decide, so margins, gaps and flips are read from the measurement that the cut was made from.

    Columns: run, label, method, seed, stage, step, group, channel, initial (magnitude that the sparse stage began with, or
    the cut where there is none; during dense training the newest), magnitude, catalyst (NaN without one), margin (signed,
    log units), kept (margin > 0), decided (margin infinite, or the cut was made from this measurement), threshold
    (magnitude that the cut would use in this group, NaN without one). Runs without a measurement have no rows.
    """
    return view.once(("filters", step, until_cut), lambda: _filters(view, step, until_cut))


def _filters(view: RaceView, step: int | None, until_cut: bool) -> pd.DataFrame:
    looks = [found for record in view.records.values() if (found := look(record, step, until_cut=until_cut)) is not None]
    records = [record for record, _ in looks]
    margins = _joined([found.margins for _, found in looks])
    channels = [len(found.magnitudes) for _, found in looks]
    cut = np.repeat([found.is_cut for _, found in looks], channels).astype(bool)
    return pd.DataFrame(
        whose(view, records, channels)
        | {
            "stage": categorical(STAGES, np.repeat([STAGES.index(found.stage) for _, found in looks], channels).astype(int)),
            "step": np.repeat([found.step for _, found in looks], channels).astype(int),
        }
        | _places(records)
        | {
            "initial": _joined([record.initial for record in records if record.initial is not None]),
            "magnitude": _joined([found.magnitudes for _, found in looks]),
            "catalyst": _joined([_or_nan(found.catalysts, len(found.magnitudes)) for _, found in looks]),
            "margin": margins,
            "kept": margins > 0,
            "decided": np.isinf(margins) | cut,
            "threshold": _joined([_thresholds(*found) for found in looks]),
        }
    )


def look(record: RunRecord, step: int | None, *, until_cut: bool) -> Look | None:
    """The run with the measurement that `filters_frame` shows it at."""
    measured = record.measured[: record.cut] if until_cut else record.measured
    if record.groups is None or not measured:
        return None
    last = len(measured) if step is None else bisect.bisect_right([found.step for found in measured], step)
    return (record, measured[last - 1]) if last else None


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(float) if parts else np.empty(0)


def _or_nan(values: np.ndarray | None, channels: int) -> np.ndarray:
    return np.full(channels, np.nan, dtype=np.float32) if values is None else values


def _thresholds(record: RunRecord, found: Measurement) -> np.ndarray:
    assert record.groups is not None
    values = [np.nan if threshold is None else threshold for threshold in found.thresholds]
    return np.repeat(np.array(values, dtype=float), record.groups.sizes)


def _places(records: Sequence[RunRecord]) -> dict[str, pd.Categorical | np.ndarray]:
    """Group and channel of every row."""
    groups = [record.groups for record in records if record.groups is not None]
    names = list(dict.fromkeys(name for found in groups for name in found.names))
    codes = [names.index(name) for found in groups for name in found.names]
    sizes = [size for found in groups for size in found.sizes]
    channel = np.concatenate([np.arange(size) for size in sizes]) if sizes else np.empty(0, dtype=int)
    return {"group": categorical(names, np.repeat(np.array(codes, dtype=int), sizes)), "channel": channel}


def density_frame(view: RaceView) -> pd.DataFrame:
    """One row an occupied magnitude bin of every measurement, from the stored histograms alone.

    Columns: run, label, method, seed, stage, step, epoch, seconds, bin (index of the fixed bin, -1: exact zeros),
    magnitude (geometric centre of the bin, 0 for exact zeros), count.
    """
    return view.once("density", lambda: _density(view))


def _density(view: RaceView) -> pd.DataFrame:
    records = list(view.records.values())
    found = [one for record in records for one in record.measured]
    occupied = [len(one.bins) for one in found]
    rows = [sum(len(one.bins) for one in record.measured) for record in records]
    clocks = [record.clock(np.array([one.step for one in record.measured], dtype=float)) for record in records]
    bins = np.concatenate([one.bins for one in found]) if found else np.empty(0, dtype=int)
    return pd.DataFrame(
        whose(view, records, rows)
        | {
            "stage": categorical(STAGES, np.repeat([STAGES.index(one.stage) for one in found], occupied).astype(int)),
            "step": np.repeat([one.step for one in found], occupied).astype(int),
            "epoch": np.repeat(_joined([epochs for epochs, _ in clocks]), occupied),
            "seconds": np.repeat(_joined([seconds for _, seconds in clocks]), occupied),
            "bin": bins,
            "magnitude": np.where(bins < 0, 0.0, BIN_CENTRES[bins]),
            "count": np.concatenate([one.counts for one in found]) if found else np.empty(0, dtype=int),
        }
    )
