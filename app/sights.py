"""The bar above the figures of a race: what they show. All of it is part of the address."""

from collections.abc import Iterable
from typing import Any, get_args

import streamlit as st

from app import context, links, panels, steering
from app.gallery import Second, Sight
from catalyst_core.figures.curves import CLOCKS
from catalyst_core.figures.magnitudes import Arrangement
from catalyst_core.frames import RaceView
from catalyst_core.store import RaceInfo

LONGEST_STEP = 12  # digits
LOOKS = 100  # about as often does a run look at its filters: the slider goes from one look to the next


def choose(view: RaceView) -> Sight:
    """What to look at, all of it in the URL: step, contenders, filter groups, and how the figures are arranged."""
    race = view.race
    first, second, third = st.columns([5, 6, 1.6], vertical_alignment="bottom")
    with first:
        step = step_slider(race)
    labels = panels.choose_labels(second, race.labels)
    with third.popover("View", width="stretch"):
        clock = _one_of("Curves over", CLOCKS, key="x")
        arrange = _one_of("Filter magnitudes", get_args(Arrangement), key="histogram")
        other = _one_of("Second figure", get_args(Second), key="second")
        layers = choose_layers(view)
    return Sight(step, clock, other, arrange, tuple(labels), layers, context.theme())


def _one_of(label: str, names: Iterable[Any], *, key: str) -> Any:
    """One of several, the first by default; `key` is its name in the URL, and a shown name its value there."""
    known = list(names)
    return st.segmented_control(label, known, default=known[0], required=True, key=key, bind="query-params") or known[0]


def choose_layers(view: RaceView) -> tuple[str, ...]:
    """The filter groups whose channels are shown; none chosen: all of them."""
    known = list(dict.fromkeys(name for record in view.records.values() if record.groups for name in record.groups.names))
    text = "Magnitudes, margins, bias and phase plane show only these; none chosen: all."
    chosen = st.multiselect("Filter groups", known, placeholder="all of them", help=text, key="layers", bind="query-params")
    return tuple(chosen)


def step_slider(race: RaceInfo) -> int | None:
    """The step that all figures show; at its right end the newest one."""
    total = steering.total_steps(race)
    wanted = st.query_params.get("step", "")
    key = f"step@{race.id}@{total}@{links.epoch('step')}"
    step = st.slider(
        "Step shown by all figures (right end: live)",
        help="Live: the newest measurement; of a contender that was cut, the moment of its cut.",
        min_value=0,
        max_value=max(total, 1),
        step=max(1, total // LOOKS),
        value=min(int(wanted), total) if wanted.isdecimal() and len(wanted) <= LONGEST_STEP and total else max(total, 1),
        disabled=not total,
        key=key,
        persist_state="session",
    )
    live_ = step >= total
    links.put("step", "" if live_ else str(step))
    return None if live_ else step
