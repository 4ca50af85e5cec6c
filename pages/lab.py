"""Lab: one contender under the lens: certificate, gap, perturbation, bias, layers, and another budget."""

import pandas as pd
import streamlit as st

from app import context, panels, tables, words
from catalyst_core import figures, frames
from catalyst_core.store import RaceInfo, RaceLine, RunInfo, Store


def choose(store: Store, lines: list[RaceLine]) -> tuple[RaceInfo, RunInfo]:
    """The race and the contender to look at."""
    texts = {line.id: panels.race_text(line) for line in lines}
    known = context.race_id()
    left, right = st.columns([3, 2])
    race_id = left.selectbox(
        "Race",
        list(texts),
        index=list(texts).index(known) if known in texts else 0,
        format_func=texts.__getitem__,
        key=f"lab_race_{known}",
    )
    context.select(race_id)
    race = store.race(race_id)
    names = {run.id: f"{words.contender(run)} ({words.plain_state(run.state)})" for run in race.runs}
    chosen = right.selectbox("Contender", list(names), format_func=names.__getitem__, key=f"lab_run_{race_id}")
    return race, next(run for run in race.runs if run.id == chosen)


def show(store: Store, race: RaceInfo, run: RunInfo) -> None:
    """Everything that is stored about one contender's filters."""
    view = context.view(race.id)
    everything = frames.filters_frame(view, until_cut=True)
    filters = everything[everything["run"] == run.id]
    if run.state in ("failed", "queued", "running", "paused", "stopping"):
        st.info(f"{words.contender(run)}: {words.doing(run)}. {words.WHAT_NOW[run.state]}")
    panels.render_failures([run])
    panels.render_certificate(run, view.records[run.id].pruned)
    if filters.empty:
        st.info(frames.why_empty(view))
        return
    theme = context.theme()
    flips = frames.flip_frame(filters)
    left, right = st.columns(2)
    with left:
        figure = figures.plot_flip_curve(flips, theme=theme)
        panels.render_figure("Perturbation test", figure, figures.caption_flip_curve(flips), key="lab_flips")
    with right:
        figure = figures.plot_margins(filters, theme=theme)
        panels.render_figure("Decision margins", figure, figures.caption_margins(filters), key="lab_margins")
    st.subheader("Layers")
    st.dataframe(tables.layer_table(filters), hide_index=True, key="layers", alt="Filter groups")
    what_if(view, run, filters)
    panels.render_model(store, run)


def what_if(view: frames.RaceView, run: RunInfo, now: pd.DataFrame) -> None:
    """Another budget, on the magnitudes and margins that were stored before the run decided."""
    st.subheader("What if the budget were another one?")
    if run.config.method.name == "random":
        st.markdown("A random cut has no order of channels, so another budget would be another draw.")
        return
    step = panels.last_undecided(view.records[run.id])
    stored = frames.filters_frame(view, step)
    stored = stored[stored["run"] == run.id].assign(kept=now["kept"].to_numpy())
    ratio = st.slider(
        "Pruning ratio", 0.05, 0.95, float(run.config.pruning_ratio), 0.01, format="percent", key=f"what_if_{run.id}"
    )
    table = tables.what_if(stored, ratio)
    stays, both = table["Would stay"].sum(), table["Of these kept by the run"].sum()
    side = "kept by the run" if run.is_finished else "on its kept side now"
    st.markdown(
        f"At {words.percent(ratio)}, {stays} of {table['Channels'].sum()} channels would stay; {both} of them are {side}. "
        f"By the order of the margins stored at step {step}; nothing is trained again."
    )
    st.dataframe(table, hide_index=True, key="what_if", alt="Channels that would stay")


st.title("Lab")
store = context.store()
lines, away = context.lines()
if away:
    st.warning(away)
if lines:
    show(store, *choose(store, lines))
else:
    st.info("There is no race yet, so there is no contender to look at. Start one on the Race page.")
    st.page_link("../pages/race.py", label="Start a race", query_params={"race": "new"})
