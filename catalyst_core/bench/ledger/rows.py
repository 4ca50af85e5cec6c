"""A row a contender: what `race --json` says of it, whose code it is, and where it belongs in the suite."""

from typing import Any

import pandas as pd

from catalyst_core import frames
from catalyst_core.bench.ledger.plan import SWEEP, Step
from catalyst_core.catalog import METHODS
from catalyst_core.store import RaceInfo, RunInfo, Store


def rows_of(store: Store, step: Step, race: RaceInfo, commit: str | None) -> list[dict[str, Any]]:
    """Every contender's row, failed ones too; then their numbers are missing and `reason` says why."""
    flips = {} if step.section == SWEEP else _flip_points(store, race)
    return [_row(step, race, run, commit) | {"flip_point": flips.get(run.id)} for run in race.runs]


def _row(step: Step, race: RaceInfo, run: RunInfo, commit: str | None) -> dict[str, Any]:
    method = run.config.method
    known = {"method": method.name, "label": method.label, "seed": run.config.seed, "solver": method.solver}
    return {
        **known,
        **(run.ledger or {}),
        "source": METHODS[method.name].source,
        "task": step.task.name,
        "section": step.section,
        "ratio": step.ratio,
        "state": run.state,
        "reason": run.reason,
        "race": race.id,
        "run": run.id,
        "commit": commit,
        "schedule": run.config.schedule.model_dump(include={"dense_epochs", "sparse_epochs", "finetune_epochs"}),
        "settings": method.model_dump(mode="json", exclude_defaults=True),
    }


def _flip_points(store: Store, race: RaceInfo) -> dict[str, float | None]:
    """Run -> the noise that flips 1 % of its decisions; None where there is none."""
    view = frames.RaceView(store, race.id)
    view.refresh()
    filters = frames.filters_frame(view, until_cut=True)
    if filters.empty:
        return {}
    points = frames.flip_frame(filters).drop_duplicates("run").set_index("run")["flip_point"]
    return {str(run): None if pd.isna(point) else float(point) for run, point in points.items()}


def curves_of(store: Store, race: RaceInfo) -> list[dict[str, Any]]:
    """Validation accuracy along training: a row a contender and evaluation, with optimizer steps and training seconds."""
    found = []
    for run in race.runs:
        seconds = 0.0
        for stored in store.events(run.id, kinds=["step", "evaluated"]):
            event = stored.event
            if event.kind == "step":
                seconds = event.seconds
            elif event.split == "validation":
                found.append(
                    {
                        "run": run.id,
                        "label": run.label,
                        "seed": run.config.seed,
                        "stage": event.stage,
                        "step": event.step,
                        "seconds": seconds,
                        "accuracy": event.accuracy,
                    }
                )
    return found
