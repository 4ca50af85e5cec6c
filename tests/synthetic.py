"""A made-up race for tests of frames, figures and export: plausible events in a store that lives in memory.

The population follows the proximal steps of the method in closed loop with random pulls of a task, so that magnitudes,
catalysts and margins fit each other; accuracies and times are invented.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.errors import NotFoundError
from catalyst_core.events import (
    HISTOGRAM_BINS,
    HISTOGRAM_DECADES,
    Evaluated,
    Event,
    Failed,
    FiltersMeasured,
    Finished,
    GroupsFound,
    Noted,
    Pruned,
    RolledBack,
    SettingChanged,
    Stage,
    StageStarted,
    StepLogged,
    pack,
)
from catalyst_core.store.base import RaceInfo, RunInfo, StoredEvent

GROUPS = {"conv1": 32, "conv2": 64, "conv3": 64}
METHODS = ({"name": "catalyst"}, {"name": "l1"}, {"name": "group_lasso"}, {"name": "none"}, {"name": "random"})
STEPS: dict[Stage, int] = {"dense": 200, "sparse": 300, "finetune": 100}


def config(methods: Sequence[dict[str, Any]] = METHODS, seeds: Sequence[int] = (0,), **fields: Any) -> RaceConfig:
    """A race's configuration; by default the five methods with one seed."""
    return RaceConfig.build(methods=tuple(methods), seeds=tuple(seeds), **fields)


class MemoryStore:
    """The reading side of a store, filled by a test."""

    def __init__(self) -> None:
        self._races: dict[str, RaceInfo] = {}
        self._events: list[StoredEvent] = []

    def create(self, race: RaceConfig) -> RaceInfo:
        """A race with queued runs."""
        race_id = f"{len(self._races):08x}"
        runs = tuple(_queued(race_id, place, one) for place, one in enumerate(race.contenders()))
        self._races[race_id] = RaceInfo(race_id, race, datetime(2026, 1, 2, 3, 4, tzinfo=UTC), runs)
        return self._races[race_id]

    def append(self, run_id: str, *events: Event) -> None:
        """What a worker would say."""
        for event in events:
            if isinstance(event, RolledBack):
                self._withdraw(run_id, event.step)
            self._events.append(StoredEvent(len(self._events) + 1, run_id, 1.7e9 + len(self._events), event))
        self.update(run_id, **_row_after(events))

    def fork(self, run_id: str, variant: str) -> RunInfo:
        """Another run of the same race with a past of its own."""
        source = self.run(run_id)
        race = self._races[source.race_id]
        method = source.config.method.model_copy(update={"variant": variant})
        config = source.config.model_copy(update={"method": method})
        run = replace(_queued(race.id, len(race.runs), config), parent=run_id)
        self._races[race.id] = replace(race, runs=(*race.runs, run))
        for one in self.events(run_id):
            self._events.append(replace(one, cursor=len(self._events) + 1, run_id=run.id))
        return run

    def _withdraw(self, run_id: str, behind: int) -> None:
        """Hide what a run said of later steps."""
        gone = {one.cursor for one in self.events(run_id) if one.event.step > behind}
        self._events = [replace(one, run_id="") if one.cursor in gone else one for one in self._events]
        self.update(run_id, revision=self.run(run_id).revision + 1)

    def update(self, run_id: str, **columns: Any) -> None:
        """Change the row of a run."""
        race = self._races[run_id.partition("-")[0]]
        runs = tuple(replace(run, **columns) if run.id == run_id else run for run in race.runs)
        self._races[race.id] = replace(race, runs=runs)

    def races(self) -> list[RaceInfo]:
        return list(self._races.values())[::-1]

    def race(self, race_id: str) -> RaceInfo:
        if race_id not in self._races:
            raise NotFoundError(f"race {race_id!r}: none in memory")
        return self._races[race_id]

    def run(self, run_id: str) -> RunInfo:
        for race in self._races.values():
            for run in race.runs:
                if run.id == run_id:
                    return run
        raise NotFoundError(f"run {run_id!r}: none in memory")

    def events(self, run_id: str, after: int = 0) -> list[StoredEvent]:
        return [one for one in self._events if one.cursor > after and one.run_id == run_id]

    def race_events(self, race_id: str, after: int = 0) -> list[StoredEvent]:
        return [one for one in self._events if one.cursor > after and one.run_id.startswith(race_id)]


def _queued(race_id: str, place: int, contender: ContenderConfig) -> RunInfo:
    nothing = dict.fromkeys(
        ("accuracy", "share_pruned", "process", "heartbeat", "started", "finished", "ledger", "assigned", "parent")
    )
    return RunInfo(
        id=f"{race_id}-{place:02d}",
        race_id=race_id,
        position=place,
        config=contender,
        state="queued",
        queued=float(place),
        place=place + 1,
        attempt=1,
        stage="",
        step=0,
        total_steps=0,
        seconds=0.0,
        reason="",
        log_tail="",
        priority=0,
        revision=0,
        bytes=0,
        rss=0,
        note="",
        **nothing,
    )


