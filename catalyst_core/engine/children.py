"""The worker processes that this process started.

They are detached, in a session of their own: the end of whoever started them does not touch them.
"""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from catalyst_core.engine import heartbeat
from catalyst_core.places import home
from catalyst_core.store import Store

ROOT = Path(__file__).resolve().parents[2]
WORKER = "catalyst_core.engine.worker"
NICENESS = 5  # of workers, from their first import on: the dashboard and whoever sits in front of it come first


class Children:
    """Kept so that ended ones are reaped, with at most one standby among them: torch imported, waiting for a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: list[subprocess.Popen[bytes]] = []
        self._standby: subprocess.Popen[bytes] | None = None

    def prewarm(self) -> None:
        """Have a standby."""
        with self._lock:
            if self._standby is None or self._standby.poll() is not None:
                folder = home()
                folder.mkdir(parents=True, exist_ok=True)
                with open(folder / "standby.log", "wb") as log:
                    self._standby = spawn(WORKER, ["--standby"], stdin=subprocess.PIPE, stdout=log)
            self._reap()

    def start(self, store: Store, run_id: str) -> None:
        """A worker for this run: the standby if there is one. Its store goes by ways that others cannot read."""
        with self._lock:
            if not self._hand_over(store, run_id):
                with open(heartbeat.log_path(store, run_id), "ab") as log:
                    self._started.append(spawn(WORKER, [run_id], stdin=subprocess.DEVNULL, stdout=log, store_url=store.url))
            self._reap()

    def reap(self) -> None:
        """Let the ended ones go."""
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


def spawn(module: str, arguments: list[str], store_url: str = "", **streams: object) -> subprocess.Popen[bytes]:
    """A detached process that runs a module; whoever starts it has to reap it."""
    command = [sys.executable, "-m", module, *arguments]
    environment = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", **os.environ}  # numpy's; torch's are set by the worker
    if store_url:
        environment["CATALYST_STORE"] = store_url
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.STDOUT, start_new_session=True, **streams)  # type: ignore[call-overload]
    with suppress(psutil.NoSuchProcess):
        psutil.Process(child.pid).nice(NICENESS)
    return child
