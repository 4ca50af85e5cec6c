"""One contender in one process: `python -m catalyst_core.engine.worker RUN --store URL`.

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

import psutil

from catalyst_core.engine.channel import Channel
from catalyst_core.engine.heartbeat import log_path, log_tail, this_process, watch
from catalyst_core.errors import CatalystError, NotFoundError, RunFinishedError
from catalyst_core.events import Failed
from catalyst_core.store import RunInfo, Store, open_store

QUEUE_SECONDS = 0.5
SETTLED_SECONDS = 8.0  # by then the first contender of a race has begun

log = logging.getLogger(__name__)


def slots() -> int:
    """How many contenders train at once: $CATALYST_WORKERS, else the cores this process may use."""
    return max(1, int(os.environ.get("CATALYST_WORKERS") or cores()))


def cores() -> int:
    """Cores this process may use."""
    return len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count() or 1


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0 ended well, 1 failed (the store says why)."""
    parser = argparse.ArgumentParser(prog="catalyst_core.engine.worker", description=__doc__)
    parser.add_argument("run", nargs="?", help="the run to take")
    parser.add_argument("--store", help="where it is kept")
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
    return work(open_store(url), run_id)


def work(store: Store, run_id: str) -> int:
    """Take a run from the queue to its end."""
    _log_to(store, run_id)
    try:
        run = _wait_for_turn(store, run_id)
        with Channel(store, run) as channel:
            _train(store, run, channel)
    except (RunFinishedError, NotFoundError) as error:
        log.info("leaving: %s", error)
        return 0
    except (Exception, KeyboardInterrupt) as error:
        traceback.print_exc()
        reason = str(error) if isinstance(error, CatalystError) else f"{type(error).__name__}: {error}"
        _report_failure(store, run_id, reason)
        return 1
    return 0


def _train(store: Store, run: RunInfo, channel: Channel) -> None:
    _let_the_first_begin(store, run)
    import torch

    from catalyst_core.training import Folders, train

    contenders = len(store.race(run.race_id).runs)
    torch.set_num_threads(max(1, cores() // min(slots(), contenders)))
    log.info("%s: training with %d thread(s)", run.config.label, torch.get_num_threads())
    dense = store.files / "dense"
    dense.mkdir(parents=True, exist_ok=True)
    train(run.config, channel.emit, channel.commands, Folders(run=store.run_folder(run.id), dense=dense))


def _wait_for_turn(store: Store, run_id: str) -> RunInfo:
    process = this_process()
    limit = slots()
    joined = time.monotonic()
    while (place := store.claim(run_id, process, limit)) > 0:
        if place <= limit and time.monotonic() - joined > SETTLED_SECONDS:
            import catalyst_core.engine.warm  # noqa: F401  # next in line: import ahead of its turn
        watch(store)
        time.sleep(QUEUE_SECONDS)
    return store.run(run_id)


def _let_the_first_begin(store: Store, run: RunInfo) -> None:
    """The other contenders wait for its dense network anyway: their imports would only take the cores from it."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while run.position and time.monotonic() < deadline:
        first = store.race(run.race_id).runs[0]
        if first.is_finished or first.total_steps:
            return
        time.sleep(QUEUE_SECONDS)


def _report_failure(store: Store, run_id: str, reason: str) -> None:
    try:
        store.append(run_id, [Failed(step=store.run(run_id).step, reason=reason, log_tail=log_tail(store, run_id))])
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
