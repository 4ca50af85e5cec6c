"""Whole races, real processes: killed, with the database or the disk away, started by two at once. Nothing is lost."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from catalyst_core.bench.kills import compared, kill_race, until_finished
from catalyst_core.config import RaceConfig
from catalyst_core.engine import launcher
from catalyst_core.engine.heartbeat import is_alive
from catalyst_core.engine.worker import failure_reason
from catalyst_core.errors import CheckpointError, ConfigError
from catalyst_core.store import open_store
from catalyst_core.store.sql import bytes_in

ROOT = Path(__file__).resolve().parents[2]
RACE = RaceConfig.build(
    data={"name": "digits", "train_images": 400, "batch_size": 32},
    methods=[{"name": "catalyst"}, {"name": "none"}],
    schedule={"dense_epochs": 10, "sparse_epochs": 20, "finetune_epochs": 10},
)
STARTER = """
import sys
from catalyst_core.config import RaceConfig
from catalyst_core.engine import launcher
from catalyst_core.store import open_store
from catalyst_core.store.sql import bytes_in
store, config = open_store(sys.argv[1]), RaceConfig.model_validate_json(sys.argv[2])
sys.stdin.readline()
print(launcher.start_race(store, config), flush=True)
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The race as it is when nothing happens, started twice at the same moment by two people on one store."""
    store = open_store(str(tmp_path_factory.mktemp("alone") / "races.db"))
    command = [sys.executable, "-c", STARTER, store.url, RACE.model_dump_json()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    starters = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(2)]
    for starter in starters:
        starter.stdin.write("go\n")
        starter.stdin.flush()
    races = [starter.stdout.readline().strip() for starter in starters]
    busy = []
    for race in races:
        until_finished(store, race, lambda _: busy.append(sum(run.state == "running" for run in store.live_runs())))
    for starter in starters:
        starter.communicate(timeout=60)
    # One of the two trained the dense network that both share; that one says all there is to say.
    races.sort(key=lambda race: not any(one.event.stage == "dense" for one in store.race_events(race, kinds=["step"])))
    yield store, [store.race(race) for race in races], max(busy)
    store.close()


def ledgers(race):
    return [
        {key: value for key, value in run.ledger.items() if "seconds" not in key and "latency" not in key} for run in race.runs
    ]


def test_two_people_who_start_the_same_race_do_not_clash(alone):
    _, (first, second), most_at_once = alone
    assert first.id != second.id
    assert {run.state for race in (first, second) for run in race.runs} == {"completed"}
    assert most_at_once <= len(psutil.Process().cpu_affinity())
    assert ledgers(first) == ledgers(second)


def test_kills_lose_nothing_double_nothing_and_change_nothing(alone, tmp_path):
    store = open_store(str(tmp_path / "races.db"))
    killed = kill_race(store, RACE, (alone[0], alone[1][0]), kills=6, seed=4, pause=1.0)
    assert killed.kills == 6
    assert (killed.lost, killed.doubled, killed.bit_identical) == (0, 0, True)
    store.close()


def test_a_race_goes_on_through_restarts_of_its_database(alone, server, postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("CATALYST_FILES", str(tmp_path / "files"))
    store = open_store(postgres)
    race_id = launcher.start_race(store, RACE)
    stops = [10, 200]

    def look(race):
        if stops and race.runs[0].step >= stops[0]:
            stops.pop(0)
            server.stop()
            time.sleep(4.0)
            server.start()

    race = until_finished(store, race_id, look)
    assert not stops
    assert [run.attempt for run in race.runs] == [1, 1], "nobody was taken for dead"
    assert compared((alone[0], alone[1][0]), (store, race)) == (0, 0, True)
    arguments = " ".join(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    assert "p%40ss" not in arguments, "no password among the arguments of a process"
    store.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 96 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "none", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))


def test_a_full_disk_makes_a_race_wait_and_nothing_else(alone, small_disk):
    store = open_store(str(small_disk / "races.db"))
    filler, held = small_disk / "filler", []
    race_id = launcher.start_race(store, RACE)

    def look(race):
        run = race.runs[0]
        if not held and run.step >= 100:
            with pytest.raises(OSError, match="No space"):
                fill(filler)
            time.sleep(1.0)
            held.append(store.run(run.id).step)
            time.sleep(12.0)  # longer than the silence that a heart may keep
            assert launcher.watch(store) == []
            assert is_alive(run.process)
            held.append(store.run(run.id).step)
            filler.unlink()

    race = until_finished(store, race_id, look)
    assert held[0] == held[1], "nothing was said while nothing could be"
    assert [run.attempt for run in race.runs] == [1, 1]
    assert compared((alone[0], alone[1][0]), (store, race)) == (0, 0, True)
    assert shutil.disk_usage(small_disk).free > 0
    store.close()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:128] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
        RuntimeError("could not create a primitive"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
    ids=["python", "torch", "onednn", "cuda"],
)
def test_a_worker_that_cannot_have_more_memory_says_so(error):
    reason = failure_reason(error)
    assert reason.startswith("out of memory (")
    assert "fewer workers" in reason
    assert "\n" not in reason


def weights(store, race_id):
    """What the store says that the files of each run take, and what they take."""
    runs = store.race(race_id).runs
    return [run.bytes for run in runs], [bytes_in(store.run_folder(run.id)) for run in runs]


def test_a_fork_of_a_run_that_was_steered_and_forked_before_ends_too(alone):
    """Its origin's past holds events that were said by a worker like its own."""
    store, (_, race), _ = alone
    origin = race.runs[0]
    (kept,) = [stored.event for stored in store.events(origin.id, kinds=["checkpoint"])]
    first = launcher.fork(store, origin.id, kept.name, "first", {"learning_rate": 0.05})
    until_finished(store, race.id)
    (changed, _) = [stored.event for stored in store.events(first, kinds=["checkpoint"])][::-1]
    second = launcher.fork(store, first, changed.name, "second", {"learning_rate": 0.02})
    forked = until_finished(store, race.id)
    assert {run.state for run in forked.runs} == {"completed"}
    assert [run.attempt for run in forked.runs] == [1] * 4
    assert [(change.old, change.new) for change in store.settings(second)] == [(0.1, 0.05), (0.05, 0.02)]
    deadline = time.monotonic() + 20
    while (weighed := weights(store, race.id))[0] != weighed[1] and time.monotonic() < deadline:
        time.sleep(0.1)  # a worker drops its last checkpoints and weighs its files after it has said that it is done
    assert weighed[0] == weighed[1]


