"""What the engine costs and what it survives, measured on this machine in stores of its own that are deleted afterwards."""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from catalyst_core.bench.kills import kill_race, run_race
from catalyst_core.config import RaceConfig
from catalyst_core.engine import launcher
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.events import FiltersMeasured, Finished, GroupsFound, StageStarted, pack
from catalyst_core.frames import RaceView
from catalyst_core.store import Store, open_store

CHANNELS = 10_000  # of an appended snapshot
SNAPSHOTS, SNAPSHOT_CHANNELS = 2_000, 1_000  # in the race that is read
RACES, CONTENDERS = 1_000, 5  # in the store whose list is read
REPEATS = 50
PAIRS = 5  # of a watched and an unwatched race
READERS, READ_SECONDS = 10, 1.0
DEFAULT_RACE = RaceConfig()
KILLED_RACE = RaceConfig.build(
    methods=[{"name": name} for name in ("catalyst", "l1", "none")],
    schedule={"dense_epochs": 40, "sparse_epochs": 60, "finetune_epochs": 30},
)
WATCHED_RACE = RaceConfig.build(
    methods=[{"name": "l1"}], schedule={"dense_epochs": 15, "sparse_epochs": 60, "finetune_epochs": 15}
)
READER = """
import sys, time
from catalyst_core.frames import RaceView
from catalyst_core.store import open_store
view = RaceView(open_store(sys.argv[1]), sys.argv[2])
time.sleep(float(sys.argv[4]))
while True:
    view.refresh()
    time.sleep(float(sys.argv[3]))
"""


def measure(kills: int, seed: int, tell: Callable[[str], None] = lambda what: None) -> dict[str, Any]:
    """All of it. `kills`: SIGKILLs over one race. `tell` hears what is measured next."""
    tell(f"a race with {kills} kills, and the same without")
    found = _killed(kills, seed)
    tell(f"appending snapshots of {CHANNELS} channels")
    found |= {"append_ms_median": _append_ms()}
    tell(f"reading what is new from a race with {SNAPSHOTS} snapshots")
    found |= {"read_new_ms_median": _read_new_ms()}
    tell(f"{PAIRS} pairs of a race that {READERS} readers watch, and one that nobody does")
    found |= _watched()
    tell("the default race on digits")
    found |= {"store_mb": _store_mb()}
    tell(f"the list of {RACES} races")
    return found | _lists()


@contextmanager
def _scratch() -> Iterator[Store]:
    with tempfile.TemporaryDirectory(prefix="catalyst-bench-") as folder:
        store = open_store(str(Path(folder) / "bench.db"))
        try:
            yield store
        finally:
            store.close()


def _killed(kills: int, seed: int) -> dict[str, Any]:
    with _scratch() as quiet, _scratch() as store:
        alone = run_race(quiet, KILLED_RACE)
        start = time.monotonic()
        killed = kill_race(store, KILLED_RACE, (quiet, alone), kills, seed)
        return {
            "kills": killed.kills,
            "kills_by_stage": killed.kills_by_stage,
            "kill_seconds": time.monotonic() - start,
            "lost_events": killed.lost,
            "doubled_events": killed.doubled,
            "bit_identical": killed.bit_identical,
        }


