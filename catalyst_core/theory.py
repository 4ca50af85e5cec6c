"""The flow that Catalyst follows, its closed forms, and a simulated population of filters beside Group Lasso and L1.

    dn/dt = -lambda D + g n      dD/dt = -lambda n      d(log D/n)/dt = 2 lambda sinh(log D/n) - g

`g` is the task's relative pull on a filter: positive where the task wants it larger. All of it is derived here, none
of it is a claim of the paper. The simulation takes the discrete proximal steps that training takes; the closed forms
solve the flow in continuous time, so the two agree as the step goes to zero.
"""

# C = filters, d = numbers in a filter, T = times
# n = magnitude ||F||, D = catalyst variable, c = D/n at the start, g = task pull, lambda = strength

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalyst_core.errors import ConfigError

Array = NDArray[np.float64]
Rule = Literal["catalyst", "l1", "group_lasso"]
RULES: tuple[Rule, ...] = ("catalyst", "l1", "group_lasso")
NUMBERS = 9  # d: a 3 x 3 filter of one input channel


@dataclass(frozen=True)
class Population:
    """Filters before any regularizer touches them."""

    filters: Array  # (C, d)
    pulls: Array  # (C,) g_i

    @property
    def magnitudes(self) -> Array:
        """(C,) n_i at the start."""
        return np.linalg.norm(self.filters, axis=1)


@dataclass(frozen=True)
class Paths:
    """Where a population went: simulated, or by a closed form."""

    times: Array  # (T,)
    magnitudes: Array  # (T, C)
    catalysts: Array | None  # (T, C), Catalyst only

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(C,) whether the filter still has a response at the last time."""
        return self.magnitudes[-1] > 0


def flow(n: ArrayLike, d: ArrayLike, strength: float, pull: ArrayLike = 0.0) -> tuple[Array, Array]:
    """(dn/dt, dD/dt) of the gradient flow, in the shape of `n`."""
    n, d = np.asarray(n, float), np.asarray(d, float)
    return -strength * d + np.asarray(pull) * n, -strength * n


def critical_ratio(strength: float, pull: ArrayLike) -> Array:
    """The ratio D/n above which a filter is pruned: exp(asinh(g / 2 lambda)), where the log-ratio stands still."""
    return np.exp(np.arcsinh(np.asarray(pull, float) / (2 * strength)))


def critical_pull(strength: float, ratio: float) -> float:
    """The pull below which a filter that starts at `ratio` is pruned: g = lambda (c - 1/c). No magnitude in it."""
    return strength * (ratio - 1 / ratio)


def decision_time(ratio: ArrayLike, strength: float, pull: ArrayLike = 0.0) -> Array:
    """When n or D reaches zero, in units of time; infinite on the boundary. For g = 0: artanh(min(c, 1/c)) / lambda."""
    ratio, pull = np.broadcast_arrays(np.asarray(ratio, float), np.asarray(pull, float))
    omega = np.sqrt(pull**2 / 4 + strength**2)
    pruned = ratio > critical_ratio(strength, pull)
    numerator = np.where(pruned, omega, omega * ratio)
    denominator = np.where(pruned, strength * ratio - pull / 2, strength + pull * ratio / 2)
    # |slope| reaches 1 only on the boundary itself, where rounding may carry it a hair over.
    slope = np.clip(numerator / denominator, 0, 1)
    with np.errstate(divide="ignore"):
        return np.arctanh(slope) / omega


def catalyst_flow(times: ArrayLike, n: ArrayLike, d: ArrayLike, strength: float, pull: ArrayLike = 0.0) -> Paths:
    """Closed form of the flow from (C,) `n` and `d`: a 2 x 2 linear system until one of them is zero, then n' = g n.

    For g = 0: n + D falls as exp(-lambda t), n - D grows as exp(lambda t), so n^2 - D^2 is conserved.
    """
    n, d, pull = np.broadcast_arrays(np.atleast_1d(np.asarray(n, float)), np.asarray(d, float), np.asarray(pull, float))
    times = np.asarray(times, float)
    end = decision_time(d / n, strength, pull)  # (C,)
    pruned = d / n > critical_ratio(strength, pull)
    before = np.minimum(times[:, None], end)  # (T, C)
    omega = np.sqrt(pull**2 / 4 + strength**2)
    # In exponentials, not cosh and sinh: their difference loses all digits on the boundary.
    up = 0.5 * np.exp((pull / 2 + omega) * before)
    down = 0.5 * np.exp((pull / 2 - omega) * before)
    slope_n = (pull / 2 * n - strength * d) / omega
    slope_d = (-strength * n - pull / 2 * d) / omega
    done = times[:, None] >= end
    since = np.where(done, times[:, None] - before, 0.0)
    magnitudes = (up * (n + slope_n) + down * (n - slope_n)) * np.exp(pull * since)
    catalysts = up * (d + slope_d) + down * (d - slope_d)
    return Paths(
        times,
        np.where(done & pruned, 0.0, np.maximum(magnitudes, 0)),
        np.where(done & ~pruned, 0.0, np.maximum(catalysts, 0)),
    )


def shrinkage_flow(times: ArrayLike, sizes: ArrayLike, strength: float, pull: ArrayLike = 0.0) -> Array:
    """Closed form of x' = g x - lambda, stopped at zero: (T, *sizes.shape). A norm under Group Lasso, an entry under L1."""
    sizes = np.asarray(sizes, float)
    times = np.asarray(times, float).reshape(-1, *[1] * sizes.ndim)
    pull = np.broadcast_to(np.asarray(pull, float), sizes.shape)
    still = np.abs(pull) < 1e-12
    lost = np.where(still, times, np.expm1(pull * times) / np.where(still, 1.0, pull))
    return np.maximum(sizes * np.exp(pull * times) - strength * lost, 0)


