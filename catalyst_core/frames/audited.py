"""What the audits say about the filters of a `filters_frame`: gap, flips, bias and survival, a row a run or a bin."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from catalyst_core import audits
from catalyst_core.frames.columns import split

EPS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)  # noise, in medians of the kept magnitudes
SURVIVAL_BINS = 8
WILSON_Z = 1.959964  # 95 %
AFTER_CUT = ("recalibrate", "finetune")
UNDEFINED = audits.Bias(np.nan, np.nan, np.nan, np.nan)
WHOSE = ["run", "label", "method", "seed"]


def gap_frame(filters: pd.DataFrame) -> pd.DataFrame:
    """One row a run: run, label, method, seed and `gap`, the mean decision gap of its groups (NaN if none has two sides).

    The gap is a property of the decision: runs measured after their cut have NaN (see `filters_frame(until_cut=True)`).
    """
    rows = [(*who, np.nan if run["stage"].iloc[0] in AFTER_CUT or _is_broken(run) else _gap(run)) for who, run in _runs(filters)]
    return _table(filters, rows, ["gap"])


def _gap(run: pd.DataFrame) -> float:
    groups = run["group"].cat.codes.to_numpy()
    return audits.decision_gap(run["magnitude"].to_numpy(), run["kept"].to_numpy(), groups)


def correlation_frame(filters: pd.DataFrame, *, draws: int = 0, seed: int = 0) -> pd.DataFrame:
    """One row a run: `correlation`, the rank correlation of initial magnitude with survival within groups, and `auc`.

    `low` and `high` are the ends of a 95 % bootstrap interval of `draws` draws, NaN without. NaN where they are undefined.
    """
    rows = []
    for who, run in _runs(filters):
        given = (run["initial"].to_numpy(), run["kept"].to_numpy(), run["group"].cat.codes.to_numpy())
        bias = UNDEFINED if _is_broken(run) else audits.magnitude_bias(*given, draws=draws, seed=seed)
        rows.append((*who, bias.correlation, bias.low, bias.high, bias.auc))
    return _table(filters, rows, ["correlation", "low", "high", "auc"])


def flip_frame(filters: pd.DataFrame, *, draws: int = 200, seed: int = 0) -> pd.DataFrame:
    """Decisions under noise, one row a run and noise level: run, label, method, seed, eps, flipped, flip_point, draws.

    `flipped` is the share (0..1) of decisions that change when every magnitude (and catalyst variable) gets noise of `eps`
    times the median kept magnitude of its group; `flip_point` the eps that flips 1 %. Runs whose decision has no limit (a
    random cut) and runs measured after their cut have no rows.
    """
    rows = []
    for who, run in _runs(filters):
        critical = critical_noise(run, draws=draws, seed=seed)
        point, flipped = audits.noise_that_flips(critical), audits.share_flipped(critical, EPS)
        rows += [(*who, level, share, point, draws) for level, share in zip(EPS, flipped, strict=True) if np.isfinite(share)]
    return _table(filters, rows, ["eps", "flipped", "flip_point", "draws"])


def critical_noise(run: pd.DataFrame, *, draws: int = 200, seed: int = 0) -> np.ndarray:
    """(draws * channels,) rising: the noise beyond which each decision of one run flips in each draw; see `audits.flip_noise`.

    Empty where its decision has no limit (a random cut), and where it was measured after its cut.
    """
    is_catalyst = bool(run["catalyst"].notna().any())
    limits = run["catalyst" if is_catalyst else "threshold"].to_numpy()
    if run["stage"].iloc[0] in AFTER_CUT or np.isnan(limits).all() or _is_broken(run):
        return np.empty(0)
    given = (run["magnitude"].to_numpy(), limits, run["kept"].to_numpy(), run["group"].cat.codes.to_numpy())
    return audits.flip_noise(*given, noisy_limits=is_catalyst, draws=draws, seed=seed)


def survival_frame(filters: pd.DataFrame, bins: int = SURVIVAL_BINS) -> pd.DataFrame:
    """Share of channels kept by the percentile of their initial magnitude within their group, seeds pooled.

    Columns: label, percentile (centre of the bin, 0..1), channels, kept, share, low, high: Wilson's 95 % score interval
    (Wilson, "Probable Inference", 1927). Bins without a channel have no row.
    """
    within = filters.groupby(["run", "group"], observed=True, sort=False)["initial"]
    place = (within.rank(method="average") - 0.5) / within.transform("size")
    table = filters[["label"]].assign(bin=np.minimum((place * bins).astype(int), bins - 1), kept=filters["kept"])
    counts = table.groupby(["label", "bin"], observed=True)["kept"].agg(["size", "sum"]).reset_index()
    channels, kept = counts["size"].to_numpy(dtype=float), counts["sum"].to_numpy(dtype=float)
    low, high = wilson(kept, channels)
    return pd.DataFrame(
        {
            "label": counts["label"],
            "percentile": (counts["bin"] + 0.5) / bins,
            "channels": counts["size"],
            "kept": counts["sum"],
            "share": kept / channels,
            "low": low,
            "high": high,
        }
    )


def wilson(hits: np.ndarray, trials: np.ndarray, z: float = WILSON_Z) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval for hits / trials, both (N,), trials > 0; returns its ends, each (N,) in 0..1."""
    share, shrink = hits / trials, 1 + z**2 / trials
    middle = (share + z**2 / (2 * trials)) / shrink
    half = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / shrink
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _is_broken(run: pd.DataFrame) -> bool:
    """Whether training left magnitudes that are no numbers: a run that is about to fail has been looked at."""
    return any(np.isnan(run[name].to_numpy()).any() for name in ("initial", "magnitude"))


def _runs(filters: pd.DataFrame) -> Iterator[tuple[tuple[object, ...], pd.DataFrame]]:
    for run in split(filters, "run").values():
        yield tuple(run[name].iloc[0] for name in WHOSE), run


def _table(filters: pd.DataFrame, rows: Sequence[tuple[object, ...]], numbers: Sequence[str]) -> pd.DataFrame:
    """Rows as a frame whose labels know all labels of the race, so that looks do not change with what is shown."""
    table = pd.DataFrame(rows, columns=[*WHOSE, *numbers])
    return table.astype({"label": filters["label"].dtype, **dict.fromkeys(numbers, float)})
