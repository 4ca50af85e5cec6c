"""Numbers and states as people read them. Plain functions of plain values."""

import math
from datetime import UTC, datetime

from catalyst_core.catalog import MODELS, WATCHED
from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.figures import style
from catalyst_core.figures.words import size as size
from catalyst_core.store import RaceInfo, RunInfo

STATES = {
    "queued": "◌ queued",
    "running": "▶ running",
    "paused": "‖ paused",
    "stopping": "◼ stopping",
    "completed": "✓ finished",
    "stopped": "◼ stopped",
    "failed": "✗ failed",
}
STAGES = {
    "": "starting",
    "dense": "dense training",
    "sparse": "sparse training",
    "prune": "cutting",
    "recalibrate": "recalibrating",
    "finetune": "fine-tuning",
}
WHAT_NOW = {
    "queued": "Every contender waits for its turn; the first of them starts by itself.",
    "running": "It goes on when this page is closed, and is found here again.",
    "paused": "Nothing is lost: Resume goes on from the same step.",
    "stopping": "Contenders in sparse training still settle, cut and write their ledger.",
    "completed": "The ledger and the figures are on the Results page, the small networks to take away on the Lab page.",
    "stopped": "What was measured by then is on the Results page; a stopped contender can go on where it was, uncut.",
    "failed": "The reasons are listed on the Race page; a failed contender can go on where it was.",
}
CANNOT = f"It cannot go on from here: {WATCHED}."
OF_A_WATCHED = WHAT_NOW | {
    "stopping": "Its own training loop was asked to stop, and decides when.",
    "stopped": f"What was measured by then is on the Results page. {CANNOT}",
    "failed": f"The reason is on the Race page. {CANNOT}",
}

WAITING = "Nothing is lost: it goes on from the same step, by itself."


def percent(share: float | None, digits: int = 0) -> str:
    """0.9725 -> '97.2 %'; nothing -> '–'."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.{digits}f} %"


def clock(seconds: float | None) -> str:
    """73.2 -> '1 min 13 s'; nothing -> '–'."""
    if seconds is None or math.isnan(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def age(when: datetime | None, now: datetime | None = None) -> str:
    """How long ago something was, '–' if it never was."""
    return "–" if when is None else clock(((now or datetime.now(UTC)) - when).total_seconds())


def contender(run: RunInfo) -> str:
    """Who a run is, seed included."""
    return f"{style.title(run.label)}, seed {run.config.seed}"


def facts(race: RaceInfo) -> str:
    """What a race is, in one line."""
    config: RaceConfig = race.config
    seeds = f"{len(config.seeds)} seeds"
    if len(config.seeds) < 5:
        seeds = f"seed{'s' * (len(config.seeds) > 1)} " + ", ".join(str(seed) for seed in config.seeds)
    parts = [
        *([WATCHED] if config.data.is_own else [config.data.folder or config.data.name, MODELS[config.model].title]),
        f"{percent(config.pruning_ratio)} of the channels to prune"
        if config.macs_ratio is None
        else f"{percent(config.macs_ratio)} of the MACs to remove",
        seeds,
        f"started {age(race.created)} ago",
        f"race {race.id}",
    ]
    return " · ".join(parts)


def tally(race: RaceInfo) -> str:
    """'5 contenders: 4 finished, 1 failed'."""
    counts = {name: sum(run.state == name for run in race.runs) for name in STATES}
    parts = [f"{count} {plain_state(name)}" for name, count in counts.items() if count]
    many = f"{len(race.runs)} contenders" if len(race.runs) > 1 else "1 contender"
    return f"{many}: {', '.join(parts)}"


def state(race: RaceInfo) -> str:
    """How a race stands, with what can be done about it: two sentences."""
    waits = race.state == "paused" and any(run.note for run in race.runs)
    said = [WAITING if waits else what_now(race.config, race.state)]
    if race.state != "failed" and any(run.state == "failed" for run in race.runs):
        said.append(WHAT_NOW["failed"])
    return f"{tally(race)}. {' '.join(said)}"


def what_now(config: RaceConfig | ContenderConfig, state: str) -> str:
    """What a race or contender in this state does, and what can be done about it."""
    return (OF_A_WATCHED if config.data.is_own else WHAT_NOW)[state]


def plain_state(state: str) -> str:
    """A state as a word without its sign."""
    return STATES[state].split()[1]


def doing(run: RunInfo) -> str:
    """State of one contender, with its place in the queue or its stage."""
    if run.state == "queued":
        place = f", place {run.place}" if run.place else ""
        return STATES["queued"] + place + (f", priority {run.priority}" if run.priority else "")
    return STATES[run.state]
