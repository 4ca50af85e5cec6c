"""A toast for whoever saw a race going, once it has ended, on whatever page they are then."""

import streamlit as st

from app import panels, words
from catalyst_core.errors import NotFoundError, StoreUnavailableError
from catalyst_core.store import RaceInfo, Store


def saw(race: RaceInfo) -> None:
    """This session looks at a race."""
    if not race.is_finished:
        st.session_state.setdefault("_going", set()).add(race.id)


def toasts(store: Store) -> None:
    """Tell of the races that this session saw going and that have ended since."""
    going: set[str] = st.session_state.get("_going", set())
    for race_id in sorted(going):
        try:
            race = store.race(race_id)
        except StoreUnavailableError:
            return
        except NotFoundError:
            going.discard(race_id)
            continue
        if race.is_finished:
            going.discard(race_id)
            st.toast(f"**{panels.plain(race.title)}** has ended: {words.tally(race)}.", icon=":material/flag:")
