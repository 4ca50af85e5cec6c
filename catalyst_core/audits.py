"""How clear a pruning decision was, how much noise it bears, and whether it depends on the initial magnitudes.

    gap      (smallest kept n - largest pruned n) / median kept n, in a group
    margin   log(n_i / limit_i): the limit is D_i for Catalyst, the threshold of the group for a magnitude cut
    flips    share of decisions that change when every n_i (and D_i) gets noise of eps * median kept n
    bias     rank correlation of initial magnitude and survival, within each group, averaged by size

Everything is computed within groups: pooled over layers, which differ in scale and in keep ratio, these numbers mean
nothing (Simpson's paradox). Numpy only: scipy.stats would cost every page of the dashboard 1.7 s at its start.
"""

# C = channels of all groups, B = bootstrap draws, E = noise levels

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Bias:
    """Whether large filters survive more often: 0 = no relation, 1 = only the largest, -1 = only the smallest."""

    correlation: float  # rank correlation of initial magnitude with survival, -1..1
    low: float  # 95 % bootstrap interval of the correlation
    high: float
    auc: float  # probability that a kept channel was larger than a pruned one of its group, 0..1; 0.5 = no relation


def decision_gap(magnitudes: ArrayLike, kept: ArrayLike, groups: ArrayLike) -> float:
    """Gap of each group, averaged by its size. NaN when no group has both a kept and a pruned channel.

    `magnitudes` (C,) at the moment of the decision, before anything is zeroed; `kept` (C,) bool; `groups` (C,) ids.
    """
    n, stays = np.asarray(magnitudes, float), np.asarray(kept, bool)
    gaps, sizes = [], []
    for members in _groups(groups):
        inside, outside = n[members][stays[members]], n[members][~stays[members]]
        if len(inside) and len(outside) and np.median(inside) > 0:
            gaps.append((inside.min() - outside.max()) / np.median(inside))
            sizes.append(len(members))
    return float(np.average(gaps, weights=sizes)) if gaps else float("nan")


