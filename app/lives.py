"""What befalls contenders and what can be done about it: waits, failures, changes, checkpoints that a fork can begin from."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import access, context, panels, steering, tables, words
from catalyst_core import frames
from catalyst_core.catalog import METHODS
from catalyst_core.engine import launcher, room
from catalyst_core.events import CheckpointKept
from catalyst_core.frames import RaceView
from catalyst_core.store import RunInfo, Store

BY_ITSELF = "What waits goes on by itself when there is room."
AS_IT_WAS = "as it was"
SHOWN_WHOLE = 3  # failures
SCROLLED = 225  # pixels, of more: the last one in sight is cut, so that it is seen that there are more


@dataclass(frozen=True)
class Kept:
    """A checkpoint that is still there, and whose it is."""

    run: RunInfo
    event: CheckpointKept

    @property
    def text(self) -> str:
        """'Catalyst, seed 0 · step 320 · strength 0.3 to 1'."""
        return f"{words.contender(self.run)} · step {self.event.step} · {self.event.reason}"


def notices(store: Store, view: RaceView, away: str) -> list[str]:
    """Sentences, with Markdown escaped, about what holds a race up; `away`: why the store could not be asked just now."""
    waiting = defaultdict[str, list[str]](list)
    for run in view.race.runs:
        if run.note and not run.is_finished:
            waiting[run.note].append(words.contender(run))
    said = [f"{panels.plain('; '.join(who))}: {panels.plain(note)}. {BY_ITSELF}" for note, who in waiting.items()]
    disk = room.lacking(store.files)
    if disk and not said:
        said = [f"The disk is full: {panels.plain(disk)}. Nothing can start until there is room."]
    return [away] * bool(away) + said + _refusals(view)


def _refusals(view: RaceView) -> list[str]:
    """What a watched loop could not be told, as it said last."""
    told = [one for one in view.records.values() if one.info.config.data.is_own and one.note and not one.info.is_finished]
    return [f"{panels.plain(words.contender(one.info))}: {panels.plain(one.note)}." for one in told]


def render_notices(place: DeltaGenerator, said: list[str]) -> None:
    """The sentences, or nothing, where there is always a place for them."""
    if said:
        place.warning("  \n".join(said))
    else:
        place.empty()


@context.changes
def go_on(store: Store, run_id: str) -> None:
    """Let one failed contender go on where it was."""
    launcher.resume_run(store, run_id)


@context.changes
def all_go_on(store: Store, race_id: str) -> None:
    """Let the failed and stopped contenders go on where they were."""
    launcher.resume_race(store, race_id)


def render_failures(store: Store, view: RaceView) -> None:
    """Why contenders failed, with the last lines of their logs, and a button each; many of them in a box that scrolls.

    What was only watched has no button.
    """
    failed = [run for run in view.race.runs if run.state == "failed"]
    with st.container(height=SCROLLED if len(failed) > SHOWN_WHOLE else "content", border=False):
        for run in failed:
            _failure(store, run)


def _failure(store: Store, run: RunInfo) -> None:
    reason = access.why_not()
    left, right = st.columns([8, 1])
    with left:
        panels.render_failures([run])
    if run.config.data.is_own:
        return
    text = reason or f"From step {run.step} on, as if nothing had happened"
    button: dict[str, Any] = {"disabled": bool(reason), "help": text, "width": "stretch", "key": f"go_on_{run.id}_{run.attempt}"}
    right.button("Go on", on_click=go_on, args=(store, run.id), **button)


def render_history(view: RaceView) -> None:
    """Every change of the running race: what, when, from, to, by whom."""
    changes = frames.changes_frame(view)
    if len(changes):
        with st.expander("What was changed while it ran"):
            st.html(tables.html_table(tables.changes_table(changes)))


def kept(store: Store, view: RaceView) -> list[Kept]:
    """The checkpoints that a fork can begin from, contender by contender, newest first."""
    return [
        Kept(record.info, event)
        for record in view.records.values()
        for event in reversed(record.kept.values())
        if launcher.checkpoint_file(store, record.info.id, event.name).is_file()
    ]


@context.changes
def fork(store: Store, chosen: Kept, name: str, settings: Mapping[str, float | None]) -> None:
    """Start a new contender from a checkpoint. Not a callback, as `start` on the Race page."""
    given = {setting: value for setting, value in settings.items() if value is not None}
    launcher.fork(store, chosen.run.id, chosen.event.name, name.strip(), given, who=context.who())
    st.rerun()


def render_forks(store: Store, view: RaceView) -> None:
    """The kept checkpoints, and what is to be different from there on."""
    found = kept(store, view)
    if not found:
        return
    number = 1 + sum(run.parent is not None for run in view.race.runs)
    with st.expander("Fork from a kept checkpoint"):
        st.caption("A fork is a new contender of this race: it has the past of its origin and goes on from there in its own way.")
        first, second, *fields = st.columns([4, 2, 1.5, 1.5, 1.5, 1.6], vertical_alignment="bottom")
        texts = [one.text for one in found]
        place = first.selectbox("Checkpoint", range(len(found)), format_func=texts.__getitem__, key=f"fork_of_{view.race.id}")
        chosen = found[place or 0]
        name = second.text_input("Name", value=f"fork {number}", max_chars=40, key=f"fork_name_{view.race.id}_{number}")
        values = _fields(fields, chosen, f"{view.race.id}_{number}_{chosen.run.id}")
        reason = access.why_not()
        arguments: dict[str, Any] = {"disabled": bool(reason), "help": reason or None, "key": f"fork_{view.race.id}"}
        if fields[-1].button("Fork from here", type="primary", width="stretch", **arguments):
            fork(store, chosen, name, values)
            context.say()


def _fields(columns: list[DeltaGenerator], chosen: Kept, key: str) -> dict[str, float | None]:
    """The settings that a fork may begin with, each left as it was unless something is typed."""
    method, race_wide = chosen.run.config.method, chosen.run.config.macs_ratio
    uncut = chosen.event.stage in steering.BEFORE_CUT
    budget = "pruning_ratio" if race_wide is None else "macs_ratio"
    wanted = {
        "strength": ("Strength", 1e4, uncut and METHODS[method.name].strength is not None),
        "learning_rate": ("Learning rate", 10.0, True),
        budget: ("Budget, 0 to 1", 1.0, uncut and method.start_ratio is None),
    }
    return {
        name: column.number_input(
            title, 0.0, most, None, format="%g", placeholder=AS_IT_WAS, disabled=not has_effect, key=f"fork_{name}_{key}"
        )
        for column, (name, (title, most, has_effect)) in zip(columns, wanted.items(), strict=False)
    }
