"""Results: the ledger of one or several races, what it says, its figures, and everything as files."""

import streamlit as st

from app import context, panels, tables, words
from catalyst_core import export, figures, frames
from catalyst_core.store import RaceInfo, RaceLine, Store


def choose(store: Store, lines: list[RaceLine]) -> list[RaceInfo]:
    """The races to compare: those in the URL, else the one looked at last, else the newest that has ended."""
    texts = {line.id: panels.race_text(line) for line in lines}
    wanted = [one for one in st.query_params.get("race", context.race_id()).split(",") if one in texts]
    ready = [line.id for line in lines if line.counts["completed"] or line.counts["stopped"]]
    chosen = st.multiselect(
        "Races",
        list(texts),
        default=wanted or ready[:1] or list(texts)[:1],
        format_func=texts.__getitem__,
        key=f"results_races_{','.join(wanted)}",
    )
    if len(chosen) == 1:
        context.select(chosen[0])
    return [store.race(race_id) for race_id in chosen]


def downloads(store: Store, races: list[RaceInfo]) -> None:
    """The zip of each race, and the ledger as CSV and Markdown."""
    ledger = frames.ledger_frame(races)
    names = "-".join(race.id for race in races)
    with st.container(horizontal=True):
        for race in races:
            st.download_button(
                "Everything as a zip" if len(races) == 1 else f"Zip of {race.id}",
                data=lambda race=race: export.bundle_zip(store, race.id),
                file_name=f"catalyst-{race.id}.zip",
                mime="application/zip",
                on_click="ignore",
                type="primary",
                icon=":material/download:",
                help="Every figure as PDF, SVG, PNG, HTML and CSV, the ledger, configuration, versions and the command.",
                key=f"zip_{race.id}",
            )
        for title, kind, write in (("CSV", "csv", export.ledger_csv), ("Markdown", "md", export.ledger_markdown)):
            st.download_button(
                f"Ledger as {title}",
                data=lambda write=write: write(ledger),
                file_name=f"catalyst-ledger-{names}.{kind}",
                mime=f"text/{'csv' if kind == 'csv' else 'markdown'}",
                on_click="ignore",
                key=f"ledger_{kind}",
            )


def show(store: Store, races: list[RaceInfo]) -> None:
    """Table, sentences, figures."""
    for race in races:
        if not race.is_finished or race.state != "completed":
            st.info(f"**{panels.plain(race.title)}** – {words.state(race)}")
    ledger = frames.ledger_frame(races)
    panels.render_headlines(races)
    summary = frames.ledger_summary(ledger)
    tables.render_ledger(summary, key="ledger")
    downloads(store, races)
    theme = context.theme()
    left, right = st.columns(2)
    with left:
        figure = figures.plot_accuracy_macs(ledger, theme=theme)
        panels.render_figure("Accuracy against MACs", figure, figures.caption_accuracy_macs(ledger), key="accuracy_macs")
    with right:
        panels.render_figure("Cost", figures.plot_cost(ledger, theme=theme), figures.caption_cost(ledger), key="cost")
    for race in races:
        widths = frames.widths_frame(context.view(race.id))
        title = "Layer widths" if len(races) == 1 else f"Layer widths: {panels.plain(race.title)}"
        figure = figures.plot_widths(widths, theme=theme)
        panels.render_figure(title, figure, figures.caption_widths(widths), key=f"widths_{race.id}")


st.title("Results")
store = context.store()
lines, away = context.lines()
if away:
    st.warning(away)
if not lines:
    st.info("There is no race yet, so there are no results. Start one on the Race page.")
    st.page_link("../pages/race.py", label="Start a race", query_params={"race": "new"})
elif chosen := choose(store, lines):
    show(store, chosen)
else:
    st.info("Choose at least one race.")
