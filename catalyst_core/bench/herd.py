"""A large race for timing pages: thousands of simulated filters a contender, written into a store as workers would.

The magnitudes are those of `catalyst_core.theory`, by proximal steps; nothing is trained.
"""

# C = channels of all groups, G = groups, T = looks

from collections.abc import Iterator
from typing import Any

import numpy as np

from catalyst_core import audits, theory
from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.events import Evaluated, Event, FiltersMeasured, GroupsFound, StageStarted, StepLogged
from catalyst_core.regularizers import Measurement
from catalyst_core.store import Store
from catalyst_core.training.probe import measured_event

GROUPS = 20
EVERY = 5  # steps between two looks
TIME = 4.0  # of the simulated flow, over all looks
RACE = RaceConfig.build(
    methods=[
        {"name": "catalyst"},
        {"name": "catalyst", "start_ratio": 1.1},
        {"name": "l1"},
        {"name": "l1", "strength": 0.1},
        {"name": "group_lasso"},
    ],
    title="A large race for timing",
)


class Herd:
    """The contenders of one race, each with C filters that part over T looks."""

    def __init__(self, store: Store, channels: int, looks: int) -> None:
        self.store, self.channels, self.looks = store, channels, looks
        race = store.race(store.create_race(RACE))
        self.race_id, self.runs = race.id, [run.id for run in race.runs]
        for run in self.runs:
            store.claim(run, this_process(), slots=len(self.runs))
        self._told = [_events(run.config, channels, looks) for run in race.runs]

    def tell(self, looks: int) -> None:
        """Let every contender look at its filters so many more times; at the end of the simulation nothing is new."""
        for run, told in zip(self.runs, self._told, strict=True):
            self.store.append(run, [event for _, look in zip(range(looks), told, strict=False) for event in look])


def _events(config: ContenderConfig, channels: int, looks: int) -> Iterator[list[Event]]:
    """What one contender says: its groups first, and then at every look."""
    rule: theory.Rule = config.method.name  # type: ignore[assignment]  # RACE names no other
    flock = theory.draw_population(channels, seed=config.seed + 1)
    ratio = config.method.start_ratio or 1.0
    strength = 1.0 if rule == "catalyst" else config.method.effective_strength
    paths = theory.simulate(rule, flock, strength=strength, ratio=ratio, time=TIME, steps=looks)
    size = channels // GROUPS
    groups = GroupsFound(step=0, names=tuple(f"layer{place}.conv" for place in range(GROUPS)), sizes=(size,) * GROUPS)
    begun = StageStarted(step=0, stage="sparse", steps=looks * EVERY, total_steps=looks * EVERY)
    for look in range(looks):
        catalysts = None if paths.catalysts is None else paths.catalysts[look]
        told: list[Event] = [groups, begun] * (look == 0)
        yield [*told, _look(look * EVERY, paths.magnitudes[look], catalysts), *_numbers(look, looks, strength)]


def _look(step: int, n: np.ndarray, d: np.ndarray | None) -> FiltersMeasured:
    """(C,) magnitudes and catalyst variables -> what a worker would say."""
    limits = [None] * GROUPS if d is not None else [float(np.median(part)) for part in np.split(n, GROUPS)]
    bounds = d if d is not None else np.repeat(np.array(limits, dtype=float), len(n) // GROUPS)
    kept = n > bounds
    seen = Measurement(n, d, audits.margins(n, bounds, kept), tuple(limits), kept, float(1 - kept.mean()))
    return measured_event(seen, step, "sparse").model_copy(update={"key": f"sparse:{step}"})


def _numbers(look: int, looks: int, strength: float) -> list[Event]:
    progress = look / looks
    common: dict[str, Any] = {"step": look * EVERY, "stage": "sparse"}
    held = Evaluated(**common, split="validation", accuracy=0.9 * progress, loss=2.3 - progress)
    numbers = {"epoch": look / 10, "seconds": look / 4, "loss": 2.3 - 2 * progress, "accuracy": progress, "penalty": 1 - progress}
    return [
        StepLogged(**common, **numbers, strength=strength, learning_rate=0.1, share_pruned=progress / 2),
        *[held] * (look % 10 == 0),
    ]
