"""Results: the ledger of one or several races, what it says, its figures, and everything as files."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from app import context, live, panels, tables, words
from catalyst_core import export, figures, frames
from catalyst_core.store import RaceInfo, RaceLine, Store

LEDGERS: tuple[tuple[str, str, str, Callable[[pd.DataFrame], str]], ...] = (
    ("CSV", "csv", "text/csv", export.ledger_csv),
    ("Markdown", "md", "text/markdown", export.ledger_markdown),
    ("LaTeX", "tex", "application/x-tex", export.ledger_latex),
)
EVERYTHING = "Every figure as PDF, SVG, PNG, HTML and CSV, a report, the ledger, configuration, versions and the command."


def choose(store: Store, lines: list[RaceLine]) -> list[RaceInfo]:
    """The races to compare: those in the URL, else the one looked at last, else the newest that has ended."""
    texts = {line.id: panels.race_text(line) for line in lines}
    wanted = [one for one in st.query_params.get("race", context.race_id()).split(",") if one not in ("", "new")]
    if gone := [one for one in wanted if one not in texts]:
        st.warning(f"Not there any more, or never here: {panels.plain(', '.join(gone)[:100])}.")
    ready = [line.id for line in lines if line.counts["completed"] or line.counts["stopped"]]
    chosen = st.multiselect(
        "Races",
        list(texts),
        default=[one for one in wanted if one in texts] or ready[:1] or list(texts)[:1],
        format_func=texts.__getitem__,
        key=_key(wanted),
    )
    _keep(chosen)
    return [store.race(race_id) for race_id in chosen]


def _key(wanted: list[str]) -> str:
    """Another list of races where the address names others than this page wrote there: a link, or the back button."""
    state = st.session_state
    if state.get("_results_wrote") != wanted:
        state["_results_wrote"], state["_results_epoch"] = wanted, state.get("_results_epoch", 0) + 1
    return f"results_races@{state['_results_epoch']}"


def _keep(chosen: list[str]) -> None:
    """The choice goes into the URL; one race is also the one that other pages show."""
    if len(chosen) == 1:
        context.select(chosen[0])
    elif chosen:
        st.query_params["race"] = ",".join(chosen)
    if chosen:
        st.session_state["_results_wrote"] = chosen


def downloads(store: Store, races: list[RaceInfo], ledger: pd.DataFrame) -> None:
    """The zip of each race, and the ledger of all of them as CSV, Markdown and LaTeX."""
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
                help=EVERYTHING,
                key=f"zip_{race.id}",
            )
        for title, kind, mime, write in LEDGERS:
            st.download_button(
                f"Ledger as {title}",
                data=lambda write=write: write(ledger),
                file_name=f"catalyst-ledger-{names}.{kind}",
                mime=mime,
                on_click="ignore",
                key=f"ledger_{kind}",
            )


def standing(race: RaceInfo) -> None:
    """What kind of race this is and how it stands, where that is not simply finished."""
    if note := panels.example_note(race):
        st.caption(note)
    if race.state != "completed":
        st.info(f"**{panels.plain(race.title)}** – {words.state(race)}")
    panels.render_failures(race.runs)


def show(store: Store, races: list[RaceInfo]) -> None:
    """Table, sentences, figures."""
    for race in races:
        standing(race)
    ledger = frames.ledger_frame(races)
    panels.render_headlines(races)
    if ledger["macs"].notna().any():
        tables.render_ledger(frames.ledger_summary(ledger), key="ledger")
    else:
        st.info("No contender has reached the cut yet. The ledger appears here when the first one has.")
    downloads(store, races, ledger)
    labels = list(dict.fromkeys(label for race in races for label in race.labels))
    live.show(drawn(races, ledger, panels.choose_labels(st.container(), labels)), key="results_figures")


def drawn(races: list[RaceInfo], ledger: pd.DataFrame, labels: list[str]) -> dict[str, live.Panel]:
    """The figures of the chosen contenders; a session draws them again only where something they show has changed."""
    stands = [(race.id, race.title, [(run.id, run.state, run.revision, bool(run.ledger)) for run in race.runs]) for race in races]
    version = repr((context.theme(), labels, stands))
    known: tuple[str, dict[str, live.Panel]] = st.session_state.get("_results_figures", ("", {}))
    if known[0] == version:
        return known[1]
    found = _of_all(races, ledger[ledger["label"].isin(labels)], version) | _of_each(races, labels, version)
    st.session_state["_results_figures"] = (version, found)
    return found


def _of_all(races: list[RaceInfo], ledger: pd.DataFrame, version: str) -> dict[str, live.Panel]:
    theme, reason = context.theme(), frames.why_empty(context.view(races[0].id))
    macs = figures.plot_accuracy_macs.sheet(ledger, theme=theme, reason=reason)
    cost = figures.plot_cost.sheet(ledger, theme=theme, reason=reason)
    return {
        "accuracy_macs": live.as_panel(
            macs, figures.caption_accuracy_macs(ledger), version, span=3, title="Accuracy against MACs"
        ),
        "cost": live.as_panel(cost, figures.caption_cost(ledger), version, span=3, title="Cost"),
    }


def _of_each(races: list[RaceInfo], labels: list[str], version: str) -> dict[str, live.Panel]:
    found = {}
    for race in races:
        view = context.view(race.id)
        widths = frames.widths_frame(view)
        widths = widths[widths["label"].isin(labels)]
        sheet = figures.plot_widths.sheet(widths, theme=context.theme(), reason=frames.why_empty(view))
        title = "Layer widths" if len(races) == 1 else f"Layer widths: {race.title}"
        found[f"widths_{race.id}"] = live.as_panel(sheet, figures.caption_widths(widths), version, title=title)
    return found


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
