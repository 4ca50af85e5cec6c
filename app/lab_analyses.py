"""The Lab's analyses in processes of their own: what one click does and how long it takes, progress, failures, results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import access, context, live, panels, tables, words
from catalyst_core import figures, frames
from catalyst_core.engine import analysis
from catalyst_core.engine.analysis import Analysis, Kind
from catalyst_core.store import RunInfo, Store

TICK_SECONDS = 1.0


@dataclass(frozen=True)
class Offer:
    """What is said about an analysis before it is started."""

    button: str
    text: str


BUDGETS = Offer(
    "Measure on validation images",
    "Removes filters from the network in front of the cut for a dozen budgets around the run's own, and judges each network on "
    "the validation images, never on the test images. In the background; the run stays as it is.",
)
RESCALE = Offer(
    "Run the audit",
    "Multiplies filters by random factors and what reads them by the inverse, which leaves the function alone, and trains again "
    "from the same dense network on the same batches. A method that does not see the scale keeps the same filters.",
)
FILES = Offer(
    "Make the files",
    "A zip with its weights, a JSON of widths and 60 lines of Python that rebuild it with PyTorch alone, ONNX, a torch.export "
    "program and a model card. Every file is compared with the network on test images, and timed beside the network before the "
    "cut. In the background, about a minute.",
)
OFFERS: dict[Kind, Offer] = {"budgets": BUDGETS, "rescale": RESCALE, **dict.fromkeys(analysis.ROUNDED, FILES)}


@context.changes
def begin(store: Store, run_id: str, kind: Kind) -> None:
    """Start it, unless somebody has."""
    analysis.start(store, store.run(run_id), kind)


@context.changes
def end(store: Store, run_id: str, kind: Kind) -> None:
    """Give it up."""
    analysis.stop(store, store.run(run_id), kind)


def standing(store: Store, run: RunInfo) -> dict[Kind, Analysis]:
    """How the analyses of a run stand."""
    return {kind: analysis.look(store, run, kind) for kind in OFFERS}


def sparse_seconds(view: frames.RaceView, run: RunInfo) -> float:
    """Training seconds of the run's sparse stage so far; 0 without one."""
    record = view.records[run.id]
    seconds = {"dense": [0.0], "sparse": [0.0]}
    for numbers, stage in zip(record.logged, record.logged_stages, strict=True):
        seconds.setdefault(stage, []).append(numbers[2])
    return max(0.0, seconds["sparse"][-1] - seconds["dense"][-1])


def duration(view: frames.RaceView, run: RunInfo) -> str:
    """How long the rescale audit takes, in one sentence."""
    many, seconds = analysis.RESCALE_STAGES, sparse_seconds(view, run)
    if not seconds:
        return f"It takes {many} cuts of the dense network: some seconds."
    changed = any(stored.kind == "setting" for _, stored in view.records[run.id].changed)
    live_changes = " It trains with the settings that the run began with, not with those that were changed on the way."
    took = words.clock(many * seconds)
    return f"It takes {many} sparse stages: about {took} of training, from what this run took." + live_changes * changed


def render(store: Store, view: frames.RaceView, run: RunInfo, kind: Kind, now: Analysis, place: DeltaGenerator) -> None:
    """One analysis: what it is, and a button, progress, or why it failed. `place` is where the tick shows progress."""
    offer, reason = OFFERS[kind], analysis.obstacle(store, run, kind)
    if reason and now.state in ("none", "failed"):
        st.info(reason)
        return
    if now.state == "failed":
        st.warning(f"It failed: {panels.plain(now.reason)}")
        with st.expander("The end of its log"):
            st.code(now.log_tail.strip() or "Its log is empty.", language=None)
    if now.state == "running":
        with place:
            show_progress(now)
        _button("Give it up", end, (store, run.id, kind))
        return
    if now.state != "done":
        st.caption(offer.text + (f" {duration(view, run)}" if kind == "rescale" else ""))
    again = "Make them again" if offer is FILES else "Measure again"
    title = {"none": offer.button, "failed": "Try again", "done": again}[now.state]
    _button(title, begin, (store, run.id, kind))


