"""Runs: every race in the store. Search, compare, rename, delete with undo, pack, import; what they take on disk."""

import contextlib
import io
from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from app import access, context, event_files, panels, words
from catalyst_core import packing
from catalyst_core.engine import launcher, room
from catalyst_core.errors import NotFoundError, StoreUnavailableError
from catalyst_core.store import RaceInfo, RaceLine, Store
from catalyst_core.store.races import UNDO_SECONDS

REFRESH_SECONDS = 3.0
UNDO_HELP: dict[str, Any] = {"help": f"Possible for {UNDO_SECONDS / 60:g} minutes; then its files are removed"}
MOST_UNDO = 5  # deleted races that are offered back, the last ones


def matching(lines: list[RaceLine], text: str, states: list[str]) -> list[RaceLine]:
    """The races whose title, id, methods or state hold every word of `text`, in one of `states` if any is given."""
    wanted = text.casefold().split()
    return [line for line in lines if (not states or line.state in states) and _holds(line, wanted)]


def _holds(line: RaceLine, wanted: list[str]) -> bool:
    text = f"{panels.race_text(line)} {line.data} {line.model}".casefold() if wanted else ""
    return all(word in text for word in wanted)


def wanted_ids() -> list[str]:
    """The races that are selected, as the URL says; at first the one looked at last."""
    return [one for one in st.query_params.get("race", context.race_id()).split(",") if one]


def choose(ids: Sequence[str]) -> None:
    """Select these races and no others, here and after a reload."""
    if len(ids) == 1:
        context.select(ids[0])
    st.query_params["race"] = st.session_state["_runs_chosen"] = ",".join(ids)


def take_selection(key: str, ids: Sequence[str]) -> None:
    """What somebody selected in the table with this key, whose rows are these races."""
    choose([ids[row] for row in st.session_state[key]["selection"]["rows"] if row < len(ids)])


def table_key(ids: Sequence[str]) -> str:
    """Another table for other rows, or where the URL selects others: a table keeps places, whatever comes to stand there."""
    now = st.query_params.get("race", context.race_id())
    if st.session_state.get("_runs_chosen") != now:
        st.session_state["_runs_chosen"] = now
        st.session_state["_runs_table"] = st.session_state.get("_runs_table", 0) + 1
    return f"races@{st.session_state.get('_runs_table', 0)}@{hash(tuple(ids))}"


@context.guarded
def table(store: Store, text: str, states: list[str], drawn_for: tuple[object, ...]) -> None:
    """The list itself and the queue, read anew at each tick. Another selection or other races draw the page anew."""
    with contextlib.suppress(StoreUnavailableError):  # a store whose disk is full can still be read
        launcher.watch(store)
    lines, away = context.lines()
    if away:
        st.warning(away)
    if found := matching(lines, text, states):
        ids = [line.id for line in found]
        key = table_key(ids)
        panels.render_races(found, key=key, chosen=wanted_ids(), on_select=partial(take_selection, key, ids))
    else:
        st.info("No race matches this search.")
    if not away and (queued := [run for run in store.live_runs() if run.state == "queued"]):
        panels.render_queue(queued, {line.id: line.title for line in lines})
    if drawn(lines) != drawn_for:
        st.rerun()  # last: the browser drops what a fragment has not drawn by its end


def drawn(lines: list[RaceLine]) -> tuple[object, ...]:
    """What the page around the list depends on."""
    chosen = wanted_ids()
    return chosen, [(line.id, line.title, line.state) for line in lines if line.id in chosen], not lines


@context.changes
def rename(store: Store, race_id: str) -> None:
    """Give the race the title in the text field."""
    store.rename(race_id, st.session_state[f"title_{race_id}"])


@context.changes
def delete(store: Store, ids: Sequence[str]) -> None:
    """Hide these races; they can be brought back for a while."""
    for race_id in ids:
        store.hide_race(race_id)
        context.forget(race_id)
    choose([])


@context.changes
def undo(store: Store, race_id: str) -> None:
    """Bring a deleted race back."""
    store.restore_race(race_id)
    choose([race_id])


@context.changes
def take_in(store: Store, key: str) -> None:
    """Import the file that was uploaded."""
    file = st.session_state[key]
    st.session_state["_uploads"] = st.session_state.get("_uploads", 0) + 1  # the field is empty again, whatever happens
    if file is not None:
        choose([packing.unpack(store, file)])
        st.toast("The race is imported and selected.")


@context.changes
def prioritize(store: Store, race_id: str) -> None:
    """Give the queued contenders of the race the priority in the number field."""
    for run in store.race(race_id).runs:
        if run.state == "queued":
            store.set_priority(run.id, int(st.session_state[f"priority_{race_id}"]))


def packed(store: Store, race_id: str) -> bytes:
    """The race as a file."""
    file = io.BytesIO()
    packing.pack(store, race_id, file)
    return file.getvalue()


def viewer() -> dict[str, Any]:
    """How the widgets look that change something: switched off for whoever may only look."""
    reason = access.why_not()
    return {"disabled": True, "help": reason} if reason else {}


