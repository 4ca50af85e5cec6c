"""Sliders and options that act on a running race.

A slider is never told what it already sent: only a change by somebody else makes a new one, with the new value. Assigning
a slider's value on every run would swallow what is typed while the change is on its way.
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from app import access, context, forms
from catalyst_core.catalog import METHODS
from catalyst_core.changes import OF_THE_LOOP, WORDS
from catalyst_core.engine import launcher
from catalyst_core.events import AUTOMATIC, Command, SettingChanged, SettingName, Value
from catalyst_core.figures import style
from catalyst_core.frames import RaceView
from catalyst_core.store import RaceInfo, RunInfo, Store

BEFORE_CUT = ("", "dense", "sparse")
PER_DECADE = 20
RATES = (1e-4, 1.0)  # of the learning-rate slider
IN_A_ROW = 6
TITLES: dict[SettingName, dict[str, str]] = {"solver": forms.SOLVERS, "schedule": forms.RAMPS}
HELP: dict[SettingName, str] = {
    "strength": "Lambda; for Catalyst a factor on its ramp. It acts on running contenders within a second, until they are cut.",
    "pruning_ratio": "Share of the channels of every group. It acts on all contenders that are not cut yet.",
    "macs_ratio": "Share of the network's multiply-accumulates. It acts on all contenders that are not cut yet.",
    "learning_rate": "Peak of the schedule, of all contenders; how far they are in its cosine stays. It acts within a second.",
    "solver": "Exact zeros by proximal steps, or the penalty added to the loss.",
    "schedule": "Strength that grows over the sparse stage, or one strength.",
}


@dataclass(frozen=True)
class Setting:
    """One thing that can be changed while a race is going."""

    name: SettingName
    label: str | None  # of the contenders it belongs to; None: all of them
    start: Value


def settings(race: RaceInfo) -> list[Setting]:
    """The strengths of the contenders that have one, the budget and the learning rate."""
    config = race.config
    found = [Setting("strength", run.label, run.config.method.effective_strength) for run in _regularized(race)]
    if any(run.config.method.start_ratio is None for run in race.runs):
        name: SettingName = "pruning_ratio" if config.macs_ratio is None else "macs_ratio"
        found.append(Setting(name, None, config.macs_ratio or config.pruning_ratio))
    rate = Setting("learning_rate", None, config.schedule.learning_rate)
    return [one for one in (*found, rate) if _can_be_told(race, one.name)]


def options(race: RaceInfo) -> list[Setting]:
    """The settings that have words, of every contender that they have an effect on."""
    found: list[Setting] = []
    for run in _regularized(race):
        method = run.config.method
        if not METHODS[method.name].is_peer and _can_be_told(race, "solver"):
            found.append(Setting("solver", run.label, method.solver))
        if method.name == "catalyst" and method.start_ratio is None and _can_be_told(race, "schedule"):
            found.append(Setting("schedule", run.label, method.schedule))
    return found


def _can_be_told(race: RaceInfo, name: SettingName) -> bool:
    """A loop that is only watched does not take everything."""
    return not (race.config.data.is_own and name in OF_THE_LOOP)


def _regularized(race: RaceInfo) -> list[RunInfo]:
    """The first run of every label whose method has a strength."""
    first = {run.label: run for run in reversed(race.runs)}
    return [first[label] for label in race.labels if METHODS[first[label].config.method.name].strength is not None]


def can_change(runs: Sequence[RunInfo], setting: Setting) -> bool:
    """Whether a change still has an effect: some contender has not been cut yet, or for the learning rate, not ended."""
    return any(
        not run.is_finished
        and (run.stage in BEFORE_CUT or setting.name == "learning_rate")
        and setting.label in (None, run.label)
        and run.state != "stopping"
        for run in runs
    )


def by_others(view: RaceView, setting: Setting, me: str) -> tuple[int, Value]:
    """How often somebody else, or oneself in another tab, changed this setting, and the value it was given last by anybody."""
    sent = st.session_state.get("_sent", set())
    changes = [
        (time, event)
        for record in view.records.values()
        if _follows(view.race, setting, record.info)
        for time, event in record.changed
        if isinstance(event, SettingChanged) and event.name == setting.name
        if setting.label is not None or event.who != AUTOMATIC
    ]
    newest = sorted(changes, key=lambda change: change[0])[-1][1].new if changes else setting.start  # of equal times the last
    return sum(event.who != me or (setting, event.new) not in sent for _, event in changes), newest


def _follows(race: RaceInfo, setting: Setting, run: RunInfo) -> bool:
    """Whether the widget shows what this contender was given. One for all follows forks only where nothing else is left."""
    if setting.label is not None:
        return setting.label == run.label
    return run.parent is None or all(one.is_finished for one in race.runs if one.parent is None)


def signature(view: RaceView, me: str) -> tuple[object, ...]:
    """What the page around the live part depends on; when it changes the page is drawn anew."""
    race = view.race
    changeable = [(can_change(race.runs, setting), by_others(view, setting, me)[0]) for setting in settings(race) + options(race)]
    told = [(len(one.changed), len(one.kept), len(one.failed)) for one in view.records.values()]
    return tuple(changeable), tuple((run.state, run.attempt) for run in race.runs), tuple(told), total_steps(race)


def total_steps(race: RaceInfo) -> int:
    """Of the contender that has the most."""
    return max(run.total_steps for run in race.runs)


def ladder(limits: tuple[float, float], value: float) -> list[float]:
    """Numbers in even ratios from limit to limit, with `value` among them."""
    low, high = limits
    count = round(PER_DECADE * math.log10(high / low))
    rungs = {float(f"{low * (high / low) ** (place / count):.3g}") for place in range(count + 1)}
    return sorted(rungs | {value})


@context.changes
def send(store: Store, race_id: str, setting: Setting, key: str) -> None:
    """Tell the running contenders what the widget was moved to.

    Streamlit begins with the next key press while this one still waits for the store: they have to arrive in their order.
    """
    with st.session_state.setdefault("_sending", threading.Lock()):
        chosen = st.session_state[key]
        value: Value = str(chosen) if setting.name in WORDS else float(chosen)
        st.session_state.setdefault("_sent", set()).add((setting, value))
        launcher.send_race(store, race_id, Command(name=setting.name, value=value, who=context.who()), label=setting.label)


def render_sliders(store: Store, view: RaceView) -> None:
    """One slider a setting, in rows, and the options behind a button at their end."""
    chosen: list[Setting | None] = [*settings(view.race), None]
    many = math.ceil(len(chosen) / math.ceil(len(chosen) / IN_A_ROW))  # in each row, as evenly as it goes
    for start in range(0, len(chosen), many):
        row = chosen[start : start + many]
        for column, setting in zip(st.columns(many, vertical_alignment="bottom"), row, strict=False):
            with column:
                if setting is not None:
                    _widget(store, view, setting)
                elif more := options(view.race):
                    with st.popover("More", help="Solver and schedule", width="stretch"):
                        for option in more:
                            _widget(store, view, option)


def _widget(store: Store, view: RaceView, setting: Setting) -> None:
    count, newest = by_others(view, setting, context.who())
    made = st.session_state.setdefault("_made", {})
    name = f"{setting.name}@{setting.label}@{view.race.id}@{count}"
    value = made.setdefault(name, newest)  # what this widget was made with, as long as it lives
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


def _steps(title: str, limits: tuple[float, float], value: Value, arguments: dict[str, object]) -> None:
    st.select_slider(
        title,
        options=ladder(limits, float(value)),
        value=float(value),
        format_func=lambda number: f"{number:g}",
        **arguments,  # type: ignore[arg-type]
    )


def _strength(setting: Setting, value: Value, arguments: dict[str, object]) -> None:
    assert setting.label is not None
    low, high = METHODS[setting.label.split()[0]].strength_range
    if 0 < float(value) < low or high < float(value):  # a loop of somebody's own, with another optimizer's learning rates
        low, high = float(value) / 10, float(value) * 10
    _steps(f"Strength: {style.title(setting.label)}", (low, high), value, arguments)


def _rate(setting: Setting, value: Value, arguments: dict[str, object]) -> None:
    _steps("Learning rate", RATES, value, arguments)


def _budget(setting: Setting, value: Value, arguments: dict[str, object]) -> None:
    st.slider(
        "Budget: share to prune" if setting.name == "pruning_ratio" else "Budget: share of MACs to remove",
        min_value=0.01,
        max_value=0.99,
        value=round(float(value), 2),
        step=0.01,
        format="percent",
        **arguments,  # type: ignore[arg-type]
    )


def _word(setting: Setting, value: Value, arguments: dict[str, object]) -> None:
    assert setting.label is not None
    words = WORDS[setting.name]
    st.selectbox(
        f"{setting.name.capitalize()}: {style.title(setting.label)}",
        words,
        index=words.index(value),
        format_func=TITLES[setting.name].__getitem__,
        **arguments,  # type: ignore[arg-type]
    )


_KINDS: dict[SettingName, Callable[[Setting, Value, dict[str, object]], None]] = {
    "strength": _strength,
    "pruning_ratio": _budget,
    "macs_ratio": _budget,
    "learning_rate": _rate,
    "solver": _word,
    "schedule": _word,
}
