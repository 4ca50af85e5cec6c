"""What the runs did over time, a row an event: status, curves, live changes, widths."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from catalyst_core.events import AUTOMATIC, STAGES, RolledBack, SettingChanged, Value
from catalyst_core.frames.columns import categorical, whose
from catalyst_core.frames.view import LOGGED, RaceView, RunRecord

ROLL_BACK = "roll-back"  # name of that kind of change


def status_frame(view: RaceView) -> pd.DataFrame:
    """One row a contender, in the order of the race: what it is doing, how far it is, when it last gave a sign of life."""
    return view.once("status", lambda: pd.DataFrame([_status(record) for record in view.records.values()]))


def _status(record: RunRecord) -> dict[str, Any]:
    run = record.info
    return {
        "run": run.id,
        "label": run.label,
        "method": run.config.method.name,
        "seed": run.config.seed,
        "state": run.state,
        "place": run.place,
        "stage": run.stage,
        "step": run.step,
        "total_steps": run.total_steps,
        "progress": run.progress,
        "seconds": run.seconds,
        "seconds_left": run.seconds_left,
        "accuracy": run.accuracy,
        "share_pruned": run.share_pruned,
        "heartbeat": run.heartbeat,
        "attempt": run.attempt,
        "reason": run.reason,
        "note": run.note or record.note,
    }


def curves_frame(view: RaceView) -> pd.DataFrame:
    """One row a logged step (split 'train') and one a look at the validation images (split 'validation').

    Columns: run, label, method, seed, split, stage, step, epoch, seconds, loss, accuracy (0..1), penalty, strength,
    learning_rate, share_pruned (0..1). Validation rows have no penalty, strength, learning rate or share.
    """
    return view.once("curves", lambda: _curves(view))


def _curves(view: RaceView) -> pd.DataFrame:
    records = list(view.records.values())
    train = [len(record.logged) for record in records]
    held = [len(record.evaluated) for record in records]
    columns = whose(view, records * 2, train + held)
    numbers = [row for record in records for row in record.logged]
    for record in records:
        epochs, seconds = record.clock(np.array([event.step for event in record.evaluated], dtype=float))
        for event, epoch, second in zip(record.evaluated, epochs, seconds, strict=True):
            numbers.append((event.step, epoch, second, event.loss, event.accuracy, *[np.nan] * 4))
    table = np.array(numbers, dtype=float).reshape(-1, len(LOGGED))
    stages = [stage for record in records for stage in record.logged_stages]
    stages += [event.stage for record in records for event in record.evaluated]
    split = np.repeat([0, 1], [sum(train), sum(held)])
    return pd.DataFrame(
        columns
        | {"split": categorical(("train", "validation"), split), "stage": pd.Categorical(stages, categories=STAGES)}
        | {name: table[:, place] for place, name in enumerate(LOGGED)}
    ).astype({"step": int})


def changes_frame(view: RaceView) -> pd.DataFrame:
    """One row a setting that was changed while its run was going, and one a roll-back, in the order of their times.

    Columns: run, label, method, seed, step that it acted at, epoch, seconds, name ('roll-back', or the setting's), old and new
    (numbers, or words for a setting that has words; of a roll-back the steps that it went from and to), who, reason (of a
    roll-back), time (UTC).
    """
    return view.once("changes", lambda: _changes(view))


class _Change(NamedTuple):
    step: int
    name: str
    old: Value
    new: Value
    who: str
    reason: str
    time: float


def _change(time: float, event: SettingChanged | RolledBack) -> _Change:
    if isinstance(event, RolledBack):
        return _Change(event.step, ROLL_BACK, event.from_step, event.step, AUTOMATIC, event.reason, time)
    return _Change(event.step, event.name, event.old, event.new, event.who, "", time)


def _changes(view: RaceView) -> pd.DataFrame:
    records = list(view.records.values())
    rows = [[_change(*told) for told in record.changed] for record in records]
    steps = [np.array([change.step for change in part], dtype=float) for part in rows]
    clocks = [record.clock(mine) for record, mine in zip(records, steps, strict=True)]
    found = pd.DataFrame([change for part in rows for change in part], columns=_Change._fields)
    kinds = {"step": int, "name": "str", "old": object, "new": object, "who": "str", "reason": "str"}
    told = found.astype(kinds).assign(time=pd.to_datetime(found["time"].astype(float), unit="s", utc=True))
    frame = pd.DataFrame(
        whose(view, records, [len(part) for part in rows])
        | {"step": told["step"], "epoch": _joined([epochs for epochs, _ in clocks])}
        | {"seconds": _joined([seconds for _, seconds in clocks])}
        | {name: told[name] for name in ("name", "old", "new", "who", "reason", "time")}
    )
    return frame.sort_values("time", kind="stable", ignore_index=True)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([*parts, np.empty(0)])


def widths_frame(view: RaceView) -> pd.DataFrame:
    """One row a filter group of every run that was cut: channels before and after, in the order of the network."""
    return view.once("widths", lambda: _widths(view))


def _widths(view: RaceView) -> pd.DataFrame:
    records = [record for record in view.records.values() if record.pruned is not None]
    cuts = [(group, *sizes) for record in records if record.pruned for group, sizes in record.pruned.widths.items()]
    groups = [group for group, _, _ in cuts]
    return pd.DataFrame(
        whose(view, records, [len(record.pruned.widths) if record.pruned else 0 for record in records])
        | {
            "group": pd.Categorical(groups, categories=list(dict.fromkeys(groups))),
            "before": np.array([before for _, before, _ in cuts], dtype=int),
            "after": np.array([after for *_, after in cuts], dtype=int),
        }
    )


def why_empty(view: RaceView) -> str:
    """One sentence for a figure that has nothing to show yet: what the contenders are doing instead."""
    states = [run.state for run in view.race.runs]
    failed = next((run for run in view.race.runs if run.state == "failed"), None)
    if failed is not None and all(run.is_finished for run in view.race.runs):
        return f"{failed.label} failed: {failed.reason or 'no reason was recorded'}"
    if all(state == "queued" for state in states):
        return "All contenders are queued."
    if all(run.is_finished for run in view.race.runs):
        return "The race was stopped before this was measured."
    return "Not measured yet."