def _row_after(events: Sequence[Event]) -> dict[str, Any]:
    row: dict[str, Any] = {"state": "running", "place": None}
    for event in events:
        row["step"] = event.step
        match event:
            case StageStarted():
                row |= {"stage": event.stage, "total_steps": event.total_steps}
            case StepLogged():
                row |= {"seconds": event.seconds, "share_pruned": event.share_pruned}
            case Evaluated():
                row["accuracy"] = event.accuracy
            case Finished():
                row |= {"state": "stopped" if event.stopped else "completed", "ledger": event.ledger or None}
            case Failed():
                row |= {"state": "failed", "reason": event.reason}
    return row


class Population:
    """C filters under one method: magnitudes n, catalysts D, and a task that pulls each of them with its own force."""

    def __init__(self, contender: ContenderConfig, groups: dict[str, int]) -> None:
        self.rng = np.random.default_rng([contender.seed, 7])
        self.method, self.ratio = contender.method.name, contender.pruning_ratio
        self.strength = contender.method.effective_strength
        self.sizes = list(groups.values())
        self.slices = [slice(end - size, end) for end, size in zip(np.cumsum(self.sizes), self.sizes, strict=True)]
        self.n = np.concatenate([self.rng.lognormal(-0.3 * g, 0.5, size) for g, size in enumerate(self.sizes)])
        self.pull = self.rng.normal(0, 1, len(self.n))
        self.worth = self.rng.random(len(self.n))
        self.d = self.n.copy()

    def step(self, progress: float) -> None:
        """One look's worth of training."""
        self.n *= np.exp(self.rng.normal(0, 0.01, len(self.n)) + 0.02 * self.pull * (self.n > 0))
        if self.method == "catalyst":
            for part in self.slices:
                u = np.log(np.maximum(self.d[part], 1e-12) / np.maximum(self.n[part], 1e-12))
                if progress < 0.7:
                    self.d[part] *= np.exp(-np.quantile(u, 1 - self.ratio))
            t = 0.02 + 0.25 * progress**3
            self.n, self.d = np.maximum(self.n - t * self.d, 0), np.maximum(self.d - t * self.n, 0)
        elif self.method in ("l1", "group_lasso"):
            self.n = np.maximum(self.n - 0.012 * (1 + progress) * (0.7 if self.method == "l1" else 1), 0)

    def settle(self) -> None:
        """Decide every channel, as the end of sparse training does."""
        if self.method == "catalyst":
            gone = self.d > self.n
            self.n[gone], self.d[~gone] = 0.0, 0.0

    def thresholds(self) -> list[float | None]:
        """Per group, the magnitude at the budget's quantile."""
        if self.method in ("catalyst", "random"):
            return [None] * len(self.sizes)
        return [float(np.quantile(self.n[part], self.ratio)) for part in self.slices]

    def margins(self) -> np.ndarray:
        """(C,) signed distance to the boundary, infinite once decided."""
        if self.method == "random":
            return np.where(self.worth > self.ratio, np.inf, -np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.method == "catalyst":
                return np.log(self.n / self.d)
            limits = np.repeat([limit or 0.0 for limit in self.thresholds()], self.sizes)
            return np.nan_to_num(np.log(self.n / limits), nan=-np.inf, posinf=np.inf, neginf=-np.inf)

    def look(self, step: int, stage: Stage, decided: bool = False) -> FiltersMeasured:
        """What a worker would measure now."""
        edges = np.logspace(*HISTOGRAM_DECADES, HISTOGRAM_BINS + 1)
        alive = self.n[self.n > 0]
        return FiltersMeasured(
            step=step,
            stage=stage,
            magnitudes=pack(self.n),
            catalysts=pack(self.d) if self.method == "catalyst" else None,
            margins=pack(self.margins()),
            thresholds=tuple(self.thresholds()),
            histogram=tuple(int(count) for count in np.histogram(alive, edges)[0]),
            zeros=int((self.n == 0).sum()),
            decided=decided,
        )


def run_events(contender: ContenderConfig, groups: dict[str, int] | None = None, every: int = 5) -> Iterator[Event]:
    """All events of one contender, from the dense stage to its ledger; a look at the filters every `every` steps."""
    groups = groups or GROUPS
    population = Population(contender, groups)
    total = sum(STEPS.values())
    cut_at_once = population.method in ("none", "random")
    last = STEPS["dense"] if cut_at_once else STEPS["dense"] + STEPS["sparse"]
    yield GroupsFound(step=0, names=tuple(groups), sizes=tuple(groups.values()))
    stage: Stage | None = None
    for step in range(0, total + 1, every):
        now: Stage = "dense" if step < STEPS["dense"] else "sparse" if step < last else "finetune"
        if now != stage:
            if now == "finetune":
                yield from _cut(population, step, groups)
            stage = now
            yield StageStarted(step=step, stage=now, steps=STEPS[now], total_steps=total)
        progress = (step - STEPS["dense"]) / STEPS["sparse"]
        if now == "sparse":
            population.step(progress)
        if now != "finetune":
            yield population.look(step, now)
        yield _logged(population, step, now, progress)
        if step % 50 == 0:
            accuracy = min(0.98, 0.2 + step / 250)
            yield Evaluated(step=step, stage=now, split="validation", accuracy=accuracy, loss=2.3 * (1 - accuracy))
    yield Finished(step=total, ledger=_ledger(contender, population, groups))


def _logged(population: Population, step: int, stage: Stage, progress: float) -> StepLogged:
    loss = 2.3 * np.exp(-step / 150) + 0.02 + 0.01 * population.rng.random()
    return StepLogged(
        step=step,
        stage=stage,
        epoch=step / 20,
        seconds=step * 0.02,
        loss=float(loss),
        accuracy=float(1 - loss / 3),
        penalty=float((population.n * population.d).sum()),
        strength=population.strength * min(1.0, max(0.1, progress)),
        learning_rate=0.1,
        share_pruned=float((population.margins() < 0).mean()),
    )


def _cut(population: Population, step: int, groups: dict[str, int]) -> Iterator[Event]:
    population.settle()
    yield StageStarted(step=step, stage="prune", steps=0, total_steps=sum(STEPS.values()))
    yield population.look(step, "prune", decided=True)
    kept = population.margins() > 0
    widths = {name: (groups[name], int(kept[part].sum())) for name, part in zip(groups, population.slices, strict=True)}
    change = 0.0 if population.method == "catalyst" else 3.7
    yield Pruned(
        step=step,
        widths=widths,
        max_abs_logit_change=change,
        max_abs_logit_change_float32=change,
        changed_predictions=0 if change == 0 else 211,
        images=360,
    )


def _ledger(contender: ContenderConfig, population: Population, groups: dict[str, int]) -> dict[str, Any]:
    good = {"catalyst": 0.97, "l1": 0.61, "group_lasso": 0.72, "none": 0.24, "random": 0.11}.get(population.method, 0.7)
    wobble = population.rng.normal(0, 0.005)
    channels = sum(groups.values())
    return {
        "method": population.method,
        "seed": contender.seed,
        "label": contender.method.label,
        "strength": contender.method.effective_strength,
        "pruning_ratio": contender.pruning_ratio,
        "dense_accuracy": 0.985 + wobble,
        "sparse_accuracy": 0.975 + wobble,
        "post_prune_accuracy": good + wobble,
        "recalibrated_accuracy": min(0.975, good + 0.05) + wobble,
        "finetuned_accuracy": 0.96 + good / 50 + wobble,
        "macs": int(1e6 * (0.28 + wobble)),
        "macs_dense": 1_000_000,
        "params": 14_000,
        "params_dense": 57_000,
        "bytes": 61_000,
        "bytes_dense": 240_000,
        "latency_ms": 0.4,
        "latency_ms_dense": 0.9,
        "channels_pruned": int((population.margins() < 0).sum()),
        "channels_total": channels,
        "undecided": 0,
        "max_abs_logit_change": 0.0 if population.method == "catalyst" else 3.7,
        "max_abs_logit_change_float32": 0.0 if population.method == "catalyst" else 3.7,
        "changed_predictions": 0 if population.method == "catalyst" else 211,
        "decision_gap": 0.31 if population.method == "catalyst" else 0.002,
        "magnitude_bias": 0.02 if population.method == "catalyst" else 0.7,
        "magnitude_bias_low": -0.1,
        "magnitude_bias_high": 0.14,
        "train_seconds": 12.0 + 10 * wobble,
        "regularizer_seconds": 0.05,
        "solver": contender.method.solver,
        "stopped": False,
        "dense_steps": STEPS["dense"],
        "sparse_steps": 0 if population.method in ("none", "random") else STEPS["sparse"],
        "finetune_steps": STEPS["finetune"],
        "validation": {"dense": 0.98, "sparse": 0.97, "post_prune": good, "recalibrated": good, "finetuned": 0.96},
    }


def whole_race(store: MemoryStore, race: RaceConfig | None = None, groups: dict[str, int] | None = None) -> RaceInfo:
    """A finished race with a live change in it."""
    info = store.create(race or config())
    for run in info.runs:
        for event in run_events(run.config, groups):
            store.append(run.id, event)
            if isinstance(event, StageStarted) and event.stage == "sparse":
                store.append(run.id, SettingChanged(step=event.step + 1, name="pruning_ratio", old=0.5, new=0.6, who="ada"))
                store.append(run.id, Noted(step=event.step + 1, text="budget changed to 0.6"))
    return store.race(info.id)


def half_race(store: MemoryStore, race: RaceConfig | None = None) -> RaceInfo:
    """A race that is going on: the first run is in its sparse stage, the second in its dense one, the others are queued."""
    info = store.create(race or config())
    for run, until in zip(info.runs, (350, 100), strict=False):
        for event in run_events(run.config):
            if event.step <= until:
                store.append(run.id, event)
    return store.race(info.id)
