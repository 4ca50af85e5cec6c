"""One contender in one process: `python -m catalyst_core.engine.worker RUN`, its store in $CATALYST_STORE.

It waits for its turn, trains, and says everything through the store. `--standby` imports torch first and then reads
which run to take from standard input, so that a start costs no import; it ends when its standard input does.
"""

import argparse
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import TypeVar

from catalyst_core.engine import launcher
from catalyst_core.engine.channel import Channel
from catalyst_core.engine.heartbeat import log_path, log_tail, this_process
from catalyst_core.engine.room import limit_mib
from catalyst_core.engine.slots import slots, threads
from catalyst_core.errors import CatalystError, NotFoundError, RunFinishedError, StoreUnavailableError
from catalyst_core.events import Failed, Noted
from catalyst_core.store import RunInfo, Store, open_store

QUEUE_SECONDS = 0.5
SETTLED_SECONDS = 8.0  # by then the first contender of a race has begun
AWAY_SECONDS = 600.0  # that a worker without a run waits for a store that is away
NO_MEMORY = ("can't allocate memory", "out of memory", "bad allocation", "could not create a primitive")  # torch's, oneDNN's

T = TypeVar("T")

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0 ended well, 1 failed (the store says why)."""
    parser = argparse.ArgumentParser(prog="catalyst_core.engine.worker", description=__doc__)
    parser.add_argument("run", nargs="?", help="the run to take")
    parser.add_argument("--store", help="where it is kept; default: $CATALYST_STORE")
    parser.add_argument("--standby", action="store_true", help="import torch, then read {'run', 'store'} from standard input")
    chosen = parser.parse_args(arguments)
    run_id, url = chosen.run, chosen.store
    if chosen.standby:
        import catalyst_core.engine.warm  # noqa: F401  # everything a contender imports

        line = sys.stdin.readline()
        if not line:
            return 0
        order = json.loads(line)
        run_id, url = order["run"], order["store"]
    return work(_patiently(lambda: open_store(url)), run_id)


def work(store: Store, run_id: str) -> int:
    """Take a run from the queue to its end."""
    _log_to(store, run_id)
    attempt = None
    try:
        run = _wait_for_turn(store, run_id)
        attempt = run.attempt
        _patiently(lambda: launcher.dispatch(store))  # the next one may get ready
        with Channel(store, run) as channel:
            channel.committed()  # what an earlier worker left
            _train(store, run, channel)
        store.thin(run_id)
        store.weigh(run_id)
        store.tidy()
    except (RunFinishedError, NotFoundError) as error:
        log.info("leaving: %s", error)
        return 0
    except (Exception, KeyboardInterrupt) as error:
        traceback.print_exc()
        _report_failure(store, run_id, attempt, failure_reason(error))
        return 1
    finally:
        _patiently(lambda: launcher.dispatch(store))
    return 0


def _train(store: Store, run: RunInfo, channel: Channel) -> None:
    import torch

    from catalyst_core.training import Folders, train

    limit_mib()
    torch.set_num_threads(threads(len(_patiently(lambda: store.race(run.race_id)).config.contenders())))
    log.info("%s: training with %d thread(s)", run.config.label, torch.get_num_threads())
    dense = store.files / "dense"
    dense.mkdir(parents=True, exist_ok=True)
    launcher.adopt_checkpoint(store, run)
    if run.stage not in ("", "dense") and not any(launcher.checkpoints(store, run.id).glob("*.pt")):
        channel.emit(Noted(step=run.step, text="it has no checkpoint: it goes on from the dense network"))
    history = _patiently(lambda: store.settings(run.id))
    folders = Folders(run=store.run_folder(run.id), dense=dense, no_room=channel.no_room)
    train(run.config, channel.emit, channel.commands, folders, history, channel.committed)


def _wait_for_turn(store: Store, run_id: str) -> RunInfo:
    """Join the queue, have everything imported by the time that it is its turn, and take the run."""
    process, limit = this_process(), slots()
    _patiently(lambda: store.claim(run_id, process, 0))
    _let_the_first_begin(store, _patiently(lambda: store.run(run_id)))
    import catalyst_core.engine.warm  # noqa: F401

    while _patiently(lambda: store.claim(run_id, process, limit)) > 0:
        _patiently(lambda: launcher.watch(store))
        time.sleep(QUEUE_SECONDS)
    return _patiently(lambda: store.run(run_id))


def _let_the_first_begin(store: Store, run: RunInfo) -> None:
    """The other contenders wait for its dense network anyway: their imports would only take the cores from it."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while run.position and time.monotonic() < deadline:
        first = _patiently(lambda: store.race(run.race_id)).runs[0]
        if first.is_finished or first.total_steps:
            return
        time.sleep(QUEUE_SECONDS)


def _patiently(ask: Callable[[], T]) -> T:
    """The store's answer, also when it is away for a while. Raises StoreUnavailableError in the end."""
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return ask()
        except StoreUnavailableError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("%s; trying again", error)
            time.sleep(QUEUE_SECONDS)


def failure_reason(error: BaseException) -> str:
    """Why a contender failed, in one sentence."""
    if isinstance(error, CatalystError):
        return str(error)
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in NO_MEMORY):
        said = str(error).splitlines()[0][:200] if str(error) else "no more memory"
        return f"out of memory ({said}): choose a smaller batch, network or image size, or fewer workers"
    return f"{type(error).__name__}: {error}"


def _report_failure(store: Store, run_id: str, attempt: int | None, reason: str) -> None:
    def report() -> None:
        failed = Failed(step=store.run(run_id).step, reason=reason, log_tail=log_tail(store, run_id))
        store.append(run_id, [failed], attempt)

    try:
        _patiently(report)
    except (RunFinishedError, NotFoundError) as error:
        log.info("leaving: %s", error)


def _log_to(store: Store, run_id: str) -> None:
    """Standard output and error go to the run's log; standard input is closed."""
    descriptor = os.open(log_path(store, run_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", force=True)


if __name__ == "__main__":
    sys.exit(main())