def test_a_fork_goes_on_from_a_kept_checkpoint_and_ends_as_its_origin_unless_something_is_changed(alone):
    store, (race, _), _ = alone
    origin = race.runs[0]
    (kept,) = [stored.event for stored in store.events(origin.id, kinds=["checkpoint"])]
    assert kept.reason == "before the cut"
    with pytest.raises(CheckpointError, match=kept.name):
        launcher.fork(store, origin.id, "../../escape", "mine")
    with pytest.raises(ConfigError, match="learning_rate must lie between 0 and 10"):
        launcher.fork(store, origin.id, kept.name, "mine", {"learning_rate": 11.0})
    same = launcher.fork(store, origin.id, kept.name, "same")
    other = launcher.fork(store, origin.id, kept.name, "slower", {"learning_rate": 0.01})
    forked = until_finished(store, race.id)
    runs = {run.id: run for run in forked.runs}
    assert forked.labels[-2:] == ("catalyst (same)", "catalyst (slower)")
    assert runs[same].parent == origin.id
    by_name = [{**row, "label": ""} for row in ledgers(forked)]
    assert by_name[-2] == by_name[0]
    assert by_name[-1] != by_name[0]
    assert [(change.name, change.old, change.new) for change in store.settings(other)] == [("learning_rate", 0.1, 0.01)]
    past = [
        stored.event.key
        for stored in store.events(origin.id)
        if stored.event.key.startswith(("start", "dense", "adopted", "sparse"))
    ]
    assert [stored.event.key for stored in store.events(same)][: len(past)] == past
