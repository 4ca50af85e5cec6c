"""What every page needs: the store, the race in the URL, the view on its events, and the guard against tracebacks."""

import argparse
import gc
import logging
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Literal, ParamSpec

import streamlit as st

from app import access
from catalyst_core import example
from catalyst_core.engine import launcher
from catalyst_core.errors import CatalystError, NotFoundError, StoreUnavailableError, shown
from catalyst_core.frames import RaceView
from catalyst_core.store import RaceInfo, RaceLine, Sizes, Store, open_store
from catalyst_core.store.connect import resolve_url

STYLE = Path(__file__).with_name("style.css")

Theme = Literal["light", "dark"]
P = ParamSpec("P")
AGAIN_SECONDS = 3.0
UPLOAD_MB = 64  # races, zips and event files, while weights of networks may be larger; the command line takes any size
SIZES_SECONDS = 20.0  # that the size of the store is remembered: it means a walk over all files
OLD = "What you see was read before that; it goes on by itself."
_LOG = logging.getLogger("catalyst.app")


@contextmanager
def guard(*, again: bool = False) -> Iterator[None]:
    """Show one sentence instead of a traceback. What nobody foresaw goes to the server's log, with its traceback.

    `again`: draw the page anew, until it can be, while the store is away.
    """
    try:
        yield
    except StoreUnavailableError as error:
        st.error(f"{sentence(error)} This page tries again by itself.")
        if again:
            st.fragment(_draw_anew, run_every=AGAIN_SECONDS)(time.monotonic())
    except CatalystError as error:
        st.error(sentence(error))
    except Exception as error:
        _LOG.exception("A page failed")
        st.error(f"This page met an error of our own ({type(error).__name__}). The server's log has the details; races go on.")


def _draw_anew(drawn: float) -> None:
    """A fragment: at its own ticks, not when the page that it is on is drawn (at `drawn`, on the monotonic clock)."""
    if time.monotonic() - drawn > AGAIN_SECONDS / 2:
        st.rerun()


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """The same around a fragment, which Streamlit runs without the page around it, for whoever may look."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> None:
        with guard():
            access.check_look()
            function(*args, **kwargs)

    return inside


def changes(function: Callable[P, None]) -> Callable[P, None]:
    """Around every function that changes something: it runs for whoever may change things, and for nobody else.

    Callbacks run before the page, and whatever a browser sends them arrives, also from a widget that is switched off.
    The sentence of an error is kept until `say` shows it.
    """

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            access.check_change()
            function(*args, **kwargs)
        except CatalystError as error:
            st.session_state["_said"] = sentence(error)

    return inside


def say() -> None:
    """Show what the last change could not do."""
    if said := st.session_state.pop("_said", ""):
        st.error(said)


def sentence(error: Exception) -> str:
    """The message of an error in one line, with a capital first letter and a full stop, its Markdown marks escaped."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
    return re.sub(r"([\\`*_\[\]<$~]|:(?=\w))", r"\\\1", text)


