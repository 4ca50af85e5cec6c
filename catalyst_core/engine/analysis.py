"""Analyses of a run that need its network: each in a process of its own, its progress and result in the run's folder.

    budgets    other budgets on the validation images      rescale    the planted rescale audit
    model, model-8, model-16    the small network as files for whoever has nothing of ours, its widths as they are or rounded up

analysis-<kind>.json is written whole each time (beside, then renamed) and goes with the race; analysis-<kind>.log is what
the process prints. One process at a time a run and kind: who starts one holds a lock and names the process in the file.
Imports no torch: the pages start and watch analyses from here.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from filelock import FileLock

from catalyst_core.catalog import BLIND, METHODS, WATCHED
from catalyst_core.engine import children, heartbeat, launcher, room
from catalyst_core.errors import ConfigError, StoreError
from catalyst_core.events import BEFORE_THE_CUT, STOPPED, CheckpointKept
from catalyst_core.store import Process, RunInfo, Store
from catalyst_core.store.analyses import analysis_path

Kind = Literal["budgets", "rescale", "model", "model-8", "model-16"]
ROUNDED: dict[Kind, int | None] = {"model": None, "model-8": 8, "model-16": 16}  # widths are multiples of; None: as they are
WORKER = "catalyst_core.engine.analyst"
LOCK_SECONDS = 20.0
LOG_LINES = 20
RESCALE_STAGES = 5  # sparse stages of an audit of one seed, as `training.rescale.stages` counts them without torch
STAMP = "made_of"  # key of the result of a model: the `stamp` of the network that it was made of
_started: list[subprocess.Popen[bytes]] = []  # kept so that ended ones are reaped


@dataclass(frozen=True)
class Analysis:
    """One analysis of one run as it stands."""

    state: Literal["none", "running", "done", "failed"] = "none"
    process: Process | None = None
    revision: int = 0  # of the run that it was begun for
    began: float = 0.0  # seconds since the epoch: when its first step did
    done: int = 0  # steps
    steps: int = 0  # 0: not known yet
    reason: str = ""  # why it failed, one sentence
    log_tail: str = ""
    result: dict[str, Any] | None = None

    @property
    def seconds_left(self) -> float | None:
        """Remaining seconds at the pace so far; None while unknown."""
        if self.state != "running" or not self.done:
            return None
        return max(0.0, (time.time() - self.began) / self.done * (self.steps - self.done))


def look(store: Store, run: RunInfo, kind: Kind) -> Analysis:
    """How it stands: one whose process is gone has failed, and the result of a withdrawn cut is none."""
    _reap()
    found = _read(store, run.id, kind)
    if found.state != "running" and (found.revision != run.revision or _is_stale(store, run, kind, found)):
        return Analysis()
    if found.state == "running" and found.process is not None and _is_gone(found.process):
        reason = f"its process (pid {found.process.pid}) is gone: it was killed, or ended without a word"
        return Analysis("failed", found.process, found.revision, reason=reason, log_tail=log_tail(store, run.id, kind))
    return found


def obstacle(store: Store, run: RunInfo, kind: Kind) -> str:
    """Why it cannot be started, in one sentence; '' where it can."""
    if run.config.data.is_own:
        return f"Its network is not in the store: {WATCHED}."
    if kind == "rescale":
        return _no_audit(store, run)
    return _no_files(store, run, kind) if kind in ROUNDED else _no_budgets(store, run)


def _no_audit(store: Store, run: RunInfo) -> str:
    if run.config.method.name in BLIND:
        return f"A {run.config.method.name} cut looks at no filter, so a planting cannot tell anything about it."
    return "" if dense_file(store, run).is_file() else "Its dense network is not on the disk, and the audit starts from it."


def _no_files(store: Store, run: RunInfo, kind: Kind) -> str:
    if not run.is_finished:
        return "It has not ended, and its files are made of the network that it leaves at its end."
    if not pruned_file(store, run).is_file():
        cut = store.events(run.id, kinds=["pruned"])
        return "Its small network is not on the disk." if cut else "It has not been cut, so there is no small network yet."
    whole_blocks = METHODS[run.config.method.name].cuts == "blocks"
    return "It removes whole blocks, so there are no widths to round." if whole_blocks and ROUNDED[kind] else ""


def _no_budgets(store: Store, run: RunInfo) -> str:
    if not store.events(run.id, kinds=["pruned"]):
        return "It has not been cut, so there is no network in front of a cut to measure."
    if METHODS[run.config.method.name].cuts == "blocks":
        return "It removes whole blocks, so there is no order of channels that another budget could follow."
    if METHODS[run.config.method.name].strength is None:
        return "" if dense_file(store, run).is_file() else "Its dense network, which was cut, is not on the disk any more."
    return "" if checkpoint(store, run) else "The checkpoint in front of its cut is not on the disk any more."


def start(store: Store, run: RunInfo, kind: Kind) -> None:
    """Have a process of its own do it, unless one does. Raises ConfigError for an obstacle, and StoreError without room."""
    room.check_start(store)
    _check(store, run, kind)
    with _lock(store, run.id, kind):
        if look(store, run, kind).state == "running":
            return
        with open(_path(store, run.id, kind, "log"), "wb") as log:
            child = children.spawn(WORKER, [kind, run.id], store.url, stdin=subprocess.DEVNULL, stdout=log)
        _started.append(child)
        with suppress(psutil.NoSuchProcess):  # it may have ended again
            process = heartbeat.this_process()
            created = psutil.Process(child.pid).create_time()
            write(store, run.id, kind, Analysis("running", Process(child.pid, created, process.host, process.boot), run.revision))


def claim(store: Store, run: RunInfo, kind: Kind) -> Analysis:
    """Be the process that does it. Raises ConfigError for an obstacle, or where another process is at it already."""
    _check(store, run, kind)
    me = heartbeat.this_process()
    with _lock(store, run.id, kind):
        found = look(store, run, kind)
        if found.state == "running" and found.process is not None and found.process.pid != me.pid:
            raise ConfigError(f"run {run.id}: process {found.process.pid} is doing this already; its result comes soon")
        _sweep(store, run, kind)
        mine = Analysis("running", me, run.revision)
        write(store, run.id, kind, mine)
    return mine


def stop(store: Store, run: RunInfo, kind: Kind) -> None:
    """End its process, if it is one of this machine, and forget it."""
    with _lock(store, run.id, kind):
        found = look(store, run, kind)
        if found.state != "running" or found.process is None or found.process.host != socket.gethostname():
            return
        with suppress(ProcessLookupError):
            os.kill(found.process.pid, signal.SIGKILL)
        _path(store, run.id, kind, "json").unlink(missing_ok=True)
        _sweep(store, run, kind)


def write(store: Store, run_id: str, kind: Kind, analysis: Analysis) -> None:
    """Put it into the run's folder as a whole. Raises StoreError: the race has been deleted, or the disk is full."""
    path = _path(store, run_id, kind, "json")
    half = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        half.write_text(json.dumps(asdict(analysis), allow_nan=False), encoding="utf-8")
        half.replace(path)
    except OSError as error:
        raise StoreError(f"{path.name} of run {run_id} cannot be written ({error.strerror})") from None