def discrete_path(n: float, d: float, step: float, count: int) -> tuple[float, float]:
    """(n, D) after `count` proximal steps of size `step` = eta lambda, for g = 0, while both are still positive.

    Each step multiplies n + D by 1 - step and n - D by 1 + step, exactly.
    """
    total, difference = (n + d) * (1 - step) ** count, (n - d) * (1 + step) ** count
    return (total + difference) / 2, (total - difference) / 2


def draw_population(count: int = 60, *, pull: float = 0.0, spread: float = 0.5, seed: int = 0) -> Population:
    """Filters with log-normal magnitudes around 1 and, independent of them, pulls around `pull`; sorted by magnitude."""
    if count < 2:
        raise ConfigError(f"a population needs at least 2 filters, not {count}")
    rng = np.random.default_rng(seed)
    magnitudes = np.sort(np.exp(0.7 * rng.standard_normal(count)))
    filters = rng.standard_normal((count, NUMBERS))
    filters *= (magnitudes / np.linalg.norm(filters, axis=1))[:, None]
    return Population(filters, pull + spread * rng.standard_normal(count))


def simulate(
    rule: Rule, population: Population, *, strength: float, ratio: float = 1.0, time: float = 3.0, steps: int = 300
) -> Paths:
    """Take `steps` steps of the task's pull, then of the proximal operator, with eta = time / steps.

    Raises `ConfigError` when eta lambda is 1 or more: there the sign of n - D is no longer safe.
    """
    if not 0 < strength * time / steps < 1:
        raise ConfigError(f"strength x time / steps must lie between 0 and 1, not {strength * time / steps:g}")
    rate = time / steps
    growth = 1 + rate * population.pulls
    times = np.linspace(0, time, steps + 1)
    if rule == "l1":
        return Paths(times, _soft_thresholded(population.filters, growth[:, None], rate * strength, steps), None)
    # These two do not turn a filter: it is a number that shrinks and grows.
    n, d = population.magnitudes, ratio * population.magnitudes
    magnitudes, catalysts = np.empty((steps + 1, len(n))), np.empty((steps + 1, len(n)))
    magnitudes[0], catalysts[0] = n, d
    for step in range(1, steps + 1):
        grown = n * growth
        n = np.maximum(grown - rate * strength * (d if rule == "catalyst" else 1.0), 0)
        d = np.maximum(d - rate * strength * grown, 0)
        magnitudes[step], catalysts[step] = n, d
    return Paths(times, magnitudes, catalysts if rule == "catalyst" else None)


def _soft_thresholded(filters: Array, growth: Array, step: float, steps: int) -> Array:
    """(T, C) magnitudes of (C, d) filters, every number of which grows and then loses `step`."""
    states = np.empty((steps + 1, *filters.shape))
    states[0] = filters
    for place in range(steps):
        grown = states[place] * growth
        states[place + 1] = np.sign(grown) * np.maximum(np.abs(grown) - step, 0)
    return np.linalg.norm(states, axis=2)


def closed_form(rule: Rule, times: ArrayLike, population: Population, *, strength: float, ratio: float = 1.0) -> Paths:
    """The same population by the solution in continuous time."""
    if rule == "catalyst":
        start = population.magnitudes
        return catalyst_flow(times, start, ratio * start, strength, population.pulls)
    times = np.asarray(times, float)
    if rule == "group_lasso":
        return Paths(times, shrinkage_flow(times, population.magnitudes, strength, population.pulls), None)
    entries = shrinkage_flow(times, np.abs(population.filters), strength, population.pulls[:, None])
    return Paths(times, np.linalg.norm(entries, axis=2), None)