def margins(magnitudes: ArrayLike, limits: ArrayLike, kept: ArrayLike) -> Vector:
    """(C,) log(n / limit): positive stays, negative goes.

    Infinite, with the sign of the decision in `kept` (C,) bool, where there is no limit (NaN) or both numbers are zero.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.asarray(magnitudes, float)) - np.log(np.asarray(limits, float))
    return np.where(np.isnan(logs), np.where(kept, np.inf, -np.inf), logs)


def flip_noise(
    magnitudes: ArrayLike,
    limits: ArrayLike,
    kept: ArrayLike,
    groups: ArrayLike,
    *,
    noisy_limits: bool = False,
    draws: int = 200,
    seed: int = 0,
) -> Vector:
    """(draws * channels with a limit,) sorted: the eps beyond which each noisy decision flips; infinite: it never does.

    A channel stays while n > limit; `limits` is (C,), NaN where there is none. Noise is Gaussian with the standard
    deviation eps * median kept n of the group; `noisy_limits` adds it to the limits too, as Catalyst's D needs. As n + eps w
    crosses the limit exactly once, all noise levels follow from one set of draws. A channel on its limit, or on the
    wrong side of it, flips at once under noise that pushes it across.
    """
    n, limit, stays = np.asarray(magnitudes, float), np.asarray(limits, float), np.asarray(kept, bool)
    scale = np.full(len(n), np.nan)
    for members in _groups(groups):
        inside = n[members][stays[members]]
        scale[members] = np.median(inside) if len(inside) else np.nan
    usable = ~np.isnan(limit) & (scale > 0)
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((draws, len(n)))
    if noisy_limits:
        noise -= rng.standard_normal((draws, len(n)))
    towards = np.where(stays, 1.0, -1.0)
    distance = np.maximum(towards * (n - limit), 0)[usable]
    push = (-towards * noise * scale)[:, usable]  # how far one unit of eps moves each channel towards its limit
    critical = np.full(push.shape, np.inf)
    np.divide(np.broadcast_to(distance, push.shape), push, out=critical, where=push > 0)
    return np.sort(critical, axis=None)


def flip_curve(
    magnitudes: ArrayLike,
    limits: ArrayLike,
    kept: ArrayLike,
    groups: ArrayLike,
    eps: ArrayLike,
    *,
    noisy_limits: bool = False,
    draws: int = 200,
    seed: int = 0,
) -> Vector:
    """(E,) share of decisions that noise of each level `eps` (E,) flips; see `flip_noise`. NaN when no channel has a limit."""
    critical = flip_noise(magnitudes, limits, kept, groups, noisy_limits=noisy_limits, draws=draws, seed=seed)
    levels = np.asarray(eps, float)
    if not len(critical):
        return np.full(levels.shape, np.nan)
    return np.searchsorted(critical, levels, side="left") / len(critical)


def flip_point(
    magnitudes: ArrayLike,
    limits: ArrayLike,
    kept: ArrayLike,
    groups: ArrayLike,
    *,
    noisy_limits: bool = False,
    draws: int = 200,
    seed: int = 0,
    share: float = 0.01,
) -> float:
    """The eps beyond which `share` of the decisions flip; infinite if none does; NaN when no channel has a limit."""
    critical = flip_noise(magnitudes, limits, kept, groups, noisy_limits=noisy_limits, draws=draws, seed=seed)
    return float(critical[max(int(np.ceil(share * len(critical))) - 1, 0)]) if len(critical) else float("nan")


def magnitude_bias(initial: ArrayLike, kept: ArrayLike, group_index: ArrayLike, *, draws: int = 1000, seed: int = 0) -> Bias:
    """Correlation and AUC of initial magnitude with survival within each group, averaged by size.

    `initial` (C,), `kept` (C,) bool, `group_index` (C,) ids. The interval is a percentile bootstrap over the channels of
    each group (NaN for `draws` = 0). A group where all stay, all go, or all magnitudes are equal says nothing; NaN when no
    group says anything.
    """
    n, stays = np.asarray(initial, float), np.asarray(kept, bool)
    rng = np.random.default_rng(seed)
    totals = np.zeros((3, draws + 1))  # correlation, AUC, weight; column 0 is the sample itself
    for members in _groups(group_index):
        picks = np.vstack([np.arange(len(members))[None], rng.integers(len(members), size=(draws, len(members)))])
        correlation, auc = _rank_statistics(n[members][picks], stays[members][picks])
        defined = ~np.isnan(correlation)
        totals += len(members) * np.stack([np.where(defined, correlation, 0), np.where(defined, auc, 0), defined])
    with np.errstate(invalid="ignore"):
        correlations, aucs = totals[0] / totals[2], totals[1] / totals[2]
    resampled = correlations[1:][~np.isnan(correlations[1:])]
    low, high = np.quantile(resampled, (0.025, 0.975)) if len(resampled) else (np.nan, np.nan)
    return Bias(float(correlations[0]), float(low), float(high), float(aucs[0]))


def _rank_statistics(values: Vector, kept: Mask) -> tuple[Vector, Vector]:
    """(B, C) -> rank correlation (B,) and AUC (B,), NaN where either argument is constant.

    AUC = (sum of the kept ranks - k (k + 1) / 2) / (k (C - k)), the Mann-Whitney statistic; mid-ranks for ties.
    """
    size = values.shape[1]
    ranks = _mid_ranks(values)
    count = kept.sum(1)
    of_kept = (ranks * kept).sum(1)
    mean = (size + 1) / 2
    spread = ((ranks - mean) ** 2).sum(1) * count * (size - count) / size
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(spread > 0, (of_kept - count * mean) / np.sqrt(spread), np.nan)
        auc = (of_kept - count * (count + 1) / 2) / (count * (size - count))
    return correlation, auc


def _mid_ranks(values: Vector) -> Vector:
    """(B, C) -> (B, C) ranks from 1 within each row; equal values share the mean of their ranks."""
    rows = zip(values, np.sort(values, axis=1), strict=True)
    return np.stack([(ordered.searchsorted(row) + ordered.searchsorted(row, side="right") + 1) / 2 for row, ordered in rows])


def _groups(ids: ArrayLike) -> Iterator[NDArray[np.int64]]:
    """Indices of the members of each group."""
    labels = np.asarray(ids)
    for one in np.unique(labels):
        yield np.flatnonzero(labels == one)
