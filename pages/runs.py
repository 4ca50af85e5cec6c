"""Runs: every race in the store, with its state and what it takes on disk; rename and delete."""

import contextlib
from typing import Any

import streamlit as st

from app import access, context, panels, words
from catalyst_core.engine import launcher, room
from catalyst_core.errors import NotFoundError, StoreUnavailableError
from catalyst_core.store import RaceInfo, RaceLine, Store

REFRESH_SECONDS = 3.0


def matching(lines: list[RaceLine], text: str, states: list[str]) -> list[RaceLine]:
    """The races whose title, id, methods or state hold every word of `text`, in one of `states` if any is given."""
    wanted = text.casefold().split()
    return [line for line in lines if (not states or line.state in states) and _holds(line, wanted)]


def _holds(line: RaceLine, wanted: list[str]) -> bool:
    text = f"{panels.race_text(line)} {line.data} {line.model}".casefold() if wanted else ""
    return all(word in text for word in wanted)


@context.guarded
def table(store: Store, text: str, states: list[str]) -> None:
    """The list itself and the queue, read anew at each tick."""
    with contextlib.suppress(StoreUnavailableError):  # a store whose disk is full can still be read
        launcher.watch(store)
    lines, away = context.lines()
    if away:
        st.warning(away)
    if found := matching(lines, text, states):
        panels.render_races(found)
    else:
        st.info("No race matches this search.")
    if not away and (queued := [run for run in store.live_runs() if run.state == "queued"]):
        panels.render_queue(queued, {line.id: line.title for line in lines})


@context.changes
def rename(store: Store, race_id: str) -> None:
    """Give the race the title in the text field."""
    store.rename(race_id, st.session_state[f"title_{race_id}"])


@context.changes
def delete(store: Store, race_id: str) -> None:
    """Remove the race with its files."""
    store.delete_race(race_id)
    context.forget(race_id)


@context.changes
def prioritize(store: Store, race_id: str) -> None:
    """Give the queued contenders of the race the priority in the number field."""
    for run in store.race(race_id).runs:
        if run.state == "queued":
            store.set_priority(run.id, int(st.session_state[f"priority_{race_id}"]))


def actions(store: Store, race: RaceInfo) -> None:
    """Open, rename, delete or hurry one race."""
    st.markdown(words.state(race))
    panels.render_links(race)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    reason = access.why_not()
    viewer: dict[str, Any] = {"disabled": True, "help": reason} if reason else {}
    left.text_input("Title", value=race.title, max_chars=120, key=f"title_{race.id}", **viewer)
    right.button("Rename", on_click=rename, args=(store, race.id), width="stretch", **viewer)
    if queued := [run.priority for run in race.runs if run.state == "queued"]:
        text = "-100 to 100: the larger, the sooner its queued contenders start."
        bounds: dict[str, Any] = {"min_value": -100, "max_value": 100, "value": max(queued), "key": f"priority_{race.id}"}
        bounds |= {"on_change": prioritize, "args": (store, race.id), "help": text} | viewer
        st.number_input("Priority", width=200, **bounds)
    wait = reason or (None if race.is_finished else "A race that is still going on has to be stopped first.")
    with st.popover("Delete …", disabled=wait is not None, help=wait):
        st.markdown(f"Delete **{panels.plain(race.title)}** with its events and checkpoints? This cannot be undone.")
        st.button("Delete for good", type="primary", on_click=delete, args=(store, race.id))


st.title("Runs")
store = context.store()
lines, away = context.lines()
if not lines:
    st.info("No race has been started yet. Start one on the Race page, or with `python -m catalyst_core race`.")
    st.page_link("../pages/race.py", label="Start a race", query_params={"race": "new"})
else:
    first, second = st.columns([2, 1])
    text = first.text_input(
        "Search", placeholder="title, data set, model, method or id", key="runs_search", persist_state="session"
    )
    states = second.multiselect("State", sorted({line.state for line in lines}), format_func=words.STATES.__getitem__)
    live = away or any(not line.is_finished for line in lines)
    st.fragment(table, run_every=REFRESH_SECONDS if live else None)(store, text, states)
    texts = {line.id: panels.race_text(line) for line in lines}
    known = context.race_id()
    place = list(texts).index(known) if known in texts else 0
    chosen = st.selectbox("Race", list(texts), index=place, format_func=texts.__getitem__, key="runs_race")
    try:
        actions(store, store.race(chosen))
    except NotFoundError as error:  # somebody has deleted it since the list was read
        st.info(context.sentence(error))
sizes = context.sizes()
taken = f"database {words.size(sizes.database)}, files {words.size(sizes.files)}"
room_left = f"at most {words.size(room.limit_mib() * room.MIB)} together, {words.size(sizes.free)} free"
st.caption(f"Store: `{store.name}` · files: `{store.files}` · {taken}; {room_left}")
