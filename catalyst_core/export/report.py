"""A race on one page, to read, mail or print: no script, nothing beside it, every figure inside."""

import html
import re
from collections.abc import Sequence
from string import Template
from typing import NamedTuple

from catalyst_core import frames
from catalyst_core.events import value_text
from catalyst_core.export.ledger import NOTE, NOTHING, ledger_rows
from catalyst_core.export.repeat import repeat_command, unrepeated, versions
from catalyst_core.figures.style import title
from catalyst_core.figures.verdicts import verdicts
from catalyst_core.frames import RaceView
from catalyst_core.markup import html_table

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.45 Arial, "Liberation Sans", Helvetica, sans-serif; max-width: $width; margin: 32px auto; padding: 0 16px;
  background: #ffffff; color: #1b1f24; font-variant-numeric: tabular-nums }
h1 { font-size: 24px; margin: 0 0 4px }
h2 { font-size: 18px; margin: 32px 0 8px }
h3 { font-size: 15px; margin: 0 0 4px }
.faint { color: #5c636a; font-size: 13px }
.bad { color: #b3261e; font-weight: 600 }
.wide { margin-bottom: 18px; overflow-x: auto }
table { border-collapse: collapse; font-size: 12px; width: 100% }
th { text-align: right; vertical-align: bottom; font-weight: 600 }
th, td { border-bottom: 1px solid #e6e8eb; padding: 4px 5px }
td { text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
.left th, .left td { text-align: left }
.wrap td { white-space: normal }
figure { margin: 0 0 28px; break-inside: avoid }
figure svg { display: block; width: 100%; max-width: 640px; height: auto }
figcaption { font-size: 13.5px; max-width: 640px }
pre { background: #f5f6f7; font-size: 12.5px; padding: 10px 12px; white-space: pre-wrap; overflow-wrap: anywhere }
@page { size: A4; margin: 15mm }
@media print {
  body { margin: 0; max-width: none; padding: 0 }
  .wide { overflow: visible }
  table { font-size: 8.5px }
  th, td { padding: 3px 2px }
  td { white-space: normal }
  td:first-child { white-space: nowrap }
}
</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")


class Shown(NamedTuple):
    """One figure of the report."""

    name: str
    title: str
    svg: str
    caption: str


def report_page(view: RaceView, shown: Sequence[Shown]) -> str:
    """The page of a refreshed view with its figures; whatever anybody typed is text, never markup."""
    race, ledger = view.race, frames.ledger_frame(view.race)
    heads, rows = ledger_rows(ledger)
    parts = [f"<p class='faint'>{html.escape(_facts(view))}</p>"]
    parts += [_list(verdicts(frames.ledger_summary(ledger)))]
    parts += ["<h2>Ledger</h2>", _table(heads, rows) + _faint(NOTE) if rows else f"<p>{NOTHING}</p>"]
    parts += ["<h2>Figures</h2>", "<p>Figures of filters show the moment of the cut, of each contender its own.</p>"]
    parts += [figure_html(one) for one in shown]
    parts += ["<h2>Run it again</h2>", _pre(repeat_command(race.config)), *(f"<p>{html.escape(s)}</p>" for s in unrepeated(view))]
    parts += [_changes(view)]
    parts += ["<h2>Configuration</h2>", _pre(race.config.model_dump_json(indent=2, exclude=race.config.unknown))]
    parts += ["<h2>Versions</h2>", "<p>Of what drew this page.</p>", _versions()]
    return PAGE.substitute(title=html.escape(race.title), width="960px", body="\n".join(filter(None, parts)))


def _facts(view: RaceView) -> str:
    race = view.race
    states = ", ".join(f"{title(run.label)} seed {run.config.seed} {run.state}" for run in race.runs)
    if len({run.state for run in race.runs}) == 1:
        states = f"Contenders: {len(race.runs)}, all {race.runs[0].state}"
    seeds = ", ".join(str(seed) for seed in race.config.seeds)
    return f"Race {race.id}, started {race.created:%Y-%m-%d %H:%M} UTC. Seeds: {seeds}. {states}."


def _list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(one)}</li>" for one in sentences) + "</ul>" if sentences else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]], kind: str = "") -> str:
    return html_table(heads, rows, f"wide {kind}")


def _faint(text: str) -> str:
    return f"<p class='faint'>{html.escape(text)}</p>"


def _pre(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def figure_html(one: Shown) -> str:
    """A figure with its title and caption."""
    name = html.escape(one.title)
    drawn = f"<div role='img' aria-label='{name}'>{_inline(one.svg, one.name)}</div>"
    return f"<figure><h3>{name}</h3>{drawn}<figcaption>{html.escape(one.caption)}</figcaption></figure>"


def _inline(svg: str, name: str) -> str:
    """An SVG as part of a page: without its head, and with names of its own, as a page may have each only once."""
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)


def _changes(view: RaceView) -> str:
    changes = frames.changes_frame(view)
    if changes.empty:
        return ""
    rows = [
        (title(one.label), one.seed, one.step, one.name, value_text(one.old), value_text(one.new), one.who, one.reason)
        for one in changes.itertuples()
    ]
    heads = ("contender", "seed", "step", "what", "from", "to", "who", "why")
    return "<h2>Changes while it was going</h2>" + _table(heads, rows, "left")


def _versions() -> str:
    found = versions()
    packages = found.pop("packages")
    assert isinstance(packages, dict)
    return _table(("what", "version"), list((found | packages).items()), "left")
