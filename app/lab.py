"""What the Lab page shows of one contender at once, from what is stored: cost, noise, layers, another budget, the network."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import context, live, panels, tables, words
from catalyst_core import figures, frames
from catalyst_core.store import RunInfo

DRAWS = 200  # of the noise
NO_LIMIT = "A cut that does not go by magnitude has no limit that noise could push a channel across."
NO_ORDER = {
    "random": "A random cut has no order of channels, so nothing can be told from what is stored.",
    "depth": "A depth cut removes whole blocks and has no order of channels, so nothing can be told from what is stored.",
}
LARGEST_NOISE = 0.5  # in medians of the kept magnitudes
KEPT: dict[str, Any] = {"format": "percent", "bind": "query-params", "persist_state": "session"}  # of a slider in the link
COSTS = {"macs": "Multiply-accumulates", "params": "Parameters", "bytes": "File", "latency_ms": "Latency, one image"}


def costs_table(ledger: dict[str, Any]) -> pd.DataFrame:
    """The network before and after the cut: a row a cost, with what is left of it."""
    rows = []
    for name, title in COSTS.items():
        before, after = ledger.get(f"{name}_dense"), ledger.get(name)
        if before and after is not None:
            rows.append((title, tables.amount(name, before), tables.amount(name, after), words.percent(after / before)))
    return pd.DataFrame(rows, columns=["", "Dense", "Pruned", "Left"])


def render_costs(run: RunInfo) -> None:
    """What the cut saves, as it was measured on the machine that the run was on."""
    table = costs_table(run.ledger or {})
    if len(table):
        st.html(tables.html_table(table))


def flips_sentence(critical: np.ndarray, noise: float) -> str:
    """How many decisions flip at `noise` (in medians of the kept magnitudes); `critical` as `frames.critical_noise`."""
    channels, level = len(critical) // DRAWS, f"{100 * noise:g} % noise"
    flipped = int(np.searchsorted(critical, noise, side="left"))
    if not flipped:
        return f"0 of {channels} decisions flipped in {DRAWS} draws at {level}."
    mean = f"{flipped / DRAWS:.2g}" if flipped < 100 * DRAWS else f"{flipped / DRAWS:.0f}"
    return f"{mean} of {channels} decisions flipped in a draw, on the mean of {DRAWS} draws at {level}."


@st.fragment
@context.guarded
def perturbation(view: frames.RaceView, run: RunInfo) -> None:
    """How much noise the decisions bear, beside how far the channels are from the boundary."""
    st.subheader("Perturbation test")
    filters = decided(view, run)
    critical = view.once(("critical", run.id), lambda: frames.critical_noise(filters, draws=DRAWS))
    flips = view.once(("flips", run.id), lambda: frames.flip_frame(filters, draws=DRAWS))
    noise, theme = 0.05, context.theme()
    if len(critical):
        noise = st.slider(
            "Noise, in medians of the kept magnitudes of each group",
            0.0, LARGEST_NOISE, noise, 0.005, key="noise", **KEPT,
        )  # fmt: skip
        st.markdown(flips_sentence(critical, noise))
    curve = figures.plot_flip_curve.sheet(flips, theme=theme, reason=NO_LIMIT)
    if len(critical):
        panel = curve.grid_of[0]
        curve.line(panel, x=(100 * noise, 100 * noise), y=(0, 1), yref=f"{panel.y} domain", color=curve.paper.ink)
    margins = figures.plot_margins.sheet(filters, theme=theme)
    version = f"{run.id} {view.records[run.id].cursor} {theme}"
    caption = figures.caption_flip_curve(flips) if len(critical) else NO_LIMIT
    live.show(
        {
            "flips": live.as_panel(curve, caption, f"{version} {noise}", span=3, title="Decisions under noise"),
            "margins": live.as_panel(margins, figures.caption_margins(filters), version, span=3, title="Decision margins"),
        },
        key="lab_decisions",
    )


@st.fragment
@context.guarded
def layers(view: frames.RaceView, run: RunInfo) -> None:
    """One row a filter group, and what the cut left of each."""
    st.subheader("Layers")
    table = tables.layer_table(decided(view, run))
    wanted = st.text_input("Groups whose name contains", key="group", bind="query-params", placeholder="all").strip().lower()
    found = table[[wanted in str(name).lower() for name in table["Group"]]]
    if found.empty:
        st.info(f"No group's name contains {panels.plain(wanted[:60])}. There are {len(table)} groups.")
        return
    st.dataframe(found, hide_index=True, key="layers", placeholder="–", alt="Filter groups")
    widths = frames.widths_frame(view)
    mine = widths[(widths["run"] == run.id) & widths["group"].isin(found["Group"])]
    if len(mine):
        theme = context.theme()
        sheet = figures.plot_widths.sheet(mine, theme=theme)
        version = f"{run.id} {run.revision} {wanted} {theme}"
        live.show({"widths": live.as_panel(sheet, figures.caption_widths(mine), version)}, key="lab_widths")


@st.fragment
@context.guarded
def what_if(view: frames.RaceView, run: RunInfo) -> None:
    """Another budget at once, on the margins that were stored before the run decided."""
    if sentence := NO_ORDER.get(run.config.method.name):
        st.markdown(sentence)
        return
    step = panels.last_undecided(view.records[run.id])
    stored, curve = view.once(("what if", run.id, step), lambda: _stored(view, run, step))
    own = 1 - float(stored["kept"].mean())
    ratio = st.slider(
        "Share of the channels that go",
        0.05, 0.95, round(min(max(own, 0.05), 0.95), 2), 0.01, key="ratio", **KEPT,
    )  # fmt: skip
    table = tables.what_if(stored, ratio)
    stays, both = table["Would stay"].sum(), table["Of these kept by the run"].sum()
    side = "kept by the run" if run.is_finished else "on its kept side now"
    st.markdown(
        f"At {words.percent(ratio)}, {stays} of {table['Channels'].sum()} channels would stay; {both} of them are {side}. "
        f"By the order of the margins stored at step {step}; nothing is trained again."
    )
    theme = context.theme()
    sheet = figures.plot_ratios.sheet(curve, chosen=ratio, own=own, theme=theme)
    version = f"{run.id} {view.records[run.id].cursor} {ratio} {theme}"
    live.show({"ratios": live.as_panel(sheet, figures.caption_ratios(curve, ratio), version)}, key="lab_ratios")
    st.dataframe(table, hide_index=True, key="what_if", alt="Channels that would stay")


def _stored(view: frames.RaceView, run: RunInfo, step: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    stored = frames.filters_frame(view, step)
    stored = stored[stored["run"] == run.id].assign(kept=decided(view, run)["kept"].to_numpy())
    return stored, frames.whatif_frame(stored)


def decided(view: frames.RaceView, run: RunInfo) -> pd.DataFrame:
    """The run's filters as its cut was made from them, or as they are by now."""
    everything = frames.filters_frame(view, until_cut=True)
    return everything[everything["run"] == run.id]
