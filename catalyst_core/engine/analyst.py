"""One analysis in one process: `python -m catalyst_core.engine.analyst KIND RUN`, its store in $CATALYST_STORE."""

import argparse
import dataclasses
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, get_args

import numpy as np

from catalyst_core.config import RaceConfig
from catalyst_core.engine import analysis
from catalyst_core.engine.analysis import Analysis, Kind
from catalyst_core.engine.worker import failure_reason
from catalyst_core.errors import StoreError
from catalyst_core.events import FiltersMeasured, GroupsFound
from catalyst_core.finite import finite
from catalyst_core.store import RunInfo, Store, open_store

Tell = Callable[[int, int], None]  # steps done, and of how many

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0 done, 1 failed (the file in the run's folder says why)."""
    parser = argparse.ArgumentParser(prog="catalyst_core.engine.analyst", description=__doc__)
    parser.add_argument("kind", choices=get_args(Kind), help="what to do")
    parser.add_argument("run", help="the run to look at")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    store = open_store()
    run = store.run(chosen.run)
    try:
        conduct(store, run, chosen.kind)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def conduct(store: Store, run: RunInfo, kind: Kind, tell: Tell = lambda done, steps: None) -> dict[str, Any]:
    """Do it in this process, leave progress and result in the run's folder, and return the result.

    Raises ConfigError where there is an obstacle or another process is at it, and what the analysis raises.
    """
    mine = analysis.claim(store, run, kind)
    log.info("%s: %s", run.config.label, kind)

    def step(done: int, steps: int) -> None:
        nonlocal mine
        mine = dataclasses.replace(mine, done=done, steps=steps, began=mine.began or time.time())
        analysis.write(store, run.id, kind, mine)
        tell(done, steps)

    try:
        result = finite(JOBS[kind](store, run, step))
        analysis.write(store, run.id, kind, dataclasses.replace(mine, state="done", result=result))
    except BaseException as error:
        _tell_failure(store, run, kind, mine, error)
        raise
    return result


def _tell_failure(store: Store, run: RunInfo, kind: Kind, mine: Analysis, error: BaseException) -> None:
    tail = analysis.log_tail(store, run.id, kind)
    try:
        analysis.write(
            store, run.id, kind, dataclasses.replace(mine, state="failed", reason=failure_reason(error), log_tail=tail)
        )
    except StoreError as lost:  # the race is gone, or the disk is full: then the missing process says it
        log.info("leaving: %s", lost)


def budgets(store: Store, run: RunInfo, tell: Tell) -> dict[str, Any]:
    """Other budgets on the validation images."""
    import torch  # slow to import

    from catalyst_core.training.budgets import measure_budgets

    torch.set_num_threads(1)
    found = measure_budgets(
        run.config,
        cut_of(store, run),
        dense=analysis.dense_file(store, run),
        checkpoint=analysis.checkpoint(store, run),
        tell=tell,
    )
    return dataclasses.asdict(found)


def rescale(store: Store, run: RunInfo, tell: Tell) -> dict[str, Any]:
    """The planted rescale audit of the run's method, seed and schedule."""
    import torch

    from catalyst_core.training.rescale import rescale_audit, stages

    torch.set_num_threads(1)  # bit-identical runs need it
    race = race_of(run)
    steps, done = stages(race), 0

    def one_more(label: str) -> None:
        nonlocal done
        done += 1
        tell(done, steps)

    tell(0, steps)
    results = rescale_audit(race, analysis.dense_file(store, run).parent, tell=one_more)
    return {"results": [dataclasses.asdict(one) for one in results]}


def files(store: Store, run: RunInfo, tell: Tell, kind: Kind) -> dict[str, Any]:
    """The small network in a zip in the run's folder; what its report.json holds, but for what the run says itself."""
    from catalyst_core.deploy.of_run import write_run

    made_of = {analysis.STAMP: analysis.stamp(store, run)}
    exported = write_run(store, run, analysis.model_zip(store, run, kind), round_to=analysis.ROUNDED[kind], tell=tell)
    return made_of | {name: value for name, value in exported.record.items() if name not in ("facts", "title")}


JOBS: dict[Kind, Callable[[Store, RunInfo, Tell], dict[str, Any]]] = {
    "budgets": budgets,
    "rescale": rescale,
    **{kind: partial(files, kind=kind) for kind in analysis.ROUNDED},
}


def race_of(run: RunInfo) -> RaceConfig:
    """A race of this contender alone."""
    config = run.config
    fields = {name: getattr(config, name) for name in ("data", "model", "pruning_ratio", "macs_ratio", "schedule")}
    return RaceConfig.build(**fields, methods=(config.method,), seeds=(config.seed,))


def cut_of(store: Store, run: RunInfo) -> Any:
    """What the run decided, and in which order: its own decision first, on each side the margins that it last had while no
    channel was decided (Catalyst), then the magnitudes. A `training.budgets.Cut`."""
    from catalyst_core.training.budgets import Cut

    groups = next(one.event for one in store.events(run.id, kinds=["groups"]) if isinstance(one.event, GroupsFound))
    looks = [one.event for one in store.events(run.id, kinds=["filters"]) if isinstance(one.event, FiltersMeasured)]
    decided = [one for one in looks if one.decided][-1]
    margins = _numbers(decided.margins)
    ids = np.repeat(np.arange(len(groups.sizes)), groups.sizes)
    own = tuple(np.bincount(ids, margins <= 0, len(groups.sizes)).astype(int).tolist())
    if run.config.method.name == "random":
        return Cut(own, ())
    standings = (margins > 0, *_undecided(looks if decided.catalysts is not None else ()), _numbers(decided.magnitudes))
    return Cut(own, tuple(np.asarray(one, dtype=float) for one in standings))


def _undecided(looks: Iterable[FiltersMeasured]) -> list[np.ndarray]:
    """The last margins in sparse training before any channel was decided, if there are some."""
    margins = [_numbers(one.margins) for one in looks if one.stage == "sparse"]
    return [one for one in margins if np.isfinite(one).all()][-1:]


def _numbers(vector: bytes) -> np.ndarray:
    return np.frombuffer(vector, dtype="<f4")


if __name__ == "__main__":
    sys.exit(main())