def checkpoint(store: Store, run: RunInfo) -> Path | None:
    """The file with the network in front of the run's cut; None where it was not kept, or is gone."""
    kept = [stored.event for stored in store.events(run.id, kinds=["checkpoint"])]
    sparse = [one for one in kept if isinstance(one, CheckpointKept) and one.reason in (BEFORE_THE_CUT, STOPPED)]
    file = launcher.checkpoint_file(store, run.id, sparse[-1].name) if sparse and sparse[-1].stage == "sparse" else None
    return file if file is not None and file.is_file() else None


def dense_file(store: Store, run: RunInfo) -> Path:
    """Where the dense network is that the run began with; it may be gone."""
    return store.files / "dense" / f"{run.config.dense_key()}.pt"


def pruned_file(store: Store, run: RunInfo) -> Path:
    """Where its small network is once it was cut; it may be missing."""
    return store.files / "runs" / run.id / "pruned.pt"


def model_zip(store: Store, run: RunInfo, kind: Kind) -> Path:
    """Where its small network is as files, once an analysis of this kind is done."""
    return store.files / "runs" / run.id / f"{run.id}-{kind}.zip"


def log_tail(store: Store, run_id: str, kind: Kind) -> str:
    """The last lines that its process printed; '' without any."""
    with suppress(OSError):
        text = _path(store, run_id, kind, "log").read_text("utf-8", "replace")
        return "\n".join(text.splitlines()[-LOG_LINES:])
    return ""


def _check(store: Store, run: RunInfo, kind: Kind) -> None:
    if reason := obstacle(store, run, kind):
        raise ConfigError(f"run {run.id}: {reason[0].lower()}{reason[1:].rstrip('.')}")


def _path(store: Store, run_id: str, kind: Kind, ending: str) -> Path:
    """Not by `run_folder`, which would make the folder of a deleted race again."""
    return analysis_path(store.files, run_id, kind, ending)


def _read(store: Store, run_id: str, kind: Kind) -> Analysis:
    try:
        content = json.loads(_path(store, run_id, kind, "json").read_text(encoding="utf-8"))
        process = content.pop("process")
        return Analysis(**content, process=None if process is None else Process(**process))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none yet, or one of another version
        return Analysis()


def stamp(store: Store, run: RunInfo) -> int:
    """When its small network was written, in nanoseconds since the epoch; 0 without one."""
    with suppress(OSError):
        return pruned_file(store, run).stat().st_mtime_ns
    return 0


def _is_stale(store: Store, run: RunInfo, kind: Kind, found: Analysis) -> bool:
    """Whether the files that it made are gone, or the run, which went on behind a failure, has left another network since."""
    if kind not in ROUNDED or found.result is None:
        return False
    return not model_zip(store, run, kind).is_file() or found.result.get(STAMP) != stamp(store, run)


def _sweep(store: Store, run: RunInfo, kind: Kind) -> None:
    """Remove what a killed process had half written."""
    if kind in ROUNDED:
        out = model_zip(store, run, kind)
        for half in out.parent.glob(f".{out.name}-*"):
            shutil.rmtree(half, ignore_errors=True)


def _lock(store: Store, run_id: str, kind: Kind) -> FileLock:
    store.run_folder(run_id)
    return FileLock(_path(store, run_id, kind, "lock"), timeout=LOCK_SECONDS)


def _is_gone(process: Process) -> bool:
    """Of another machine nothing is known."""
    return process.host == socket.gethostname() and not heartbeat.is_alive(process)


def _reap() -> None:
    _started[:] = [child for child in _started if child.poll() is None]
