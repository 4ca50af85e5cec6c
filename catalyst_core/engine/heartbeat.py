"""Who is alive: process identity, and the watch that turns a worker that is dead or hung into a failed run.

    gone                 its process is not there any more: noticed at the next look
    machine restarted    it ran before the last start of this machine
    out of memory        gone, and the system has killed for memory since its last beat
    hung                 its heart stands still: by the store's clock for SILENT_SECONDS, and seen so for SURE_SECONDS

The second half of the last rule is for stores and machines that were away: every heart stands still then. A training that
is only watched belongs to somebody else: its heart may stand still for WATCHED_SECONDS, and its process is never ended.
"""

import os
import signal
import socket
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from catalyst_core.engine import room
from catalyst_core.errors import StoreUnavailableError
from catalyst_core.store import Process, RunInfo, Store

BEAT_SECONDS = 2.0
START_SECONDS = 30.0  # a worker that has not reported by then never started
SILENT_SECONDS = 5.5
SURE_SECONDS = 3.0
WATCHED_SECONDS = 60.0  # instead of the silent ones for a process that is not ours: it may be loading or compiling anything
QUEUED_SECONDS = 60.0  # instead of the silent ones while it waits for its turn: importing torch holds everything up
LOG_LINES = 20
RESTARTED = "machine restarted"
KILLS = "memory-kills"  # file with the count at the last beat


def this_process() -> Process:
    """The identity of the calling process."""
    me = psutil.Process()
    return Process(me.pid, me.create_time(), socket.gethostname(), boot_id())


@cache
def boot_id() -> str:
    """Which start of this machine it is; the same for every process until the next one."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{psutil.boot_time():.0f}"


def is_alive(process: Process) -> bool:
    """Whether that very process (not a later one with its pid) is running on this machine; a zombie is not."""
    if not _is_of_this_start(process):
        return False
    try:
        found = psutil.Process(process.pid)
        return abs(found.create_time() - process.created) < 2.0 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_of_this_start(process: Process) -> bool:
    """Whether it was started since this machine was, as far as was noted."""
    return process.boot in ("", boot_id())


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


def memory_kills() -> int:
    """How many processes this system has killed because memory ran out; 0 where it does not tell."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def note_kills(folder: Path) -> None:
    """Leave the count for whoever finds this worker gone. Raises OSError."""
    count, file = str(memory_kills()), folder / KILLS
    if not file.is_file() or file.read_text() != count:
        file.write_text(count)


class Watch:
    """One process' look at all workers, again and again; it remembers since when a heart has stood still."""

    def __init__(self) -> None:
        self._still: dict[tuple[str, str], tuple[object, float]] = {}  # store and run -> beat, seen first at (monotonic)

    def look(self, store: Store, live: list[RunInfo] | None = None, *, sure: bool = False) -> list[str]:
        """Mark the runs whose worker is dead or hung as failed; returns their ids. Cheap: one query and a look at /proc.

        `live`: the store's live runs, for who has just read them. `sure`: with an answer at once, for who looks only once;
        that takes SURE_SECONDS where a heart seems to stand still.
        """
        failed, doubtful = self._look(store, store.live_runs() if live is None else live)
        if sure and doubtful:
            time.sleep(SURE_SECONDS)
            failed += self._look(store, store.live_runs())[0]
        return failed

    def _look(self, store: Store, live: list[RunInfo]) -> tuple[list[str], bool]:
        if not live or room.lacking(store.files, 1):  # on a full disk no heart can beat
            return [], False
        now, failed, doubtful = store.now(), [], False
        for run in live:
            reason = _why_gone(run, now, store)
            if not reason and (silent := _silence(run, now)):
                if self._has_stood_still(store, run):
                    reason = f"{_whose(run)} hung: no sign of life for {silent:.0f} s"
                else:
                    doubtful = True
            if reason and _failed(store, run, reason):
                failed.append(run.id)
        return failed, doubtful

    def _has_stood_still(self, store: Store, run: RunInfo) -> bool:
        key, now = (store.name, run.id), time.monotonic()
        beat, since = self._still.get(key, (None, now))
        if beat != run.heartbeat:
            self._still[key] = (run.heartbeat, now)
            return False
        return now - since >= SURE_SECONDS


def _why_gone(run: RunInfo, now: float, store: Store) -> str:
    process = run.process
    if process is None:
        waited = 0.0 if run.assigned is None else now - run.assigned
        if waited > time.time() - psutil.boot_time():
            return RESTARTED
        return f"its worker did not start within {START_SECONDS:.0f} s" if waited > START_SECONDS else ""
    if process.host != socket.gethostname():
        return ""
    if not _is_of_this_start(process):
        return RESTARTED
    if is_alive(process):
        return ""
    if _memory_ran_out(store.files / "runs" / run.id):
        used = f" (it used {run.rss / 2**30:.1f} GiB)" if run.rss else ""
        return f"{_whose(run)} (pid {process.pid}) was killed because the machine's memory ran out{used}"
    return f"{_whose(run)} (pid {process.pid}) is gone: it was killed, or ended without a word"


def _memory_ran_out(folder: Path) -> bool:
    try:
        return memory_kills() > int((folder / KILLS).read_text())
    except (OSError, ValueError):
        return False


def _silence(run: RunInfo, now: float) -> float:
    """Seconds without a beat, where they are more than a busy machine explains; else 0."""
    if run.heartbeat is None:
        return 0.0
    silent = now - run.heartbeat.timestamp()
    usual = WATCHED_SECONDS if run.config.data.is_own else SILENT_SECONDS
    return silent if silent > (QUEUED_SECONDS if run.state == "queued" else usual) else 0.0


def _whose(run: RunInfo) -> str:
    return "its own process" if run.config.data.is_own else "its worker"


def _failed(store: Store, run: RunInfo, reason: str) -> bool:
    """Record why, then end a hung worker: the other way round somebody else could find it gone and say so first."""
    try:
        return store.fail(run, reason, log_tail(store, run.id))
    except StoreUnavailableError:  # it may be the worker itself that holds the lock
        _end(run)
        return store.fail(run, reason, log_tail(store, run.id))
    finally:
        _end(run)


def _end(run: RunInfo) -> None:
    """Kill what is left of a worker."""
    process = None if run.config.data.is_own else run.process
    if process and process.host == socket.gethostname() and is_alive(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