def store() -> Store:
    """The store of this process: `-- --store URL` on the command line, else $CATALYST_STORE, else Catalyst's home."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--store")
    return _store(resolve_url(parser.parse_known_args(sys.argv[1:])[0].store))


@st.cache_resource(show_spinner=False)
def _store(url: str) -> Store:
    opened = open_store(url)
    try:
        example.adopt(opened)
    except (CatalystError, OSError) as error:  # a disk that is full: everything works without the example
        _LOG.warning("The example race was not taken in: %s", error)
    return opened


@dataclass
class _Watched:
    """A race that sessions of this server look at."""

    view: RaceView
    lock: threading.Lock = field(default_factory=threading.Lock)
    when: float = float("-inf")  # the last look, on the monotonic clock
    said: str = ""  # what kept it from seeing everything


@st.cache_resource(show_spinner=False, max_entries=6)
def _watched(url: str, race_id: str) -> _Watched:
    return _Watched(RaceView(_store(url), race_id))


def view(race_id: str) -> RaceView:
    """Everything the store has on a race by now; only what is new is read."""
    found = _watched(store().url, race_id).view
    found.refresh()
    return found


def latest(race_id: str, *, within: float = 0.0) -> tuple[RaceView, str]:
    """The same, with dead workers marked; while the store is away what is known by now, and a sentence about that.

    What any session saw `within` so many seconds is not looked for again: many viewers of a race cost hardly more than one.
    Raises StoreUnavailableError where nothing is known yet, NotFoundError.
    """
    found = _watched(store().url, race_id)
    with found.lock:
        if time.monotonic() - found.when > within:
            found.said = _look(found.view)
            found.when = time.monotonic()
    return found.view, found.said


def _look(view: RaceView) -> str:
    said = ""
    for look in (lambda: launcher.watch(store()), view.refresh):  # a store whose disk is full can still be read
        try:
            look()
        except StoreUnavailableError as error:
            said = f"{sentence(error)} {OLD}"
    return said


def lines() -> tuple[list[RaceLine], str]:
    """All races, newest first; while the store is away those that this session saw last, and a sentence about that."""
    try:
        found = st.session_state["_lines"] = store().race_lines()
    except StoreUnavailableError as error:
        if "_lines" not in st.session_state:
            raise
        return st.session_state["_lines"], f"{sentence(error)} {OLD}"
    return found, ""


def sizes() -> Sizes:
    """What the store takes and what is free; at most some seconds old."""
    return _sizes(store().url)


@st.cache_resource(show_spinner=False, ttl=SIZES_SECONDS, max_entries=6)
def _sizes(url: str) -> Sizes:
    return _store(url).sizes()


@st.cache_resource(show_spinner=False)
def settle() -> None:
    """Once: what a first page has imported stays, so later garbage collections need not look through it."""
    gc.collect()
    gc.freeze()


def race_id() -> str:
    """The race in the URL, of several the first, else the one looked at last, else ''."""
    named = st.query_params.get("race", "")
    return named.partition(",")[0] or named or st.session_state.get("looked_at") or ""


def select(race: str) -> None:
    """Make a race the one that is looked at, here and after a reload."""
    if race != race_id():
        for name in ("step", "methods", "from"):
            st.query_params.pop(name, None)
    st.session_state["looked_at"] = race
    st.session_state.pop("form_open", None)
    st.query_params["race"] = race


def new_race(base: str = "") -> None:
    """Look at the form, filled with the settings of another race if one is named."""
    # Not a link: one from a page to itself does not change the address in the browser.
    st.query_params.from_dict({"race": "new", **({"from": base} if base else {})})


def forget(race: str) -> None:
    """Look at no race any more if it was this one."""
    if race_id() == race:
        st.session_state.pop("looked_at", None)
        st.query_params.pop("race", None)


def chosen_race() -> RaceInfo | None:
    """The race of `race_id()`, else the newest; None in an empty store. Raises NotFoundError for an id that is not there.

    While the store is away the race is the one that was read last. Raises StoreUnavailableError where none was.
    """
    wanted = race_id()
    if not wanted or wanted == "new":
        return store().newest_race()
    try:
        return store().race(wanted)
    except StoreUnavailableError:
        return _watched(store().url, wanted).view.race
    except NotFoundError:
        if st.session_state.pop("looked_at", None) == wanted:
            raise NotFoundError(f"race {shown(wanted)} is not there any more: somebody has deleted it") from None
        raise


def theme() -> Theme:
    """The theme the browser shows."""
    return "dark" if st.context.theme.type == "dark" else "light"


def who() -> str:
    """Who changes something, for the history: the person who signed in, else this browser session."""
    somebody = access.person()
    return (somebody and somebody.name) or st.session_state.setdefault("who", f"dashboard {secrets.token_hex(3)}")