def _button(title: str, act: Any, arguments: tuple[Store, str, Kind]) -> None:
    reason = access.why_not()
    key = f"{act.__name__}_{arguments[2]}_{arguments[1]}"
    st.button(title, on_click=act, args=arguments, disabled=bool(reason), help=reason or None, key=key)


def show_progress(now: Analysis) -> None:
    """A bar, with the steps that are done and the time that is left."""
    if not now.steps:
        st.progress(0.0, text="Starting: its process reads the network and the images.")
        return
    left = "" if now.seconds_left is None else f", about {words.clock(now.seconds_left)} left"
    st.progress(now.done / now.steps, text=f"{now.done} of {now.steps}{left}")


@context.guarded
def tick(store: Store, run: RunInfo, places: Mapping[Kind, DeltaGenerator], drawn_for: tuple[str, ...]) -> None:
    """Progress of what is running; the page is drawn anew when something has ended."""
    now = standing(store, run)
    for kind, one in now.items():
        if one.state == "running" and kind in places:
            with places[kind]:
                show_progress(one)
    if tuple(one.state for one in now.values()) != drawn_for:
        st.rerun()


def measured(store: Store, view: frames.RaceView, run: RunInfo) -> None:
    """Accuracy against MACs as it was measured, with the other contenders of the race that were measured, too."""
    found = {one.id: analysis.look(store, one, "budgets") for one in view.race.runs}
    results = {run_id: one.result for run_id, one in found.items() if one.state == "done" and one.result}
    if run.id not in results:
        return
    if len(results) > 1 and not st.toggle("Beside the others that were measured", True, key="beside", bind="query-params"):
        results = {run.id: results[run.id]}
    frame, theme = frames.budgets_frame(view.race, results), context.theme()
    version = f"{[(one, found[one].began) for one in results]} {theme}"
    sheet = figures.plot_what_if.sheet(frame, theme=theme)
    live.show({"measured": live.as_panel(sheet, figures.caption_what_if(frame), version)}, key="lab_measured")
    with st.expander("The numbers of this contender"):
        st.html(tables.html_table(budgets_table(frame[frame["run"] == run.id])))


def budgets_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One run's `budgets_frame` as text."""
    own = frame["own"].map({True: " (its own)", False: ""})
    return pd.DataFrame(
        {
            "Channels that go": frame["ratio"].map(words.percent) + own,
            "Channels that stay": frame["channels"].astype(str),
            "MACs left": [words.percent(value, 1) for value in frame["macs_share"]],
            "Accuracy after the cut": [words.percent(value, 1) for value in frame["accuracy"]],
            "Recalibrated": [words.percent(value, 1) for value in frame["recalibrated_accuracy"]],
            "Largest change of a logit": [f"{value:.2g}" for value in frame["max_abs_logit_change"]],
        }
    )


def audited(view: frames.RaceView, now: Analysis) -> None:
    """The result of the planted rescale audit."""
    if now.state != "done" or not now.result:
        return
    frame, theme = frames.rescale_frame(now.result["results"], view.labels), context.theme()
    sheet = figures.plot_rescale.sheet(frame, theme=theme)
    live.show({"rescale": live.as_panel(sheet, figures.caption_rescale(frame), f"{now.began} {theme}")}, key="lab_rescale")
    st.markdown(verdict(frame))


def verdict(frame: pd.DataFrame) -> str:
    """What one contender's `rescale_frame` means, in a sentence."""
    if frame["identical"].all():
        return "The same filters stay whatever the scale: its choice does **not depend** on where the magnitude is."
    known = frame.dropna(subset=["correlation", "low", "high"])
    sure = known[np.sign(known["low"]) == np.sign(known["high"])]
    if sure.empty:
        return "No dependence on the scale can be told from chance: the 95 % intervals hold 0."
    side = "larger" if sure["correlation"].mean() > 0 else "smaller"
    return (
        f"Its choice **depends** on the scale: filters that were made {side} stay more often, although the function is the same."
    )
