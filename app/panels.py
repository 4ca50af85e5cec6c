"""What the pages draw, from data they are given: status lines, failures, lists of races, links."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import links, live, words
from catalyst_core import example, frames
from catalyst_core.catalog import METHODS
from catalyst_core.events import Pruned
from catalyst_core.figures import style, theory, verdicts
from catalyst_core.figures.style import Look, Theme
from catalyst_core.frames.view import RunRecord
from catalyst_core.store import RaceInfo, RaceLine, RunInfo

PAGES = {"race": "Open the race", "results": "Results", "lab": "Lab"}
HEADS = (
    ("Contender", ""),
    ("Seed", "number wide"),
    ("State", ""),
    ("Stage", "wide"),
    ("Progress", "bar"),
    ("Left", "number"),
    ("Validation", "number"),
    ("Pruned", "number wide"),
    ("Sign of life", "number wide"),
)


def plain(text: str) -> str:
    """Somebody's text with Markdown's marks escaped."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|$:<>~])", r"\\\1", text)


def status_table(runs: Sequence[RunInfo], now: datetime, theme: Theme) -> str:
    """One line a contender, as HTML: everything that is not ours is escaped."""
    head = "".join(f"<th class='{kind}'>{title}</th>" for title, kind in HEADS)
    looks = style.looks(list(dict.fromkeys(run.label for run in runs)), theme)
    lines = "".join(_line(run, now, looks[run.label]) for run in runs)
    return f"<div class='contenders'><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"


def _line(run: RunInfo, now: datetime, look: Look) -> str:
    stage = words.STAGES.get(run.stage, run.stage) if not run.is_finished and run.state != "queued" else ""
    beat = "" if run.is_finished or run.heartbeat is None else f"{words.age(run.heartbeat, now)} ago"
    swatch = f"<span style='color:{look.colour}' aria-hidden='true'>■</span> "
    fill = f"<div class='fill' style='width:{100 * run.progress:.1f}%;background:{look.colour}'></div>"
    done = f"role='progressbar' aria-valuenow='{100 * run.progress:.0f}' aria-label='{html.escape(look.title)}'"
    bar = f"<div class='track' {done}>{fill}</div>"
    cells = (
        swatch + html.escape(look.title),
        str(run.config.seed),
        html.escape(words.doing(run)),
        html.escape(stage),
        bar,
        words.clock(run.seconds_left) if not run.is_finished else "",
        words.percent(run.accuracy, 1),
        words.percent(run.share_pruned),
        beat,
    )
    body = "".join(f"<td class='{kind}'>{cell}</td>" for cell, (_, kind) in zip(cells, HEADS, strict=True))
    return f"<tr data-testid='contender' data-state='{run.state}'>{body}</tr>"


def render_failures(runs: Sequence[RunInfo]) -> None:
    """Why contenders failed, with the last lines of their logs."""
    for run in runs:
        if run.state == "failed":
            with st.expander(f"✗ {plain(words.contender(run))} failed: {plain(run.reason or 'no reason was recorded')}"):
                st.code(run.log_tail.strip() or "Its log is empty.", language=None)


def _methods(race: RaceLine) -> str:
    return ", ".join(METHODS[name].title for name in race.methods)


def race_text(race: RaceLine) -> str:
    """A race in one line, for lists and search."""
    started = f"{race.created.astimezone():%Y-%m-%d %H:%M}"
    return " · ".join((race.title, _methods(race), started, words.plain_state(race.state), race.id))


def example_note(race: RaceInfo | RaceLine) -> str:
    """Where the race that ships with Catalyst comes from; '' for every other race."""
    if not example.is_example(race.id):
        return ""
    return (
        f"This is an example that ships with Catalyst: made by `{example.COMMAND}` on {race.created:%Y-%m-%d}. Start a race of "
        "your own on the Race page; this one can be deleted on the Runs page and does not come back."
    )


def render_races(races: Sequence[RaceLine], *, key: str, chosen: Sequence[str], on_select: Callable[[], None]) -> None:
    """The list of races, newest first, each with a link; those with the ids in `chosen` are selected at first."""
    table = pd.DataFrame(
        {
            "Open": [f"/?race={race.id}" for race in races],
            "Title": [race.title for race in races],
            "State": [words.STATES[race.state] for race in races],
            "Contenders": [race.contenders for race in races],
            "Methods": [_methods(race) for race in races],
            "Started": [race.created for race in races],
            "Files": [race.bytes for race in races],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "Open": st.column_config.LinkColumn(display_text=r"race=(.*)", help="The race's page", width=85),
            "State": st.column_config.Column(width=90),
            "Contenders": st.column_config.NumberColumn(width=90),
            "Methods": st.column_config.Column(width="large"),
            "Started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            "Files": st.column_config.NumberColumn(format="bytes", help="Checkpoints, logs and networks of its own"),
        },
        key=key,
        on_select=on_select,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [place for place, race in enumerate(races) if race.id in chosen]}},
        alt="List of races",
    )


