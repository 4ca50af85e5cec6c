"""Rows to records, and events to the columns of their run: pure functions below `sql`."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from catalyst_core.config import ContenderConfig
from catalyst_core.events import Evaluated, Event, Failed, Finished, StageStarted, StateChanged, StepLogged
from catalyst_core.store.base import Process, RunInfo


def utc(seconds: float | None) -> datetime | None:
    """Seconds since the epoch as an aware time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def run_info(row: Row[Any], place: int | None) -> RunInfo:
    """One row of `runs` as the record that callers see."""
    return RunInfo(
        id=row.id,
        race_id=row.race_id,
        position=row.position,
        config=ContenderConfig.model_validate_json(row.config),
        state=row.state,
        queued=row.queued,
        place=place,
        attempt=row.attempt,
        stage=row.stage,
        step=row.step,
        total_steps=row.total_steps,
        seconds=row.seconds,
        accuracy=row.accuracy,
        share_pruned=row.share_pruned,
        process=None if row.pid is None else Process(row.pid, row.process_created, row.host),
        heartbeat=utc(row.heartbeat),
        started=utc(row.started),
        finished=utc(row.finished),
        reason=row.reason,
        log_tail=row.log_tail,
        ledger=None if row.ledger is None else json.loads(row.ledger),
    )


FRESH = {  # a run's columns at the start of an attempt
    "stage": "",
    "step": 0,
    "total_steps": 0,
    "seconds": 0.0,
    "accuracy": None,
    "share_pruned": None,
    "pid": None,
    "process_created": None,
    "host": None,
    "heartbeat": None,
    "started": None,
    "finished": None,
    "reason": "",
    "log_tail": "",
    "ledger": None,
}


def columns_after(events: Iterable[Event], now: float) -> dict[str, Any]:
    """What these events change in the row of their run."""
    columns: dict[str, Any] = {}
    for event in events:
        columns["step"] = event.step
        match event:
            case StageStarted():
                columns |= {"stage": event.stage, "total_steps": event.total_steps}
            case StepLogged():
                columns |= {"seconds": event.seconds, "share_pruned": event.share_pruned}
            case Evaluated(split="validation"):
                columns["accuracy"] = event.accuracy
            case StateChanged():
                columns["state"] = event.state
            case Finished():
                ledger = json.dumps(event.ledger) if event.ledger else None
                columns |= {"state": "stopped" if event.stopped else "completed", "finished": now, "ledger": ledger}
            case Failed():
                columns |= {"state": "failed", "finished": now, "reason": event.reason, "log_tail": event.log_tail}
    return columns
