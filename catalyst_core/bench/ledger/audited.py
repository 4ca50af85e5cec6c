"""The planted rescale audit of many methods, as many at once as contenders train at once; each method's result is kept."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from catalyst_core.bench.ledger.done import Done
from catalyst_core.bench.ledger.suites import Audit, Suite
from catalyst_core.config import RaceConfig
from catalyst_core.engine.slots import slots


def conduct(suite: Suite, audit: Audit, done: Done, files: Path, tell: Callable[[str], None]) -> None:
    """Audit every method that `done` does not know yet, and let it know the results. `files`: where dense networks are kept."""
    missing = {name: race for name, race in _races(suite, audit).items() if name not in done.audits}
    with ProcessPoolExecutor(slots(), get_context("spawn")) as pool:
        asked = {pool.submit(_audited, race, files / "dense"): name for name, race in missing.items()}
        for answer in as_completed(asked):
            name = asked[answer]
            done.audits[name] = [{"task": audit.task, "ratio": audit.ratio, **one} for one in answer.result()]
            done.save()
            tell(f"rescale audit of {name}")


def names(suite: Suite, audit: Audit) -> list[str]:
    """What its parts are called among the results, one a method."""
    return list(_races(suite, audit))


def _races(suite: Suite, audit: Audit) -> dict[str, RaceConfig]:
    """A race of one contender a seed for each method, by what its part is called."""
    races = [suite.task(audit.task).race([method], audit.ratio, suite.seeds) for method in audit.methods]
    return {f"{audit.task}: {race.methods[0].label}": race for race in races}


def _audited(race: RaceConfig, dense: Path) -> list[dict[str, Any]]:
    """In a process of its own: one method, over all seeds."""
    import torch

    from catalyst_core.training.rescale import rescale_audit

    torch.set_num_threads(1)
    dense.mkdir(parents=True, exist_ok=True)
    found = [dataclasses.asdict(one) for one in rescale_audit(race, dense)]
    return [one for one in found if len(one["seeds"]) == len(race.seeds)]
