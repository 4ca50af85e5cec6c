"""What is said of a contender elsewhere, alike for every tool: its settings, its curves, its ledger, what was changed by hand."""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from catalyst_core.events import AUTOMATIC, Evaluated, RolledBack, SettingChanged, StepLogged, value_text
from catalyst_core.store.base import RaceInfo, RunInfo, StoredEvent

LOGGED = {  # number of a StepLogged -> its name elsewhere
    "loss": "train/loss",
    "accuracy": "train/accuracy",
    "learning_rate": "train/learning_rate",
    "penalty": "regularizer/penalty",
    "strength": "regularizer/strength",
    "share_pruned": "regularizer/share_pruned",
}
Setting = bool | int | float | str


class Point(NamedTuple):
    """One number of a curve."""

    name: str
    step: int
    time: float  # seconds since the epoch, when it was stored
    value: float


def settings(run: RunInfo) -> dict[str, Setting]:
    """How the contender was set up, presets filled in; what has no value is left out.

    `strength` is the one in force at the start; the rest is named as in the configuration: 'schedule.sparse_epochs'.
    """
    config = run.config
    said: dict[str, Any] = {"label": run.label, "seed": config.seed, "model": config.model, "dataset": config.data.name}
    said |= {"method": config.method.name, "strength": config.method.effective_strength or None}
    said |= {"pruning_ratio": config.pruning_ratio} if config.macs_ratio is None else {"macs_ratio": config.macs_ratio}
    for part in ("method", "data", "schedule"):
        given = getattr(config, part).model_dump(exclude={"name", "strength"})
        said |= {f"{part}.{name}": value for name, value in given.items()}
    known = {name: value for name, value in said.items() if value is not None and value != ""}
    return {name: value if isinstance(value, bool | int | float) else str(value) for name, value in known.items()}


def points(events: Iterable[StoredEvent]) -> list[Point]:
    """The curves of a run: training numbers and validation accuracy, by name and step; of several at a step the last counts."""
    found: dict[tuple[str, int], Point] = {}
    for stored in events:
        match stored.event:
            case StepLogged() as event:
                numbers = {name: getattr(event, field) for field, name in LOGGED.items()}
            case Evaluated(split="validation") as event:
                numbers = {"validation/accuracy": event.accuracy, "validation/loss": event.loss}
            case _:
                continue
        for name, value in numbers.items():
            found[name, event.step] = Point(name, event.step, stored.time, value)
    return sorted(found.values(), key=lambda point: (point.name, point.step))


def finals(run: RunInfo) -> dict[str, float]:
    """The numbers of the ledger: 'ledger/finetuned_accuracy', 'ledger/validation/dense'; none before the cut."""
    found: dict[str, float] = {}
    for name, value in (run.ledger or {}).items():
        if isinstance(value, dict):
            found |= {f"ledger/{name}/{part}": float(one) for part, one in value.items() if _is_number(one)}
        elif _is_number(value) and name != "seed":
            found[f"ledger/{name}"] = float(value)
    return found


def changes(events: Iterable[StoredEvent]) -> list[tuple[int, float, str]]:
    """Step, time and a sentence of everything that was changed while the run was going."""
    found = []
    for stored in events:
        match stored.event:
            case SettingChanged() as event:
                who = event.who or "somebody"
                said = f"{event.name} from {value_text(event.old)} to {value_text(event.new)}, by {who}"
                found.append((event.step, stored.time, said))
            case RolledBack() as event:
                found.append((event.step, stored.time, f"back from step {event.from_step}, {AUTOMATIC}: {event.reason}"))
    return found


def run_names(race: RaceInfo) -> dict[str, str]:
    """Run id -> 'catalyst seed 0', each once, of characters that a folder's name may have."""
    names = {run.id: re.sub(r"[^\w .@=+()-]", "_", f"{run.label} seed {run.config.seed}") for run in race.runs}
    taken = list(names.values())
    return {run: name if taken.count(name) == 1 else f"{name} ({run})" for run, name in names.items()}


def began(race: RaceInfo, run: RunInfo) -> float:
    """When the run began, else its race, in seconds since the epoch."""
    return _seconds(run.started or race.created)


def ended(race: RaceInfo, run: RunInfo, events: Sequence[StoredEvent]) -> float:
    """When the run ended, else when it said something last, in seconds since the epoch."""
    if run.finished:
        return _seconds(run.finished)
    return events[-1].time if events else began(race, run)


def _seconds(when: datetime) -> float:
    return when.timestamp()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
