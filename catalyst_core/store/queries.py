"""Rows to records, and events to the columns of their run: pure functions below the parts of the store."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Row

from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.events import Evaluated, Event, Failed, Finished, RolledBack, StageStarted, State, StateChanged, StepLogged
from catalyst_core.store.base import Process, RaceInfo, RaceLine, RunInfo, race_title

T = TypeVar("T")


def chunks(items: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """The items in order, so many at a time: databases limit the parameters of a statement."""
    return (items[start : start + size] for start in range(0, len(items), size))


def utc(seconds: float | None) -> datetime | None:
    """Seconds since the epoch as an aware time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=8192)
def race_config(text: str) -> RaceConfig:
    """A race's configuration from its JSON; read once for equal texts."""
    return RaceConfig.model_validate_json(text)


@lru_cache(maxsize=8192)
def contender_config(text: str) -> ContenderConfig:
    """A run's configuration from its JSON; read once for equal texts."""
    return ContenderConfig.model_validate_json(text)


def run_info(row: Row[Any], place: int | None) -> RunInfo:
    """One row of `runs` as the record that callers see."""
    return RunInfo(
        id=row.id,
        race_id=row.race_id,
        position=row.position,
        config=contender_config(row.config),
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
        process=None if row.pid is None else Process(row.pid, row.process_created, row.host, row.boot or ""),
        heartbeat=utc(row.heartbeat),
        started=utc(row.started),
        finished=utc(row.finished),
        reason=row.reason,
        log_tail=row.log_tail,
        ledger=None if row.ledger is None else json.loads(row.ledger),
        priority=row.priority,
        revision=row.revision,
        assigned=row.assigned,
        parent=row.parent,
        bytes=row.bytes,
        rss=row.rss,
        note=row.note,
    )


def race_info(row: Row[Any], infos: Iterable[RunInfo]) -> RaceInfo:
    """One row of `races` with its runs."""
    runs = tuple(sorted(infos, key=lambda run: run.position))
    return RaceInfo(row.id, race_config(row.config), datetime.fromtimestamp(row.created, UTC), runs)


def race_line(row: Row[Any], counts: Counter[State], size: int) -> RaceLine:
    """One row of `races` with what was counted of its runs; nothing is validated."""
    config = json.loads(row.config)
    return RaceLine(
        id=row.id,
        title=race_title(config),
        data=config["data"]["folder"] or config["data"]["name"],
        model=config["model"],
        methods=tuple(dict.fromkeys(method["name"] for method in config["methods"])),
        created=datetime.fromtimestamp(row.created, UTC),
        counts=counts,
        bytes=size,
        deleted=utc(row.deleted),
    )


AGAIN = {  # a run's columns when it joins the queue once more; how far it came stays
    "state": "queued",
    "pid": None,
    "process_created": None,
    "host": None,
    "boot": None,
    "assigned": None,
    "heartbeat": None,
    "finished": None,
    "reason": "",
    "log_tail": "",
    "ledger": None,
    "rss": 0,
    "note": "",
}


def columns_after(event: Event, now: float) -> dict[str, Any]:
    """What an event changes in the row of its run, apart from the step."""
    match event:
        case StageStarted():
            return {"stage": event.stage, "total_steps": event.total_steps}
        case StepLogged():
            return {"seconds": event.seconds, "share_pruned": event.share_pruned}
        case Evaluated(split="validation"):
            return {"accuracy": event.accuracy}
        case RolledBack():
            return {"stage": event.stage}
        case StateChanged():
            return {"state": event.state}
        case Finished():
            ledger = json.dumps(event.ledger) if event.ledger else None
            return {"state": "stopped" if event.stopped else "completed", "finished": now, "ledger": ledger}
        case Failed():
            return {"state": "failed", "finished": now, "reason": event.reason, "log_tail": event.log_tail}
    return {}
