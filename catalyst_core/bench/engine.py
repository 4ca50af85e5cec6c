"""What the engine costs and what it survives, measured on this machine in stores of its own that are deleted afterwards."""

import itertools
import os
import random
import signal
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
from catalyst_core.events import FiltersMeasured, Finished, GroupsFound, StageStarted, StepLogged, pack
from catalyst_core.frames import RaceView
from catalyst_core.store import Store, open_store

CHANNELS = 10_000  # of an appended snapshot
SNAPSHOTS, SNAPSHOT_CHANNELS = 2_000, 1_000  # in the race that is read
RACES, CONTENDERS = 1_000, 5  # in the store whose list is read
REPEATS = 50
READERS, READ_SECONDS = 10, 1.0
WINDOW_SECONDS, SETTLE_SECONDS = 6.0, 0.5
DEFAULT_RACE = RaceConfig()
KILLED_RACE = RaceConfig.build(
    methods=[{"name": name} for name in ("catalyst", "l1", "none")],
    schedule={"dense_epochs": 40, "sparse_epochs": 60, "finetune_epochs": 30},
)
WATCHED_RACE = RaceConfig.build(  # two contenders, a thread each
    methods=[{"name": name} for name in ("l1", "group_lasso")],
    schedule={"dense_epochs": 5, "sparse_epochs": 1000, "finetune_epochs": 1},
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
    tell(f"a race that {READERS} readers watch every other {WINDOW_SECONDS:g} seconds")
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
    """Training time a step while the race is watched, against the same in the times between, window by window in one race."""
    with _scratch() as store:
        race_id = launcher.start_race(store, WATCHED_RACE)
        readers = [_reader(store, race_id, number) for number in range(READERS)]
        try:
            windows = _windows(store, race_id, readers)
        finally:
            for reader in readers:
                reader.kill()
                reader.wait()
        watched, alone = (_step_ms(store, race_id, [span for on, *span in windows if on == wanted]) for wanted in (True, False))
    return {"watched_slowdown": watched / alone - 1, "step_ms_watched": watched, "step_ms_alone": alone, "windows": len(windows)}


def _reader(store: Store, race_id: str, number: int) -> subprocess.Popen[bytes]:
    root, environment = Path(__file__).resolve().parents[2], {**os.environ, "OMP_NUM_THREADS": "1"}
    delay = f"{READ_SECONDS * number / READERS:g}"
    command = [sys.executable, "-c", READER, store.url, race_id, f"{READ_SECONDS:g}", delay]
    return subprocess.Popen(command, cwd=root, env=environment)


def _windows(store: Store, race_id: str, readers: list[subprocess.Popen[bytes]]) -> list[tuple[bool, float, float]]:
    """Stop the readers and let them go on in turn, as long as every contender is in its sparse stage."""
    windows, watched = [], True
    while not (race := store.race(race_id)).is_finished:
        launcher.watch(store)
        if all(run.stage == "sparse" for run in race.runs):
            for reader in readers:
                reader.send_signal(signal.SIGCONT if watched else signal.SIGSTOP)
            start = store.now()
            time.sleep(WINDOW_SECONDS)
            windows.append((watched, start, store.now()))
            watched = not watched
        elif windows:
            break
        time.sleep(0.1)
    for reader in readers:
        reader.send_signal(signal.SIGCONT)
    return windows[:-1]  # the last one may reach into another stage


def _step_ms(store: Store, race_id: str, spans: list[list[float]]) -> float:
    """Mean training time of the steps between two words that both lie in one of these times."""
    steps, seconds = 0, 0.0
    for run in store.race(race_id).runs:
        words = [(stored.time, stored.event) for stored in store.events(run.id, kinds=["step"])]
        for (before, first), (after, second) in itertools.pairwise(words):
            assert isinstance(first, StepLogged)
            assert isinstance(second, StepLogged)
            if any(start + SETTLE_SECONDS < before and after < end for start, end in spans):
                steps += second.step - first.step
                seconds += second.seconds - first.seconds
    return 1e3 * seconds / steps


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
