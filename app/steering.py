"""Strength and budget sliders that act on a running race.

A slider is never told what it already sent: only a change by somebody else makes a new one, with the new value. Assigning
a slider's value on every run would swallow what is typed while the change is on its way.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from app import access, context
from catalyst_core.catalog import METHODS
from catalyst_core.engine import launcher
from catalyst_core.events import Command, CommandName
from catalyst_core.figures import style
from catalyst_core.frames import RaceView
from catalyst_core.store import RunInfo, Store

BEFORE_CUT = ("", "dense", "sparse")
PER_DECADE = 20
IN_A_ROW = 6
HELP: dict[CommandName, str] = {
    "strength": "Lambda; for Catalyst a factor on its ramp. It acts on running contenders within a second, until they are cut.",
    "pruning_ratio": "Share of the channels of every group. It acts on all contenders that are not cut yet.",
}


@dataclass(frozen=True)
class Setting:
    """One thing that can be changed while a race is going."""

    name: CommandName
    label: str | None  # of the contenders it belongs to; None: all of them
    start: float


def settings(view: RaceView) -> list[Setting]:
    """The strengths of the contenders that have one, then the budget."""
    config = view.race.config
    found = [
        Setting("strength", method.label, method.effective_strength)
        for method in config.methods
        if METHODS[method.name].strength is not None
    ]
    # A budget in MACs holds for the whole race.
    return found if config.macs_ratio is not None else [*found, Setting("pruning_ratio", None, config.pruning_ratio)]


def can_change(runs: Sequence[RunInfo], setting: Setting) -> bool:
    """Whether a change still has an effect: some contender has not been cut yet."""
    return any(
        not run.is_finished and run.stage in BEFORE_CUT and setting.label in (None, run.label) and run.state != "stopping"
        for run in runs
    )


def by_others(view: RaceView, setting: Setting, me: str) -> tuple[int, float]:
    """How often somebody else, or oneself in another tab, changed this setting, and the value it was given last by anybody."""
    sent = st.session_state.get("_sent", set())
    changes = [
        (time, event)
        for record in view.records.values()
        if setting.label in (None, record.info.label)
        for time, event in record.changed
        if event.name == setting.name
    ]
    newest = max(changes, key=lambda change: change[0])[1].new if changes else setting.start
    return sum(event.who != me or (setting, event.new) not in sent for _, event in changes), newest


def signature(view: RaceView, me: str) -> tuple[object, ...]:
    """What the page around the live part depends on; when it changes the page is drawn anew."""
    runs = view.race.runs
    changeable = [(can_change(runs, setting), by_others(view, setting, me)[0]) for setting in settings(view)]
    return tuple(changeable), tuple((run.state, run.attempt) for run in runs), max(run.total_steps for run in runs)


def ladder(limits: tuple[float, float], value: float) -> list[float]:
    """Strengths in even ratios from limit to limit, with `value` among them."""
    low, high = limits
    count = round(PER_DECADE * math.log10(high / low))
    rungs = {float(f"{low * (high / low) ** (place / count):.3g}") for place in range(count + 1)}
    return sorted(rungs | {value})


@context.changes
def send(store: Store, race_id: str, setting: Setting, key: str) -> None:
    """Tell the running contenders what the slider was moved to."""
    value = float(st.session_state[key])
    st.session_state.setdefault("_sent", set()).add((setting, value))
    command = Command(name=setting.name, value=value, who=context.who())
    launcher.send_race(store, race_id, command, label=setting.label)


def render_sliders(store: Store, view: RaceView) -> None:
    """One slider a setting, in rows."""
    chosen = settings(view)
    for start in range(0, len(chosen), IN_A_ROW):
        row = chosen[start : start + IN_A_ROW]
        for column, setting in zip(st.columns(min(len(chosen), IN_A_ROW)), row, strict=False):
            with column:
                _slider(store, view, setting)


def _slider(store: Store, view: RaceView, setting: Setting) -> None:
    attempts = sum(run.attempt for run in view.race.runs)
    count, newest = by_others(view, setting, context.who())
    made = st.session_state.setdefault("_made", {})
    name = f"{setting.name}@{setting.label}@{view.race.id}@{attempts}@{count}"
    value = made.setdefault(name, newest)  # what this slider was made with, as long as it lives
    reason = access.why_not()
    arguments = {
        "key": name,
        "disabled": bool(reason) or not can_change(view.race.runs, setting),
        "help": reason or HELP[setting.name],
        "on_change": send,
        "args": (store, view.race.id, setting, name),
        "persist_state": "session",
    }
    _KINDS[setting.name](setting, value, arguments)


def _strength(setting: Setting, value: float, arguments: dict[str, object]) -> None:
    assert setting.label is not None
    st.select_slider(
        f"Strength: {style.title(setting.label)}",
        options=ladder(METHODS[setting.label.split()[0]].strength_range, value),
        value=value,
        format_func=lambda strength: f"{strength:g}",
        **arguments,  # type: ignore[arg-type]
    )


def _budget(setting: Setting, value: float, arguments: dict[str, object]) -> None:
    st.slider(
        "Budget: share to prune",
        min_value=0.01,
        max_value=0.99,
        value=round(value, 2),
        step=0.01,
        format="percent",
        **arguments,  # type: ignore[arg-type]
    )


_KINDS: dict[CommandName, Callable[[Setting, float, dict[str, object]], None]] = {
    "strength": _strength,
    "pruning_ratio": _budget,
}
