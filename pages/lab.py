"""Lab: one contender under the lens: certificate, cost, noise, layers, another budget, the scale of its filters, its network."""

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import context, lab, lab_analyses, lab_model, panels, words
from catalyst_core import frames
from catalyst_core.engine.analysis import Analysis, Kind
from catalyst_core.store import RaceInfo, RaceLine, RunInfo, Store

Standing = dict[Kind, Analysis]
Places = dict[Kind, DeltaGenerator]  # where the tick shows progress
MOVING = ("queued", "running", "paused", "stopping", "failed", "stopped")


def other_race(key: str) -> None:
    """A callback: what was chosen goes into the URL before the page is drawn, so that the next choice is not lost."""
    context.select(st.session_state[key])
    st.query_params.pop("run", None)


def other_run(key: str) -> None:
    """The same for the contender."""
    st.query_params["run"] = st.session_state[key]


def _pick(place: DeltaGenerator, label: str, texts: dict[str, str], wanted: str, key: str, act: Callable[[str], None]) -> str:
    """One of `texts` by its key, the wanted one or the first to begin with; `act` is told of another choice."""
    index = list(texts).index(wanted) if wanted in texts else 0
    settings: dict[str, Any] = {"index": index, "format_func": texts.__getitem__, "key": key, "on_change": act, "args": (key,)}
    return place.selectbox(label, list(texts), **settings)


def choose(store: Store, lines: list[RaceLine]) -> tuple[RaceInfo, RunInfo]:
    """The race and the contender to look at, from the URL and into it."""
    texts = {line.id: panels.race_text(line) for line in lines}
    known = context.race_id()
    if known not in ("", "new", *texts):
        st.warning("The race in this link is not there any more; this is the newest one.")
    left, right = st.columns([3, 2])
    race_id = _pick(left, "Race", texts, known, f"lab_race_{known}", other_race)
    context.select(race_id)
    race = store.race(race_id)
    names = {run.id: f"{words.contender(run)} ({words.plain_state(run.state)})" for run in race.runs}
    named = st.query_params.get("run", "")
    wanted = named or st.session_state.get("lab_run", "")  # the address loses it on other pages
    if named and named not in names:
        st.warning("This race has no such contender as the link names; this is its first one.")
    chosen = _pick(right, "Contender", names, wanted, f"lab_run_{race_id}_{wanted}", other_run)
    st.query_params["run"] = st.session_state["lab_run"] = chosen
    return race, next(run for run in race.runs if run.id == chosen)


def show(store: Store, view: frames.RaceView, run: RunInfo) -> None:
    """Everything that is known about one contender."""
    if note := panels.example_note(view.race):
        st.caption(f"{note} It ships without its checkpoints, so what has to be measured anew needs a race of your own.")
    if run.state in MOVING:
        st.info(f"{words.contender(run)}: {words.doing(run)}. {words.what_now(run.config, run.state)}")
    panels.render_failures([run])
    panels.render_certificate(run, view.records[run.id].pruned)
    lab.render_costs(run)
    now, places = lab_analyses.standing(store, run), Places()
    take_away(store, view, run, now, places)
    if lab.decided(view, run).empty:
        st.info(frames.why_empty(view))
    else:
        lab.perturbation(view, run)
        analyses(store, view, run, now, places)
        lab.layers(view, run)
    states = tuple(one.state for one in now.values())
    if "running" in states:
        ticking = st.fragment(lab_analyses.tick, run_every=lab_analyses.TICK_SECONDS)
        ticking(store, run, places, states)


def take_away(store: Store, view: frames.RaceView, run: RunInfo, now: Standing, places: Places) -> None:
    """The small network as files that need nothing of Catalyst."""
    st.subheader("The small network, to take away")
    if run.config.data.is_own:
        st.info(lab_model.WATCHED)
        return
    kind = lab_model.choose()
    lab_model.render_result(store, run, kind, now[kind])
    places[kind] = st.empty()
    lab_analyses.render(store, view, run, kind, now[kind], places[kind])
    lab_model.render_own(store, run)


def analyses(store: Store, view: frames.RaceView, run: RunInfo, now: Standing, places: Places) -> None:
    """Another budget and the planted rescale audit: at once what is stored, and in a process of its own what is not."""
    st.subheader("What if the budget were another one?")
    lab.what_if(view, run)
    st.markdown("**On validation images**")
    lab_analyses.measured(store, view, run)
    places["budgets"] = st.empty()
    lab_analyses.render(store, view, run, "budgets", now["budgets"], places["budgets"])
    st.subheader("Planted rescale audit")
    lab_analyses.audited(view, now["rescale"])
    places["rescale"] = st.empty()
    lab_analyses.render(store, view, run, "rescale", now["rescale"], places["rescale"])


st.title("Lab")
context.say()
store = context.store()
lines, away = context.lines()
if away:
    st.warning(away)
if lines:
    race, run = choose(store, lines)
    view = context.view(race.id)
    show(store, view, view.records[run.id].info)
else:
    st.info("There is no race yet, so there is no contender to look at. Start one on the Race page.")
    st.page_link("../pages/race.py", label="Start a race", query_params={"race": "new"})
