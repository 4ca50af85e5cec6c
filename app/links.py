"""Choices that are part of the address, for widgets whose value there is written in another way than on the page.

A widget cannot be told a new value, so it gets another key, and begins anew, whenever something else than the widget itself
has changed the address: a link, or the back button. Streamlit's own links between pages drop the choices; then the widget
keeps what it has and writes it back.
"""

from typing import Any

import streamlit as st

WHERE = "race"  # an address without it was not made by a page of a race


def arrive() -> None:
    """Call this first on every run: whether the address says anything is not seen any more once a page has written to it."""
    st.session_state["_bare"] = WHERE not in st.query_params


def epoch(name: str) -> int:
    """How often the address has been changed in `name` by something else than `put`."""
    known: dict[str, Any] = st.session_state.setdefault("_links", {})
    value = st.query_params.get(name, "")
    seen, times = known.get(name, (value, 0))
    if value != seen and not st.session_state.get("_bare"):
        known[name] = (value, times + 1)
    else:
        known[name] = (seen, times)
    return known[name][1]


def put(name: str, value: str) -> None:
    """Write a choice into the address; '' takes it out."""
    known: dict[str, Any] = st.session_state.setdefault("_links", {})
    known[name] = (value, known.get(name, ("", 0))[1])
    if st.query_params.get(name, "") == value:
        return
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)
