"""What the audits cost on a population of channels that is larger than most networks: seconds, on one thread.

Magnitudes are log-normal, each group is cut at its median, as a magnitude cut at ratio 0.5 would.
"""

# C = channels of all groups, G = groups

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from catalyst_core import audits

CHANNELS, GROUPS, REPEATS = 10_000, 50, 5
LEVELS = np.linspace(0, 0.5, 11)  # of the flip curve


def measure(draws: int, repeats: int) -> dict[str, Any]:
    """Median seconds of each audit over `repeats`, with `draws` draws of the noise and of the bootstrap."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(GROUPS), CHANNELS // GROUPS)  # (C,)
    n, initial = rng.lognormal(size=(2, CHANNELS))
    limits = np.median(n.reshape(GROUPS, -1), axis=1).repeat(CHANNELS // GROUPS)
    kept = n > limits
    given = (n, limits, kept, groups)
    candidates: dict[str, Callable[[], object]] = {
        "decision_gap": lambda: audits.decision_gap(n, kept, groups),
        "margins": lambda: audits.margins(n, limits, kept),
        "flip_curve": lambda: audits.flip_curve(*given, LEVELS, noisy_limits=True, draws=draws),
        "flip_point": lambda: audits.flip_point(*given, noisy_limits=True, draws=draws),
        "magnitude_bias": lambda: audits.magnitude_bias(initial, kept, groups, draws=draws),
    }
    seconds = {name: statistics.median(_seconds(run) for _ in range(repeats)) for name, run in candidates.items()}
    return {"channels": CHANNELS, "groups": GROUPS, "draws": draws, "repeats": repeats, "seconds": seconds}


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
