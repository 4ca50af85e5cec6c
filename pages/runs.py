"""Runs: every race in the store, with its state and what it takes on disk; rename and delete."""

from typing import Any

import streamlit as st

from app import access, context, panels, words
from catalyst_core.engine import launcher
from catalyst_core.store import RaceInfo, Store

REFRESH_SECONDS = 3.0


def matching(races: list[RaceInfo], text: str, states: list[str]) -> list[RaceInfo]:
    """The races whose title, id, data, model or methods hold every word of `text`, in one of `states` if any is given."""
    wanted = text.casefold().split()
    return [
        race
        for race in races
        if (not states or race.state in states) and all(word in panels.race_text(race).casefold() for word in wanted)
    ]


@context.guarded
def table(store: Store, text: str, states: list[str]) -> None:
    """The list itself, read anew at each tick."""
    launcher.watch(store)
    found = matching(store.races(), text, states)
    if found:
        panels.render_races(store, found)
    else:
        st.info("No race matches this search.")


@context.changes
def rename(store: Store, race_id: str) -> None:
    """Give the race the title in the text field."""
    store.rename(race_id, st.session_state[f"title_{race_id}"])


@context.changes
def delete(store: Store, race_id: str) -> None:
    """Remove the race with its files."""
    store.delete_race(race_id)
    context.forget(race_id)


def actions(store: Store, race: RaceInfo) -> None:
    """Open, rename or delete one race."""
    st.markdown(words.state(race))
    panels.render_links(race)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    reason = access.why_not()
    viewer: dict[str, Any] = {"disabled": True, "help": reason} if reason else {}
    left.text_input("Title", value=race.title, max_chars=120, key=f"title_{race.id}", **viewer)
    right.button("Rename", on_click=rename, args=(store, race.id), width="stretch", **viewer)
    wait = reason or (None if race.is_finished else "A race that is still going on has to be stopped first.")
    with st.popover("Delete …", disabled=wait is not None, help=wait):
        st.markdown(f"Delete **{panels.plain(race.title)}** with its events and checkpoints? This cannot be undone.")
        st.button("Delete for good", type="primary", on_click=delete, args=(store, race.id))


st.title("Runs")
store = context.store()
races = store.races()
if not races:
    st.info("No race has been started yet. Start one on the Race page, or with `python -m catalyst_core race`.")
    st.page_link("../pages/race.py", label="Start a race", query_params={"race": "new"})
else:
    first, second = st.columns([2, 1])
    text = first.text_input(
        "Search", placeholder="title, data set, model, method or id", key="runs_search", persist_state="session"
    )
    states = second.multiselect("State", sorted({race.state for race in races}), format_func=words.STATES.__getitem__)
    live = any(not race.is_finished for race in races)
    st.fragment(table, run_every=REFRESH_SECONDS if live else None)(store, text, states)
    ids = [race.id for race in races]
    known = context.race_id()
    chosen = st.selectbox(
        "Race",
        ids,
        index=ids.index(known) if known in ids else 0,
        format_func=lambda race_id: panels.race_text(races[ids.index(race_id)]),
        key="runs_race",
    )
    actions(store, races[ids.index(chosen)])
st.caption(f"Store: `{store.name}` · files: `{store.files}` · {words.size(store.size_bytes())} on disk")
