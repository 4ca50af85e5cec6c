"""The audits of finished runs: what their filters were at the decision, from the measurement that the cut was made from.

gap, margins, flips, bias    as `catalyst_core.audits` computes them on plain arrays
certificate                  as the run stated it at its cut
"""

# C = channels of all groups

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from catalyst_core.audits import Bias
from catalyst_core.events import Pruned
from catalyst_core.frames.audited import UNDEFINED, correlation_frame, flip_frame, gap_frame
from catalyst_core.frames.filters import filters_frame
from catalyst_core.frames.view import RaceView, Reader, RunRecord
from catalyst_core.store.base import RunInfo

FLIP_DRAWS = 200
BIAS_DRAWS = 1000


class RunReader(Reader, Protocol):
    """A store that knows its runs by their id."""

    def run(self, run_id: str) -> RunInfo:
        """One run. Raises NotFoundError."""


@dataclass(frozen=True)
class AuditReport:
    """One run's decision. None and NaN where a number does not exist; a run that was never cut has none of them."""

    run: str
    label: str
    method: str
    seed: int
    state: str  # of the run: "completed", "stopped", ...
    channels: int | None = None  # C
    kept: int | None = None  # channels that stay
    undecided: int | None = None  # channels with D_i n_i > 0 at the decision; 0 for methods that decide by a cut
    gap: float = np.nan  # (smallest kept n - largest pruned n) / median kept n, mean over the groups by their size
    smallest_margin: float = np.nan  # |log(n / limit)| of the channel nearest to the boundary; infinite: n or limit is 0
    median_margin: float = np.nan  # the same of the median channel
    flip_point: float = np.nan  # noise, in medians of the kept magnitudes, that flips 1 % of the decisions
    flips: tuple[tuple[float, float], ...] = ()  # (noise, share of the decisions that it flips, 0..1)
    bias: Bias = UNDEFINED  # of survival for large initial magnitudes, with a 95 % interval
    certificate: Pruned | None = None  # what the cut changed


def audit_run(
    store: RunReader, run_id: str, *, draws: int = FLIP_DRAWS, bootstrap: int = BIAS_DRAWS, seed: int = 0
) -> AuditReport:
    """The audits of one run. `draws` of the flip noise, `bootstrap` draws of the bias, both from `seed`.

    Raises `NotFoundError` for a run that the store does not hold, and `ConfigError` for numbers of draws below 1 and 0.
    """
    reports = audit_race(store, store.run(run_id).race_id, runs=[run_id], draws=draws, bootstrap=bootstrap, seed=seed)
    return reports[0]


def audit_race(
    store: Reader,
    race_id: str,
    *,
    runs: Sequence[str] | None = None,
    draws: int = FLIP_DRAWS,
    bootstrap: int = BIAS_DRAWS,
    seed: int = 0,
) -> list[AuditReport]:
    """The audits of every run of a race, or of those in `runs`, in the order of the race; see `audit_run`."""
    view = RaceView(store, race_id)
    view.refresh()
    records = [record for run_id, record in view.records.items() if runs is None or run_id in runs]
    filters = filters_frame(view, until_cut=True)
    filters = filters[filters["run"].isin([record.info.id for record in records if record.cut])]
    gaps = gap_frame(filters).set_index("run")
    biases = correlation_frame(filters, draws=bootstrap, seed=seed).set_index("run")
    flips = flip_frame(filters, draws=draws, seed=seed).set_index("run")
    return [_report(record, filters[filters["run"] == record.info.id], gaps, biases, flips) for record in records]


def _report(
    record: RunRecord, channels: pd.DataFrame, gaps: pd.DataFrame, biases: pd.DataFrame, flips: pd.DataFrame
) -> AuditReport:
    """`channels` are the rows of this run in a `filters_frame`; the others hold all runs, by their id."""
    info = record.info
    whose = (info.id, info.label, info.config.method.name, info.config.seed, info.state)
    if channels.empty:
        return AuditReport(*whose)
    distances = channels["margin"].abs()
    curve = flips[flips.index == info.id]
    return AuditReport(
        *whose,
        channels=len(channels),
        kept=int(channels["kept"].sum()),
        undecided=int(((channels["magnitude"] > 0) & (channels["catalyst"] > 0)).sum()),
        gap=float(gaps.loc[info.id, "gap"]),
        smallest_margin=float(distances.min()),
        median_margin=float(distances.median()),
        flip_point=float(curve["flip_point"].iloc[0]) if len(curve) else np.nan,
        flips=tuple(zip(curve["eps"], curve["flipped"], strict=True)),
        bias=Bias(*(float(biases.loc[info.id, name]) for name in ("correlation", "low", "high", "auc"))),
        certificate=record.pruned,
    )
