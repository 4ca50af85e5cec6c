"""What the store was told of a race, as JSON and as lines: its runs, the checkpoints that are kept, the changes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from catalyst_core.cli.report import ledger_rows
from catalyst_core.events import AUTOMATIC, CheckpointKept, RolledBack, SettingChanged, value_text
from catalyst_core.store import RaceInfo, RaceLine, RunInfo, StoredEvent

Kept = Mapping[str, Sequence[CheckpointKept]]  # run id -> oldest first


def line_record(line: RaceLine) -> dict[str, Any]:
    """A race of a list as JSON."""
    return {
        "race": line.id,
        "title": line.title,
        "state": line.state,
        "created": line.created.isoformat(),
        "data": line.data,
        "model": line.model,
        "methods": list(line.methods),
        "contenders": line.contenders,
        "states": dict(line.counts),
        "bytes": line.bytes,
    }


def race_record(race: RaceInfo, now: float, changed: Sequence[StoredEvent], kept: Kept) -> dict[str, Any]:
    """A race as JSON: its runs with their checkpoints and changes, its configuration and ledger. `now`: the store's clock."""
    mine = {run.id: [_change(one) for one in changed if one.run_id == run.id] for run in race.runs}
    return {
        "race": race.id,
        "title": race.title,
        "state": race.state,
        "created": race.created.isoformat(),
        "runs": [_run_record(run, now) | _told(mine[run.id], kept.get(run.id, ())) for run in race.runs],
        "config": race.config.model_dump(mode="json", exclude=race.config.unknown),
        "ledger": ledger_rows(race),
    }


def history_lines(race: RaceInfo, changed: Sequence[StoredEvent], kept: Kept) -> list[str]:
    """A line a change and a line a checkpoint that a fork can begin from, contender by contender."""
    lines = []
    for run in race.runs:
        for change in (_change(one) for one in changed if one.run_id == run.id):
            lines.append(
                f"  {run.id}  step {change['step']}: {change['name']} {value_text(change['from'])} to {value_text(change['to'])}"
                f"{' by ' + change['who'] if change['who'] else ''}, {change['when']}"
            )
        lines += [f"  {run.id}  step {one.step}: checkpoint {one.name} ({one.reason})" for one in kept.get(run.id, ())]
        if hint := _hint(run):
            lines.append(f"  {run.id}  to go on: {hint}")
    return lines


def _told(changes: list[dict[str, Any]], kept: Sequence[CheckpointKept]) -> dict[str, Any]:
    stay = [{"name": one.name, "step": one.step, "stage": one.stage, "reason": one.reason} for one in kept]
    return {"checkpoints": stay, "changes": changes}


def _change(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    when = datetime.fromtimestamp(stored.time, UTC).isoformat(timespec="seconds")
    if isinstance(event, RolledBack):
        told = {"name": "roll-back", "from": event.from_step, "to": event.step, "who": AUTOMATIC, "reason": event.reason}
    else:
        assert isinstance(event, SettingChanged)
        told = {"name": event.name, "from": event.old, "to": event.new, "who": event.who}
    return told | {"when": when, "step": event.step}


def _hint(run: RunInfo) -> str | None:
    """The command that lets a run go on."""
    can_go_on = run.state in ("failed", "stopped") and not run.config.data.is_own
    return f"python -m catalyst_core resume {run.id}" if can_go_on else None


def _run_record(run: RunInfo, now: float) -> dict[str, Any]:
    return {
        "run": run.id,
        "method": run.config.method.name,
        "label": run.label,
        "seed": run.config.seed,
        "parent": run.parent,
        "state": run.state,
        "place": run.place,
        "priority": run.priority,
        "stage": run.stage,
        "step": run.step,
        "total_steps": run.total_steps,
        "accuracy": run.accuracy,
        "share_pruned": run.share_pruned,
        "pid": run.process.pid if run.process else None,
        "host": run.process.host if run.process else None,
        "heartbeat_age": None if run.heartbeat is None else round(max(0.0, now - run.heartbeat.timestamp()), 1),
        "attempt": run.attempt,
        "note": run.note,
        "reason": run.reason,
        "log_tail": run.log_tail,
        "hint": _hint(run),
    }
