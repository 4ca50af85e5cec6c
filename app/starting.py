"""Before a race: the form, and in the middle what a race looks like: the newest one, or the example."""

from typing import Any

import streamlit as st

from app import access, context, forms, live, networks, panels, words
from app.gallery import Sight, gallery
from catalyst_core import figures, frames
from catalyst_core.catalog import WATCHED
from catalyst_core.config import RaceConfig
from catalyst_core.engine import inspector, launcher
from catalyst_core.errors import NotFoundError
from catalyst_core.store import RaceInfo, Store


@context.changes
def start(store: Store, values: dict[str, Any]) -> None:
    """Start the race that the form describes and look at it; bad input is one sentence, and the form stays as it is.

    Not a callback: those get the values that the form had before the last keystroke.
    """
    context.select(launcher.start_race(store, forms.to_config(values), trial=_try_network))
    st.rerun()


def _try_network(config: RaceConfig) -> None:
    with st.spinner("Trying the network on your images"):
        inspector.check(config)


def setup(store: Store, newest: RaceInfo | None) -> None:
    """The form at the left; in the middle what to do, and the newest race if there is one."""
    st.session_state["form_open"] = True
    with st.sidebar:
        st.subheader("New race")
        main, said, button, more = (st.container() for _ in range(4))
        base = base_race(store)
        values = forms.setup_form(main, more, base.config if base else RaceConfig(), base.id if base else "")
        reason = access.why_not()
        if button.button("Start race", type="primary", width="stretch", disabled=bool(reason), help=reason or None):
            with said:  # in sight also where the button is at the lower edge of the screen
                start(store, values)
                context.say()
    st.title("Race pruning methods against each other")
    panels.render_welcome()
    networks.bring(values)
    if reason:
        st.info(reason)
    render_newest(newest)
    if not reason:
        launcher.prewarm()  # last: a worker's imports take a core for seconds


def render_newest(newest: RaceInfo | None) -> None:
    """What there is to see before a race is started: the newest one, its filters as they were when it decided."""
    if newest is None:
        panels.render_first_visit(context.theme())
        return
    note = panels.example_note(newest)
    st.subheader("An example race" if note else "Newest race" if newest.is_finished else "Running now")
    st.markdown(f"**{panels.plain(newest.title)}** · {panels.plain(words.facts(newest))}")
    if note:
        st.info(note)
    panels.render_headlines([newest])
    st.button("Open this race", on_click=context.select, args=(newest.id,))
    if newest.is_finished:
        sight = Sight(None, "step", "margins", "stacked", newest.labels, (), context.theme())
        live.show(gallery(context.view(newest.id), sight)[0], key="newest_filters")
    ledger = frames.ledger_frame(newest)
    sheet, caption = figures.plot_accuracy_macs.sheet(ledger, theme=context.theme()), figures.caption_accuracy_macs(ledger)
    version = repr((newest.id, newest.state, len(ledger.dropna(subset="macs")), context.theme()))
    panel = live.as_panel(sheet, caption, version, span=6, title="Accuracy against MACs")
    live.show({"accuracy_macs": panel}, key="newest")


def base_race(store: Store) -> RaceInfo | None:
    """The race whose settings the form begins with, if the URL names one that was run here."""
    if not (wanted := st.query_params.get("from")):
        return None
    try:
        found = store.race(wanted)
    except NotFoundError as error:
        st.error(context.sentence(error))
        return None
    if found.config.data.is_own:
        st.info(f"The form cannot begin with the settings of {panels.plain(found.title)}: {WATCHED}.")
        return None
    return found
