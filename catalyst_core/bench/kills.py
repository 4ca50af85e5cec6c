"""A race whose workers are killed at random, beside the same race left alone: what is lost, doubled or different."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from catalyst_core.config import RaceConfig
from catalyst_core.engine import launcher
from catalyst_core.engine.heartbeat import is_alive
from catalyst_core.errors import EngineError, StoreUnavailableError
from catalyst_core.events import Event, Finished
from catalyst_core.store import RaceInfo, Store
from catalyst_core.training import load_pruned

OF_THE_CLOCK = ("seconds", "latency")  # parts of the names of numbers that no two runs share
OF_A_PROCESS = ("failed", "checkpoint", "state", "note")  # kinds of events that are about a worker, not about its training
PATIENCE_SECONDS = 3600.0
LOOK_SECONDS = 0.1
SPREAD = 0.95  # share of the race by which the last kill is due
AT_WORK = 0.75  # of the kills are for workers at work if there are any: they spend most of their time waiting and importing


@dataclass
class Killed:
    """What came of a race with kills; compared with one without them."""

    race: RaceInfo
    kills: int
    lost: int  # events that were committed once and are not there any more, or that the race without kills has alone
    doubled: int  # events that are there more often than in the race without kills
    bit_identical: bool  # every number that does not depend on a clock, and every weight of the pruned networks
    kills_by_stage: dict[str, int] = field(default_factory=dict)


def run_race(store: Store, config: RaceConfig) -> RaceInfo:
    """Start a race and wait for its end. Raises `EngineError` where a contender failed."""
    race_id = launcher.start_race(store, config)
    race = until_finished(store, race_id)
    if failed := [run for run in race.runs if run.state != "completed"]:
        raise EngineError(f"{failed[0].label} is {failed[0].state}: {failed[0].reason}")
    return race


def kill_race(
    store: Store, config: RaceConfig, alone: tuple[Store, RaceInfo], kills: int, seed: int, pause: float = 1.5
) -> Killed:
    """Run the race again, send SIGKILL to a random worker after random times (seconds, `pause` on average), resume at once.

    `alone`: the same race without kills. Fewer kills are made when the race ends before.
    """
    murderer = _Murderer(store, kills, np.random.default_rng(seed), pause)
    race_id = launcher.start_race(store, config)
    race = until_finished(store, race_id, murderer.look, resumes=True)
    lost, doubled, same = compared(alone, (store, race))
    return Killed(
        race=race,
        kills=murderer.kills,
        lost=lost + murderer.missing(race_id),
        doubled=doubled,
        bit_identical=same and _same_networks(alone, (store, race)),
        kills_by_stage=dict(murderer.stages),
    )


class _Murderer:
    """Kills and resumes; remembers every event that it ever saw committed."""

    def __init__(self, store: Store, kills: int, random: np.random.Generator, pause: float) -> None:
        self._store, self._most, self._random, self._pause = store, kills, random, pause
        self.kills = 0
        self.stages: Counter[str] = Counter()
        self._seen: dict[int, str] = {}
        self._next = 0.0

    def look(self, race: RaceInfo) -> None:
        """Read what is new, and kill if it is time."""
        for stored in self._store.race_events(race.id, after=max(self._seen, default=0)):
            self._seen[stored.cursor] = stored.event.model_dump_json()
        victims = [run for run in race.runs if run.process and not run.is_finished and is_alive(run.process)]
        spread = _progress(race) >= SPREAD * self.kills / max(self._most, 1)  # over all of the race
        if self.kills < self._most and victims and spread and time.monotonic() >= self._next:
            at_work = [run for run in victims if run.state != "queued"]
            if at_work and self._random.random() < AT_WORK:
                victims = at_work
            victim = victims[self._random.integers(len(victims))]
            assert victim.process is not None
            try:
                os.kill(victim.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self.kills += 1
            self.stages[victim.stage or victim.state] += 1
            self._next = time.monotonic() + self._random.uniform(0, 2 * self._pause)
        if any(run.state == "failed" for run in race.runs):
            launcher.resume_race(self._store, race.id)

    def missing(self, race_id: str) -> int:
        """How many of the events that were committed at any time are not there as they were."""
        now = {stored.cursor: stored.event.model_dump_json() for stored in self._store.race_events(race_id)}
        return sum(now.get(cursor) != body for cursor, body in self._seen.items())


def _progress(race: RaceInfo) -> float:
    return sum(run.progress for run in race.runs) / len(race.runs)


def until_finished(
    store: Store, race_id: str, look: Callable[[RaceInfo], None] = lambda race: None, *, resumes: bool = False
) -> RaceInfo:
    """Wait for the end of a race, with a `look` at it now and then, also while its store is away.

    `resumes`: somebody starts contenders again, so only completed ones are at their end. Raises `EngineError` after an hour.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            launcher.watch(store)
            race = store.race(race_id)
        except StoreUnavailableError:
            time.sleep(LOOK_SECONDS)
            continue
        look(race)
        if race.is_finished and (not resumes or all(run.state == "completed" for run in race.runs)):
            return race
        time.sleep(LOOK_SECONDS)
    raise EngineError(f"race {race_id} did not end within {PATIENCE_SECONDS:.0f} s")


def compared(alone: tuple[Store, RaceInfo], killed: tuple[Store, RaceInfo]) -> tuple[int, int, bool]:
    """Events lost, events doubled, and whether all that is said is the same."""
    expected, found = _told(*alone), _told(*killed)
    identities = [Counter(identity for identity, _ in told) for told in (expected, found)]
    lost = sum((identities[0] - identities[1]).values())
    doubled = sum((identities[1] - identities[0]).values())
    return lost, doubled, expected == found


def _told(store: Store, race: RaceInfo) -> list[tuple[str, str]]:
    """Identity and content of every event about training, sorted.

    The shared dense network may be trained by any contender, or by several in turn: its events are told once, by nobody.
    """
    own, shared = [], set()
    for run in race.runs:
        for stored in store.events(run.id):
            event = stored.event
            if event.kind in OF_A_PROCESS:
                continue
            if event.key.startswith("dense:") or (event.kind == "filters" and event.step == 0):
                shared.add((_identity(event), _content(event)))
            else:
                own.append((f"{run.label} {run.config.seed} {_identity(event)}", _content(event)))
    return sorted([*own, *shared])


def _identity(event: Event) -> str:
    chapter = event.key.split(":")[0] if not event.key.startswith("@") else ""
    return f"{event.kind} {event.step} {chapter} {getattr(event, 'stage', '')} {getattr(event, 'split', '')}"


def _content(event: Event) -> str:
    said: dict[str, Any] = json.loads(event.model_dump_json(exclude={"key", "note"}))
    if isinstance(event, Finished):
        said = said["ledger"]
    return json.dumps({name: value for name, value in said.items() if not any(part in name for part in OF_THE_CLOCK)})


def _same_networks(alone: tuple[Store, RaceInfo], killed: tuple[Store, RaceInfo]) -> bool:
    networks = [[_weights(store, run.id) for run in race.runs] for store, race in (alone, killed)]
    return all(_same(one, other) for one, other in zip(*networks, strict=True))


def _weights(store: Store, run_id: str) -> dict[str, torch.Tensor]:
    return load_pruned(store.run_folder(run_id) / "pruned.pt").state_dict()


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
