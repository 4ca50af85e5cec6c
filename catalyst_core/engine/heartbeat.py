"""Who is alive: process identity, and the watch that turns a vanished worker into a failed run with its reason."""

import os
import socket
import time
from pathlib import Path

import psutil

from catalyst_core.store import Process, RunInfo, Store

BEAT_SECONDS = 2.0
START_SECONDS = 30.0  # a worker that has not reported by then never started
SILENT_SECONDS = 60.0  # for a worker on another machine, where there is only the heartbeat to go by
LOG_LINES = 20


def this_process() -> Process:
    """The identity of the calling process."""
    me = psutil.Process()
    return Process(me.pid, me.create_time(), socket.gethostname())


def is_alive(process: Process) -> bool:
    """Whether that very process (not a later one with its pid) is running on this machine; a zombie is not."""
    try:
        found = psutil.Process(process.pid)
        return abs(found.create_time() - process.created) < 2.0 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def log_path(store: Store, run_id: str) -> Path:
    """Where a run's worker writes what it prints."""
    return store.run_folder(run_id) / "worker.log"


def log_tail(store: Store, run_id: str) -> str:
    """The last lines of a run's log; '' without one."""
    try:
        with open(log_path(store, run_id), "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 16_384))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-LOG_LINES:])


def watch(store: Store) -> list[str]:
    """Mark the runs whose worker is gone as failed, from any process; returns their ids. Cheap: one query and a look at /proc."""
    failed = []
    for run in store.live_runs():
        reason = _why_dead(run)
        if reason and store.fail(run, reason, log_tail(store, run.id)):
            failed.append(run.id)
    return failed


def _why_dead(run: RunInfo) -> str:
    now = time.time()
    if run.process is None:
        waited = now - run.queued
        return f"its worker did not start within {START_SECONDS:.0f} s" if waited > START_SECONDS else ""
    if run.process.host == socket.gethostname():
        if is_alive(run.process):
            return ""
        return f"its worker (pid {run.process.pid}) is gone: it was killed, or ended without a word"
    silent = now - (run.heartbeat.timestamp() if run.heartbeat else run.queued)
    if silent > SILENT_SECONDS:
        return f"its worker on {run.process.host} has been silent for {silent:.0f} s"
    return ""