def _snapshot(step: int, channels: int) -> FiltersMeasured:
    numbers = np.random.default_rng(step).lognormal(size=(3, channels))
    magnitudes, catalysts, margins = (pack(row) for row in numbers)
    return FiltersMeasured(
        step=step,
        key=f"sparse:{step}",
        stage="sparse",
        magnitudes=magnitudes,
        catalysts=catalysts,
        margins=margins,
        thresholds=(None,) * 50,
        histogram=(channels // 96,) * 96,
        zeros=0,
    )


def _running(store: Store) -> str:
    """The id of a run that this process owns."""
    race_id = store.create_race(WATCHED_RACE)
    run_id = store.race(race_id).runs[0].id
    store.claim(run_id, this_process(), slots=1)
    return run_id


def _append_ms() -> float:
    with _scratch() as store:
        run_id = _running(store)
        snapshots = [_snapshot(step, CHANNELS) for step in range(REPEATS * 2)]
        return _median_ms(lambda one: store.append(run_id, [one], 1), snapshots)


def _read_new_ms() -> float:
    """A viewer's whole refresh after one more snapshot: the race's row, the new event, its numbers."""
    with _scratch() as store:
        run_id = _running(store)
        store.append(run_id, [GroupsFound(step=0, names=("all",), sizes=(SNAPSHOT_CHANNELS,))], 1)
        for start in range(0, SNAPSHOTS, 100):
            store.append(run_id, [_snapshot(step, SNAPSHOT_CHANNELS) for step in range(start, start + 100)], 1)
        view = RaceView(store, store.run(run_id).race_id)
        view.refresh()
        times = []
        for step in range(SNAPSHOTS, SNAPSHOTS + REPEATS):
            store.append(run_id, [_snapshot(step, SNAPSHOT_CHANNELS)], 1)
            start_time = time.perf_counter()
            assert view.refresh() == 1
            times.append(1e3 * (time.perf_counter() - start_time))
        return statistics.median(times)


def _watched() -> dict[str, Any]:
    """Training seconds from the sparse stage on, of the same contender with and without readers, in pairs in random order."""
    pairs = []
    for number in range(PAIRS):
        seconds = {}
        order = [True, False] if number % 2 else [False, True]
        for watched in order:
            with _scratch() as store:
                seconds[watched] = _watched_seconds(store, READERS if watched else 0)
        pairs.append((seconds[True], seconds[False]))
    ratios = [with_readers / alone for with_readers, alone in pairs]
    return {"watched_slowdown": statistics.median(ratios) - 1, "watched_pairs_seconds": pairs}


def _watched_seconds(store: Store, readers: int) -> float:
    """From the first event to the last one, by the store's clock."""
    race_id = launcher.start_race(store, WATCHED_RACE)
    watching: list[subprocess.Popen[bytes]] = []
    try:
        root, environment = Path(__file__).resolve().parents[2], {**os.environ, "OMP_NUM_THREADS": "1"}
        for number in range(readers):
            delay = f"{READ_SECONDS * number / readers:g}"
            command = [sys.executable, "-c", READER, store.url, race_id, f"{READ_SECONDS:g}", delay]
            watching.append(subprocess.Popen(command, cwd=root, env=environment))
        while not store.race(race_id).is_finished:
            time.sleep(1.0)
            launcher.watch(store)
        times = [stored.time for stored in store.race_events(race_id, kinds=["step"]) if stored.event.stage == "sparse"]  # type: ignore[union-attr]
        return times[-1] - times[0]
    finally:
        for child in watching:
            child.kill()
            child.wait()


def _store_mb() -> float:
    with _scratch() as store:
        run_race(store, DEFAULT_RACE)
        return store.size_bytes() / 1e6


def _lists() -> dict[str, float]:
    """The list of races in a full store; and how soon a worker runs there, as a multiple of the same in an empty one."""
    with _scratch() as empty, _scratch() as full:
        _fill(full)
        return {
            "runs_list_ms": _median_ms(lambda _: full.race_lines(), range(REPEATS)),
            "worker_start_ratio": _start_seconds(full) / _start_seconds(empty),
        }


def _fill(store: Store) -> None:
    """Finished races, as a year of work leaves them."""
    ledger = {"method": "l1", "macs": 1, "macs_dense": 2, "post_prune_accuracy": random.random()}
    for _ in range(RACES):
        race_id = store.create_race(DEFAULT_RACE)
        for run in store.race(race_id).runs:
            store.claim(run.id, this_process(), slots=10**6)
            stage = StageStarted(step=0, stage="dense", steps=1, total_steps=1)
            store.append(run.id, [stage, Finished(step=1, ledger=ledger)], 1)


def _start_seconds(store: Store) -> float:
    """From the click to the first stage."""
    race_id = launcher.start_race(store, WATCHED_RACE)
    start = time.monotonic()
    while not store.race(race_id).runs[0].stage:
        time.sleep(0.02)
    seconds = time.monotonic() - start
    launcher.stop_race(store, race_id)
    while not store.race(race_id).is_finished:
        time.sleep(0.1)
    return seconds


def _median_ms(call: Callable[[Any], object], over: Any) -> float:
    times = []
    for one in over:
        start = time.perf_counter()
        call(one)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)
