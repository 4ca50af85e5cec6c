"""Race: set one up, start it, watch it and steer it while it runs."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import access, context, ends, live, lives, panels, sights, starting, steering, words
from app.gallery import Sight, gallery
from catalyst_core.engine import launcher
from catalyst_core.environment import whole_number
from catalyst_core.errors import NotFoundError
from catalyst_core.events import Command, CommandName, State
from catalyst_core.frames import RaceView
from catalyst_core.store import RaceInfo, Store

TICK_MS, LEAST_TICK_MS, MOST_TICK_MS = 1000, 100, 60_000  # $CATALYST_TICK_MS: between two looks at a running race
FRESH_SECONDS = 0.45  # what any session saw so lately is new enough for a tick
FIRST_TICK_MS = 300  # until there is something to see
BUTTONS: dict[CommandName, set[State]] = {  # what each is for
    "pause": {"running"},
    "resume": {"paused"},
    "stop": {"running", "paused", "queued"},
}
FINISHED_TICK_SECONDS = 5.0
GO_ON_HELP: dict[str, Any] = {"help": "Failed and stopped contenders, each from where it was"}


@dataclass(frozen=True)
class Places:
    """Parts of the page that the live part writes into."""

    lines: DeltaGenerator  # a line a contender
    notices: DeltaGenerator


@context.changes
def command(store: Store, race_id: str, name: CommandName) -> None:
    """Pause, resume or stop every live contender."""
    launcher.send_race(store, race_id, Command(name=name, who=context.who()))


def header(store: Store, race: RaceInfo) -> None:
    """Which race this is, how it stands, and the buttons for all of it."""
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    left.title(panels.plain(race.title))
    states = {run.state for run in race.runs}
    with right.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        reason = access.why_not()
        viewer: dict[str, Any] = {"disabled": True, "help": reason} if reason else {}
        watched = race.config.data.is_own
        for name, wanted in BUTTONS.items():
            if not race.is_finished and (name == "stop" or not watched):
                settings = {"disabled": not wanted & states} | viewer
                st.button(name.capitalize(), on_click=command, args=(store, race.id, name), key=f"race_{name}", **settings)
        if states & {"failed", "stopped"} and not watched:
            st.button("Go on with all", on_click=lives.all_go_on, args=(store, race.id), **GO_ON_HELP | viewer)
        if not watched:
            st.button("Change and race again", on_click=context.new_race, args=(race.id,))
        st.button("New race", on_click=context.new_race)
    st.caption(f"{panels.plain(words.facts(race))}  \n{words.state(race)}")
    if note := panels.example_note(race):
        st.info(note)


@context.guarded
def tick(store: Store, race_id: str, places: Places, sight: Sight, drawn_for: tuple[object, ...]) -> None:
    """The live part: status lines and figures. A change of what the page around it depends on draws the page anew."""
    begun = time.perf_counter()
    view, away = look(race_id)
    lives.render_notices(places.notices, lives.notices(store, view, away))
    places.lines.html(panels.status_table(view.race.runs, datetime.now(UTC), sight.theme))
    for place, row in enumerate(gallery(view, sight)):
        live.show(row, key=f"race_figures_{place}")
    took = 1000 * (time.perf_counter() - begun)
    st.html(f"<span data-testid='tick' data-n='{view.told}' data-state='{view.race.state}' data-ms='{took:.1f}'></span>")
    if steering.signature(view, context.who()) != drawn_for:
        st.rerun()  # last: the browser drops what a fragment has not drawn by its end


@context.guarded
def scrub(store: Store, race_id: str, places: Places, drawn_for: tuple[object, ...]) -> None:
    """A finished race: what to look at and the figures, so that moving a slider draws nothing else anew."""
    sight = sights.choose(look(race_id)[0])
    tick(store, race_id, places, sight, drawn_for)


@context.guarded
def tick_of_a_finished_race(race_id: str, drawn_for: tuple[object, ...]) -> None:
    """Whether somebody lets it go on, forks it or deletes it."""
    view, _ = look(race_id)
    if steering.signature(view, context.who()) != drawn_for:
        st.rerun()


def look(race_id: str) -> tuple[RaceView, str]:
    """What is known of the race by now, as `context.latest`; the page is drawn anew if somebody has deleted it."""
    try:
        return context.latest(race_id, within=FRESH_SECONDS)
    except NotFoundError:
        st.rerun()


def watch(store: Store, race: RaceInfo) -> None:
    """A race that was started: its header, controls and live part."""
    context.select(race.id)
    view, away = context.latest(race.id)
    ends.saw(view.race)
    # Places of their own: what comes and goes above the figures must not move them in the page, or they lose their zoom.
    top, told, failures, lines, sliders, history = (
        st.container(), st.empty(), st.container(), st.empty(), st.container(), st.container(),
    )  # fmt: skip
    lives.render_notices(told, lives.notices(store, view, away))
    lines.html(panels.status_table(view.race.runs, datetime.now(UTC), context.theme()))  # no hole until the first tick
    with top:
        header(store, view.race)
    with failures:
        lives.render_failures(store, view)
    if not view.race.is_finished:
        with sliders:
            steering.render_sliders(store, view)
    with history:
        lives.render_history(view)
        lives.render_forks(store, view)
    places, drawn_for = Places(lines, told), steering.signature(view, context.who())
    if view.race.is_finished and not away:
        st.fragment(scrub)(store, race.id, places, drawn_for)
        st.fragment(tick_of_a_finished_race, run_every=FINISHED_TICK_SECONDS)(race.id, drawn_for)
    else:
        sight = sights.choose(view)
        st.fragment(tick, run_every=tick_seconds(view.race))(store, race.id, places, sight, drawn_for)


def tick_seconds(race: RaceInfo) -> float:
    """From one look at a running race to the next; shorter until there is something to see. Raises ConfigError."""
    usual = whole_number("CATALYST_TICK_MS", LEAST_TICK_MS, MOST_TICK_MS) or TICK_MS
    return (usual if steering.total_steps(race) > 0 else min(usual, FIRST_TICK_MS)) / 1000


def missing(error: NotFoundError) -> None:
    """A race that is not there, or not any more."""
    st.error(context.sentence(error))
    st.page_link("../pages/runs.py", label="All races")
    st.query_params["race"] = "new"  # the form below stays when it is used


store = context.store()
race = None
try:
    race = context.chosen_race()
except NotFoundError as error:
    missing(error)
    race = store.newest_race()
looked_for = context.race_id()
# A form that somebody is filling in stays, also when somebody else starts a race meanwhile.
if race is None or looked_for == "new" or (not looked_for and (race.is_finished or "form_open" in st.session_state)):
    starting.setup(store, race)
else:
    watch(store, race)
