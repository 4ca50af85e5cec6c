"""The races of a suite, one after the other; what a sweep picked decides who races behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalyst_core.bench.ledger.suites import Heat, Method, Suite, Task
from catalyst_core.catalog import METHODS
from catalyst_core.config import RaceConfig

SWEEP, MAIN = "sweep", "main"


@dataclass(frozen=True)
class Step:
    """One race of a suite."""

    section: str  # "sweep", "main" or the name of a study
    task: Task
    ratio: float
    config: RaceConfig


def sweep_step(suite: Suite, task: Task) -> Step | None:
    """The strengths that are tried on a task; None where nobody races there who has several."""
    names = {str(method["name"]) for heat in suite.heats if heat.task == task.name for method in heat.methods}
    tried = [
        {"name": name, "strength": strength}
        for name, strengths in suite.sweep.strengths.items()
        for strength in strengths
        if name in names
    ]
    if not tried:
        return None
    seeds, ratio = (suite.sweep.seed,), suite.sweep.ratio
    return Step(SWEEP, task, ratio, task.race(_plain(tried), ratio, seeds, _title(task, SWEEP, ratio)))


def main_steps(suite: Suite, heat: Heat, picks: Mapping[str, Sequence[float]]) -> Iterator[Step]:
    """A race for each budget: the methods as they come, and each with the strengths that were picked for it."""
    task = suite.task(heat.task)
    methods = list(heat.methods)
    for method in heat.methods:
        methods += [{**method, "strength": strength} for strength in picks.get(str(method["name"]), ())]
    methods = _plain(methods)
    for ratio in heat.ratios:
        yield Step(MAIN, task, ratio, task.race(methods, ratio, suite.seeds, _title(task, MAIN, ratio)))


def study_steps(suite: Suite) -> Iterator[Step]:
    """A race for each schedule of each study."""
    for study in suite.studies:
        task = suite.task(study.task)
        for place, schedule in enumerate(study.schedules):
            varied = replace(task, schedule={**task.schedule, **schedule})
            tag = study.name if len(study.schedules) == 1 else f"{study.name} {place + 1}"
            config = varied.race(_plain(study.methods), study.ratio, suite.seeds, _title(task, tag, study.ratio))
            yield Step(study.name, varied, study.ratio, config)


def _plain(methods: Sequence[Method]) -> list[dict[str, Any]]:
    """Without a strength that is the method's default anyway, each once."""
    found = []
    for method in methods:
        plain = dict(method)
        if plain.get("strength") == METHODS[plain["name"]].strength:
            plain.pop("strength", None)
        if plain not in found:
            found.append(plain)
    return found


def _title(task: Task, tag: str, ratio: float) -> str:
    return f"{task.title}: {tag}, ratio {ratio:g}"