def render_queue(runs: Sequence[RunInfo], titles: Mapping[str, str]) -> None:
    """The queued contenders of all races in the order of their turns; `titles`: those of the races by their id."""
    st.subheader(f"Queue ({len(runs)})")
    table = pd.DataFrame(
        {
            "Place": [run.place for run in runs],
            "Contender": [words.contender(run) for run in runs],
            "Race": [titles.get(run.race_id, run.race_id) for run in runs],
            "Priority": [run.priority for run in runs],
        }
    )
    st.dataframe(table, hide_index=True, key="queue", alt="Queued contenders")


def render_links(race: RaceInfo | RaceLine) -> None:
    """Links to a race's pages, from another page."""
    with st.container(horizontal=True):
        for page, title in PAGES.items():
            st.page_link(f"../pages/{page}.py", label=title, query_params={"race": race.id})


def render_welcome() -> None:
    """What a race is, for somebody who has not seen one."""
    st.markdown(
        "Several methods prune the same trained network to the same budget, on the same batches, each in a process of its own. "
        "You watch their filters part, the cut, and what is left of the accuracy before and after fine-tuning."
    )
    st.markdown(
        "**Start race** at the left (on a small screen: behind » above) works as it stands: real digits, five methods, half of "
        "the channels, about a minute on two cores, no network. Everything can be changed before the start, strength and budget "
        "also while it runs."
    )


def render_first_visit(theme: Theme) -> None:
    """Before there is any race: how a filter flows to one of its two fates, from closed forms."""
    settings = {"strength": 1.0, "ratio": 1.1, "pull": 0.0}
    figure = theory.plot_portrait.sheet(**settings, theme=theme)
    panel = live.as_panel(figure, theory.caption_portrait(**settings), theme, span=4, title="What Catalyst does to a filter")
    live.show({"portrait": panel}, key="first_visit")
    st.page_link("../pages/theory.py", label="Move the sliders behind this figure on the Theory page")


def render_headlines(races: Sequence[RaceInfo]) -> None:
    """What the ledgers say, in sentences, a race."""
    for race in races:
        said = verdicts.verdicts(frames.ledger_summary(frames.ledger_frame(race)))
        if said and len(races) > 1:
            st.markdown(f"**{plain(race.title)}**")
        if said:
            st.markdown("\n".join(f"- {sentence}" for sentence in said))


def choose_labels(place: DeltaGenerator, labels: Sequence[str]) -> list[str]:
    """Which contenders the figures show; all of them unless the URL names some. The choice goes into the URL."""
    named = [label for label in st.query_params.get("methods", "").split(",") if label in labels]
    if len(labels) < 2:
        return list(labels)
    chosen = place.pills(
        "Contenders shown",
        labels,
        selection_mode="multi",
        default=named or labels,
        format_func=style.title,
        wrap=True,
        key=f"shown@{','.join(labels)}@{links.epoch('methods')}",
        persist_state="session",
    )
    everybody = len(chosen) in (0, len(labels))
    links.put("methods", "" if everybody else ",".join(chosen))
    return list(labels if everybody else chosen)


def render_certificate(run: RunInfo, pruned: Pruned | None) -> None:
    """What the cut did, and what the audits say."""
    if pruned is None or not run.ledger:
        return
    ledger = run.ledger
    bias = f"{ledger['magnitude_bias']:+.2f}" if ledger.get("magnitude_bias") is not None else "–"
    low, high = ledger.get("magnitude_bias_low"), ledger.get("magnitude_bias_high")
    interval = f", 95 % interval {low:+.2f} to {high:+.2f}" if low is not None and high is not None else ""
    gap = ledger.get("decision_gap")
    values = (
        ("Logits moved by the cut", f"{pruned.max_abs_logit_change:.2g}", "Largest change in float64; lossless: at most 1e-10"),
        ("The same in float32", f"{pruned.max_abs_logit_change_float32:.2g}", "Rounding alone gives about 1e-6"),
        ("Predictions changed", f"{pruned.changed_predictions} of {pruned.images}", "On the images of the certificate"),
        ("Decision gap", "–" if gap is None else f"{gap:.2f}", "Smallest kept minus largest pruned magnitude, in medians"),
        ("Magnitude bias", bias, f"Rank correlation of initial magnitude with survival, within groups{interval}"),
    )
    for column, (title, value, text) in zip(st.columns(len(values)), values, strict=True):
        column.metric(title, value, help=text)
    lossless = pruned.max_abs_logit_change <= verdicts.LOSSLESS
    st.markdown("The cut was **lossless**." if lossless else "The cut was **not lossless**: it changed the network's answers.")


def last_undecided(record: RunRecord) -> int:
    """The step whose measurement orders the channels best.

    Catalyst: the last one in sparse training before any channel was decided; others: the one that the cut was made from.
    """
    if record.info.config.method.name == "catalyst":
        fit = [one for one in record.measured if one.stage == "sparse" and np.isfinite(one.margins).all()]
    else:
        fit = [one for one in record.measured if one.is_cut]
    return (fit or record.measured)[-1].step
