"""Carries a suite out through the engine, and goes on where it stopped: what is in the store is not raced again.

    OUT/races.db      the store: `show`, `export` and the dashboard read it
    OUT/done.json     which race belongs to which step, at which commit, and the audits that are done

A race whose configuration has changed since is raced anew. A contender that failed is tried once more, and stays as failed.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from catalyst_core.bench.ledger import audited
from catalyst_core.bench.ledger.done import Done, now
from catalyst_core.bench.ledger.machine import has_accelerator, machine
from catalyst_core.bench.ledger.plan import Step, main_steps, study_steps, sweep_step
from catalyst_core.bench.ledger.rows import curves_of, rows_of
from catalyst_core.bench.ledger.suites import TIMED, Suite, Task
from catalyst_core.bench.ledger.summary import picks
from catalyst_core.engine import launcher
from catalyst_core.errors import DataError, NotFoundError
from catalyst_core.export.repeat import versions
from catalyst_core.finite import finite
from catalyst_core.store import RaceInfo, Store, open_store

LOOK_SECONDS = 1.0
CURVED = 0.7  # the ratio whose curves along training are kept
Tell = Callable[[str], None]
Look = Callable[[RaceInfo], None]


class Bench:
    """One suite in one folder."""

    def __init__(self, name: str, suite: Suite, out: Path, tell: Tell = print, look: Look = lambda race: None) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.name, self.suite, self.out, self.tell, self.look = name, suite, out, tell, look
        self.store: Store = open_store(str(out / "races.db"))
        self.done = Done.at(out / "done.json")
        self.commit = versions()["commit"]
        self.rows: list[dict[str, Any]] = []
        self.curves: list[dict[str, Any]] = []
        self.not_run: list[dict[str, str]] = []

    def run(self) -> dict[str, Any]:
        """Race what is missing; the whole ledger. Interrupted, it can be called again."""
        if has_accelerator():
            os.environ.setdefault("CATALYST_DEVICE", "cuda")
        able = {task.name for task in self.suite.tasks if self._is_able(task)}
        chosen = {task.name: self._sweep(task) for task in self.suite.tasks if task.name in able}
        for heat in self.suite.heats:
            if heat.task in able:
                for step in main_steps(self.suite, heat, chosen[heat.task]):
                    self._raced(step)
        for step in self._studies(able):
            self._raced(step)
        for audit in self.suite.audits:
            if audit.task in able:
                audited.conduct(self.suite, audit, self.done, self.store.files, self.tell)
        for task in self.suite.timed:
            if task in able and task not in self.done.timings:
                self._time(self.suite.task(task))
        return self.ledger()

    def so_far(self) -> dict[str, Any]:
        """The ledger of what has been run, without running anything; what is missing stands in `not_run`."""
        for task in self.suite.tasks:
            sweep = sweep_step(self.suite, task)
            chosen = {} if sweep is None else picks(self._seen(sweep))
            for heat in self.suite.heats:
                for step in main_steps(self.suite, heat, chosen) if heat.task == task.name else ():
                    self._seen(step)
        for step in study_steps(self.suite):
            self._seen(step)
        for audit in self.suite.audits:
            for name in audited.names(self.suite, audit):
                if name not in self.done.audits:
                    self._miss(audit.task, f"Rescale audit of {name}", "not run yet")
        for task in self.suite.timed:
            if task not in self.done.timings:
                self._miss(task, f"{self.suite.task(task).title}: seconds of a training step", "not run yet")
        return self.ledger()

    def ledger(self) -> dict[str, Any]:
        """Everything so far, as plain data."""
        return finite(
            {
                "suite": self.name,
                "title": self.suite.title,
                "started": self.done.started,
                "written": now(),
                "machine": machine(),
                "versions": versions(),
                "seeds": list(self.suite.seeds),
                "sweep": {"seed": self.suite.sweep.seed, "ratio": self.suite.sweep.ratio},
                "tasks": [asdict(task) for task in self.suite.tasks],
                "studies": [{"name": study.name, "title": study.title, "task": study.task} for study in self.suite.studies],
                "rows": self.rows,
                "audits": [row for rows in self.done.audits.values() for row in rows],
                "timings": [row for rows in self.done.timings.values() for row in rows],
                "curves": self.curves,
                "not_run": self.not_run,
            }
        )

    def _studies(self, able: set[str]) -> Iterator[Step]:
        return (step for step in study_steps(self.suite) if step.task.name in able)

    def _is_able(self, task: Task) -> bool:
        """Whether its images are here, and the accelerator that it needs; else it is noted as not run."""
        try:
            if task.accelerator and not has_accelerator():
                raise DataError("this machine has no accelerator")
            launcher.preflight(self.store, next(main_steps(self.suite, self._heat(task), {})).config)
        except DataError as error:
            self._miss(task.name, task.title, str(error))
            self.tell(f"{task.title}: not run: {error}")
            return False
        except StopIteration:  # nobody races on it: it is for the studies
            return True
        return True

    def _heat(self, task: Task) -> Any:
        return next(heat for heat in self.suite.heats if heat.task == task.name)

    def _time(self, task: Task) -> None:
        from catalyst_core.bench.ledger.timing import step_ratios  # imports torch

        self.done.timings[task.name] = step_ratios(task, TIMED)
        self.done.save()
        self.tell(f"{task.title}: seconds of a training step")

    def _sweep(self, task: Task) -> dict[str, list[float]]:
        step = sweep_step(self.suite, task)
        return {} if step is None else picks(self._raced(step))

    def _raced(self, step: Step) -> list[dict[str, Any]]:
        """The rows of a step, raced now if they are not there yet."""
        race = self._known(step) or self._start(step)
        return self._taken(step, self._wait(race))

    def _taken(self, step: Step, race: RaceInfo) -> list[dict[str, Any]]:
        rows = rows_of(self.store, step, race, self.done.races[step.config.title]["commit"])
        self.rows += rows
        if step.section == "main" and step.ratio == CURVED:
            self.curves += [{"task": step.task.name, **point} for point in curves_of(self.store, race)]
        return rows

    def _seen(self, step: Step) -> list[dict[str, Any]]:
        """The rows of a step that has been raced to its end; else it is noted as missing."""
        race = self._known(step)
        if race is not None and race.is_finished:
            return self._taken(step, race)
        self._miss(step.task.name, step.config.title, "not run yet" if race is None else "not finished yet")
        return []

    def _miss(self, task: str, title: str, reason: str) -> None:
        self.not_run.append({"task": task, "title": title, "reason": reason})

    def _known(self, step: Step) -> RaceInfo | None:
        known = self.done.races.get(step.config.title)
        if known is None:
            return None
        try:
            race = self.store.race(known["race"])
        except NotFoundError:
            return None
        return race if race.config == step.config else None

    def _start(self, step: Step) -> RaceInfo:
        race = self.store.race(launcher.start_race(self.store, step.config))
        self.done.races[step.config.title] = {"race": race.id, "commit": str(self.commit)}
        self.done.save()
        return race

    def _wait(self, race: RaceInfo) -> RaceInfo:
        """Until every contender has ended; what failed or was stopped is tried once more."""
        if any(run.state in ("failed", "stopped") and run.attempt < 2 for run in race.runs):
            launcher.resume_race(self.store, race.id)
        started, again = time.monotonic(), False
        while True:
            launcher.watch(self.store)
            race = self.store.race(race.id)
            self.look(race)
            if race.is_finished and (again or all(run.state == "completed" for run in race.runs)):
                break
            if race.is_finished:
                again = True
                launcher.resume_race(self.store, race.id)
            time.sleep(LOOK_SECONDS if not race.is_finished else 0)
        failed = sum(run.state != "completed" for run in race.runs)
        took = time.monotonic() - started
        self.tell(f"{race.title}: {len(race.runs)} contenders, {took:.0f} s" + (f", {failed} failed" if failed else ""))
        return race
