"""How clear a pruning decision was, how much noise it bears, and whether it depends on the initial magnitudes.

    gap      (smallest kept n - largest pruned n) / median kept n, in a group
    margin   log(n_i / limit_i): the limit is D_i for Catalyst, the threshold of the group for a magnitude cut
    flips    share of decisions that change when every n_i (and D_i) gets noise of eps * median kept n
    bias     rank correlation of initial magnitude and survival, within each group, averaged by size

Everything is computed within groups: pooled over layers, which differ in scale and in keep ratio, these numbers mean
nothing (Simpson's paradox). Numpy only: scipy.stats would cost every page of the dashboard 1.7 s at its start.
"""

# C = channels of all groups, B = bootstrap draws, E = noise levels, U = different magnitudes of a group

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalyst_core.errors import ConfigError

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
    """(smallest kept n - largest pruned n) / median kept n of each group, averaged by its size; no unit.

    `magnitudes` (C,) at the moment of the decision, before anything is zeroed; `kept` (C,) bool; `groups` (C,) ids.
    1 and more: nothing lies near the boundary; negative: a larger filter goes where a smaller one stays. NaN when no group
    has both a kept and a pruned channel. Raises `ConfigError` for arrays that do not fit each other, and for magnitudes
    that are NaN. Derived here.
    """
    n, stays, ids = _checked(magnitudes, kept, groups)
    gaps, sizes = [], []
    for members in _groups(ids):
        inside, outside = n[members][stays[members]], n[members][~stays[members]]
        if len(inside) and len(outside) and np.median(inside) > 0:
            gaps.append((inside.min() - outside.max()) / np.median(inside))
            sizes.append(len(members))
    return float(np.average(gaps, weights=sizes)) if gaps else float("nan")


def margins(magnitudes: ArrayLike, limits: ArrayLike, kept: ArrayLike) -> Vector:
    """(C,) log(n / limit), in natural-log units: positive stays, negative goes.

    `magnitudes` (C,); `limits` (C,): D_i for Catalyst (then this is -u_i), the threshold of the group for a magnitude cut.
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
    wrong side of it, flips at once under noise that pushes it across. Raises `ConfigError` for arrays that do not fit each
    other, magnitudes that are NaN, and less than one draw. Derived here.
    """
    n, stays, ids = _checked(magnitudes, kept, groups)
    limit = np.asarray(limits, float)
    if limit.shape != n.shape:
        raise ConfigError(
            f"limits must hold one entry a channel, as many as the {len(n)} magnitudes, not be of shape {limit.shape}"
        )
    if draws < 1:
        raise ConfigError(f"draws must be at least 1, not {draws}")
    scale = np.full(len(n), np.nan)
    for members in _groups(ids):
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


def share_flipped(critical: Vector, eps: ArrayLike) -> Vector:
    """(E,) share, 0..1, of the decisions in `critical` (see `flip_noise`) that noise of each level `eps` (E,) flips.

    NaN when `critical` is empty: no channel has a limit.
    """
    levels = np.asarray(eps, float)
    if not len(critical):
        return np.full(levels.shape, np.nan)
    return np.searchsorted(critical, levels, side="left") / len(critical)


def noise_that_flips(critical: Vector, share: float = 0.01) -> float:
    """The eps beyond which `share` (0..1) of the decisions in `critical` (see `flip_noise`) flip.

    Infinite when fewer ever flip; NaN when `critical` is empty: no channel has a limit.
    """
    return float(critical[max(int(np.ceil(share * len(critical))) - 1, 0)]) if len(critical) else float("nan")


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
    """(E,) share, 0..1, of decisions that noise of each level `eps` (E,) flips; see `flip_noise` for all else.

    `eps` is in medians of the kept magnitudes of the channel's group. NaN when no channel has a limit.
    """
    return share_flipped(flip_noise(magnitudes, limits, kept, groups, noisy_limits=noisy_limits, draws=draws, seed=seed), eps)


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
    """The eps (see `flip_curve`) beyond which `share` of the decisions flip; infinite if none does; NaN without a limit."""
    critical = flip_noise(magnitudes, limits, kept, groups, noisy_limits=noisy_limits, draws=draws, seed=seed)
    return noise_that_flips(critical, share)