def render_deleted(store: Store, deleted: list[RaceLine]) -> None:
    """The races that can still be brought back."""
    for line in deleted[:MOST_UNDO]:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Deleted **{panels.plain(line.title)}**.", width="content")
            st.button("Undo", on_click=undo, args=(store, line.id), key=f"undo_{line.id}", **UNDO_HELP | viewer())
    if len(deleted) > MOST_UNDO:
        st.caption(f"{len(deleted) - MOST_UNDO} more were deleted a moment ago; they show when the newer ones are undone.")


def one_race(store: Store, race: RaceInfo, *, among_others: bool) -> None:
    """Open, rename, pack, delete or hurry one race."""
    st.subheader(panels.plain(race.title))
    st.markdown(words.state(race))
    if among_others and (note := panels.example_note(race)):
        st.caption(note)
    panels.render_links(race)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.text_input("Title", value=race.title, max_chars=120, key=f"title_{race.id}", **viewer())
    right.button("Rename", on_click=rename, args=(store, race.id), width="stretch", **viewer())
    if queued := [run.priority for run in race.runs if run.state == "queued"]:
        text = "-100 to 100: the larger, the sooner its queued contenders start."
        bounds: dict[str, Any] = {"min_value": -100, "max_value": 100, "value": max(queued), "key": f"priority_{race.id}"}
        bounds |= {"on_change": prioritize, "args": (store, race.id), "help": text} | viewer()
        st.number_input("Priority", width=200, **bounds)
    going: dict[str, Any] = {"disabled": True, "help": "A race that is still going on has to be stopped first."}
    with st.container(horizontal=True):
        st.download_button(
            "Pack into a file",
            data=partial(packed, store, race.id),
            file_name=f"{race.id}{packing.ENDING}",
            mime="application/zip",
            on_click="ignore",
            key=f"pack_{race.id}",
            **({"help": "Its history, ledger and networks, to import elsewhere"} if race.is_finished else going),
        )
        finished = {} if race.is_finished else going
        st.button("Delete", on_click=delete, args=(store, [race.id]), key=f"delete_{race.id}", **viewer() or finished)


def several_races(store: Store, chosen: list[RaceLine]) -> None:
    """Compare or delete several races."""
    st.subheader(f"{len(chosen)} races")
    finished = [line.id for line in chosen if line.is_finished]
    with st.container(horizontal=True, vertical_alignment="center"):
        compared = {"race": ",".join(line.id for line in chosen)}
        st.page_link("../pages/results.py", label="Compare in Results", query_params=compared)
        none = {} if finished else {"disabled": True, "help": "Races that are still going on have to be stopped first."}
        label = f"Delete {len(finished)} finished" if finished else "Delete"
        st.button(label, on_click=delete, args=(store, finished), key="delete_several", **viewer() or none)


def actions(store: Store, chosen: list[RaceLine], *, among_others: bool) -> None:
    """What can be done with the selected races."""
    if not chosen:
        st.caption("Select rows to open, compare, rename, pack or delete them.")
    elif len(chosen) > 1:
        several_races(store, chosen)
    else:
        try:
            one_race(store, store.race(chosen[0].id), among_others=among_others)
        except NotFoundError as error:  # somebody has deleted it since the list was read
            st.info(context.sentence(error))


def render_import(store: Store) -> None:
    """A field for a file that `pack` made."""
    with st.expander("Import a race"):
        key = f"upload@{st.session_state.get('_uploads', 0)}"
        text = "A .race file, which the button Pack into a file and `python -m catalyst_core pack` make"
        more: dict[str, Any] = {"max_upload_size": context.UPLOAD_MB} | viewer()
        st.file_uploader(text, type=packing.ENDING, key=key, on_change=take_in, args=(store, key), **more)


def render_store(store: Store) -> None:
    """Where everything is, and what it takes."""
    sizes = context.sizes()
    taken = f"database {words.size(sizes.database)}, files {words.size(sizes.files)}"
    room_left = f"at most {words.size(room.limit_mib() * room.MIB)} together, {words.size(sizes.free)} free"
    st.caption(f"Store: `{store.name}` · files: `{store.files}` · {taken}; {room_left}")


def render_list(store: Store, lines: list[RaceLine], away: str) -> None:
    """Search, the list, and what can be done with what is selected there."""
    first, second = st.columns([2, 1])
    text = first.text_input("Search", placeholder="title, data set, model, method or id", key="q", bind="query-params")
    names = list(words.STATES)
    states = second.multiselect("State", names, format_func=words.plain_state, key="state", bind="query-params")
    live = away or any(not line.is_finished for line in lines)
    every = REFRESH_SECONDS if live else None
    st.fragment(table, run_every=every)(store, text, states, drawn(lines))
    chosen = wanted_ids()
    actions(store, [line for line in matching(lines, text, states) if line.id in chosen], among_others=len(lines) > 1)


st.title("Runs")
store = context.store()
with contextlib.suppress(StoreUnavailableError):
    store.purge()
lines, away = context.lines()
if not away and (deleted := store.deleted_lines()):
    render_deleted(store, deleted)
if lines:
    if len(lines) == 1 and (note := panels.example_note(lines[0])):
        st.caption(note)
    render_list(store, lines, away)
else:
    st.info("No race has been started yet. Start one on the Race page, or with `python -m catalyst_core race`.")
    st.page_link("../pages/race.py", label="Start a race", query_params={"race": "new"})
render_import(store)
event_files.render()
render_store(store)
