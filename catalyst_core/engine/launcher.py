"""Starting, steering and watching races from the dashboard or the command line. Imports no torch.

Workers are started detached, in a session of their own: the end of whoever started them does not touch them.
"""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from catalyst_core.config import RaceConfig, home
from catalyst_core.data import check_data
from catalyst_core.engine import heartbeat
from catalyst_core.errors import RunFinishedError, StoreError
from catalyst_core.events import Command
from catalyst_core.store import Store

ROOT = Path(__file__).resolve().parents[2]
NICENESS = 5  # of workers, from their first import on: the dashboard and whoever sits in front of it come first
FREE_BYTES = 200 * 2**20  # what a race may need for checkpoints and events


class _Children:
    """The workers this process started: kept so that ended ones are reaped, with at most one standby among them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: list[subprocess.Popen[bytes]] = []
        self._standby: subprocess.Popen[bytes] | None = None

    def prewarm(self) -> None:
        with self._lock:
            if self._standby is None or self._standby.poll() is not None:
                folder = home()
                folder.mkdir(parents=True, exist_ok=True)
                with open(folder / "standby.log", "wb") as log:
                    self._standby = self._popen(["--standby"], stdin=subprocess.PIPE, stdout=log)
            self._reap()

    def start(self, store: Store, run_id: str) -> None:
        with self._lock:
            if not self._hand_over(store, run_id):
                with open(heartbeat.log_path(store, run_id), "ab") as log:
                    self._started.append(self._popen([run_id, "--store", store.url], stdin=subprocess.DEVNULL, stdout=log))
            self._reap()

    def reap(self) -> None:
        with self._lock:
            self._reap()

    def _reap(self) -> None:
        self._started = [child for child in self._started if child.poll() is None]

    def _hand_over(self, store: Store, run_id: str) -> bool:
        standby, self._standby = self._standby, None
        if standby is None or standby.poll() is not None or standby.stdin is None:
            return False
        try:
            standby.stdin.write(json.dumps({"run": run_id, "store": store.url}).encode() + b"\n")
            standby.stdin.close()
        except OSError:
            return False
        self._started.append(standby)
        return True

    @staticmethod
    def _popen(arguments: list[str], **streams: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "catalyst_core.engine.worker", *arguments]
        child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.STDOUT, start_new_session=True, **streams)  # type: ignore[call-overload]
        with suppress(psutil.NoSuchProcess):
            psutil.Process(child.pid).nice(NICENESS)
        return child


_children = _Children()


def prewarm() -> None:
    """Have one worker ready with torch imported, so that the next start moves within seconds. It ends with this process."""
    _children.prewarm()


def start_race(store: Store, config: RaceConfig) -> str:
    """Create a race and its workers; returns its id. Raises UsageError, and then nothing has been made."""
    preflight(store, config)
    race_id = store.create_race(config)
    for run in store.race(race_id).runs:
        _children.start(store, run.id)
    return race_id


def preflight(store: Store, config: RaceConfig) -> None:
    """Whether this race could start here. Raises DataError (no such images), StoreError (not writable, disk full)."""
    try:
        store.files.mkdir(parents=True, exist_ok=True)
        free = psutil.disk_usage(str(store.files)).free
    except OSError as error:
        raise StoreError(f"store {store.files}: cannot be written ({error.strerror})") from None
    if free < FREE_BYTES:
        raise StoreError(f"no disk space: {store.files} has {free // 2**20} MiB free, a race needs {FREE_BYTES // 2**20}")
    check_data(config.data)


def resume_race(store: Store, race_id: str) -> int:
    """Start the failed and stopped contenders of a race again, from the shared dense network; returns how many."""
    again = [run.id for run in store.race(race_id).runs if store.requeue(run.id)]
    for run_id in again:
        _children.start(store, run_id)
    return len(again)


def stop_race(store: Store, race_id: str) -> int:
    """Ask every live contender to stop; those that can still cut do so and write their ledger. Returns how many."""
    return send_race(store, race_id, Command(name="stop"))


def send_race(store: Store, race_id: str, command: Command, label: str | None = None) -> int:
    """Send a command to every live contender of a race, or to those of one method label; returns how many."""
    sent = 0
    for run in store.race(race_id).runs:
        if not run.is_finished and label in (None, run.label):
            try:
                store.send(run.id, command)
            except RunFinishedError:
                continue  # it ended between the look and the command
            sent += 1
    return sent


def watch(store: Store) -> list[str]:
    """Mark runs whose worker is gone as failed; returns their ids. Call it at each look at the store."""
    _children.reap()
    return heartbeat.watch(store)