def magnitude_bias(initial: ArrayLike, kept: ArrayLike, groups: ArrayLike, *, draws: int = 1000, seed: int = 0) -> Bias:
    """Spearman's rank correlation, and the AUC, of initial magnitude with survival within each group, averaged by size.

    `initial` (C,), any unit, as only its order counts; `kept` (C,) bool; `groups` (C,) ids. The interval is a percentile
    bootstrap over the channels of each group (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; NaN for
    `draws` = 0). A group where all stay, all go, or all magnitudes are equal says nothing; NaN when no group says anything.
    Raises `ConfigError` for arrays that do not fit each other, magnitudes that are NaN, and a negative number of draws.
    """
    n, stays, ids = _checked(initial, kept, groups)
    if draws < 0:
        raise ConfigError(f"draws must not be negative, and it is {draws}")
    rng = np.random.default_rng(seed)
    totals = np.zeros((3, draws + 1))  # correlation, AUC, weight; column 0 is the sample itself
    for members in _groups(ids):
        picks = np.vstack([np.arange(len(members))[None], rng.integers(len(members), size=(draws, len(members)))])
        correlation, auc = _rank_statistics(n[members], stays[members], picks)
        defined = ~np.isnan(correlation)
        totals += len(members) * np.stack([np.where(defined, correlation, 0), np.where(defined, auc, 0), defined])
    with np.errstate(invalid="ignore"):
        correlations, aucs = totals[0] / totals[2], totals[1] / totals[2]
    resampled = correlations[1:][~np.isnan(correlations[1:])]
    low, high = np.quantile(resampled, (0.025, 0.975)) if len(resampled) else (np.nan, np.nan)
    return Bias(float(correlations[0]), float(low), float(high), float(aucs[0]))


def _rank_statistics(values: Vector, kept: Mask, picks: NDArray[np.int64]) -> tuple[Vector, Vector]:
    """Rank correlation (B,) and AUC (B,) of the samples `picks` (B, C) of one group; NaN where either argument is constant.

    AUC = (sum of the kept ranks - k (k + 1) / 2) / (k (C - k)): Mann and Whitney, 1947; mid-ranks for ties. A sample is how
    often it holds each of the U different values, so that one sort serves all of them.
    """
    samples, size = picks.shape
    different, place = np.unique(values, return_inverse=True)
    cells = place[picks] + len(different) * np.arange(samples)[:, None]  # (B, C) into a (B, U) table
    table = (samples, len(different))
    held = np.bincount(cells.ravel(), minlength=samples * len(different)).reshape(table)
    held_kept = np.bincount(cells[kept[picks]], minlength=samples * len(different)).reshape(table)
    ranks = held.cumsum(1) - (held - 1) / 2  # (B, U) from 1
    count, mean = held_kept.sum(1), (size + 1) / 2
    of_kept = (ranks * held_kept).sum(1)
    spread = ((ranks - mean) ** 2 * held).sum(1) * count * (size - count) / size
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(spread > 0, (of_kept - count * mean) / np.sqrt(spread), np.nan)
        auc = (of_kept - count * (count + 1) / 2) / (count * (size - count))
    return correlation, auc


def _checked(magnitudes: ArrayLike, kept: ArrayLike, groups: ArrayLike) -> tuple[Vector, Mask, NDArray]:
    """The arguments as (C,) arrays; raises `ConfigError` where they are not, or where a magnitude is NaN."""
    n, stays, ids = np.asarray(magnitudes, float), np.asarray(kept, bool), np.asarray(groups)
    if n.ndim != 1 or not n.shape == stays.shape == ids.shape:
        raise ConfigError(
            f"magnitudes, kept and groups must hold one entry a channel each, not be of {n.shape}, {stays.shape}, {ids.shape}"
        )
    if np.isnan(n).any():
        raise ConfigError(f"magnitudes must be numbers, and that of channel {int(np.isnan(n).argmax())} is NaN")
    return n, stays, ids


def _groups(ids: NDArray) -> Iterator[NDArray[np.int64]]:
    """Indices of the members of each group."""
    order = np.argsort(ids, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(ids[order])) + 1) if len(ids) else ()
