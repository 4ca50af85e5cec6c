"""Everything about a race as files: each figure in five formats, the ledger, the configuration and how to run it again."""

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from catalyst_core import figures, frames
from catalyst_core.export.drawn import MOMENTS, TITLES, drawn_of
from catalyst_core.export.ledger import ledger_csv, ledger_latex, ledger_latex_short, ledger_markdown
from catalyst_core.export.page import figure_page, spec_of
from catalyst_core.export.repeat import repeat_command, unrepeated, versions
from catalyst_core.export.report import Shown, report_page
from catalyst_core.export.steps import stepped
from catalyst_core.frames import RaceView

PrintKind = Literal["pdf", "svg", "png"]
FileKind = Literal["pdf", "svg", "png", "html", "csv"]
PRINTED: tuple[PrintKind, ...] = ("pdf", "svg", "png")
SIGN = "Catalyst export of race"  # how README.txt begins, and how an export of ours is known


class Figure(NamedTuple):
    """One figure of the bundle, as on paper."""

    name: str
    figure: go.Figure
    caption: str


def figure_bytes(figure: go.Figure, kind: FileKind, *, name: str = "figure", caption: str = "") -> bytes:
    """One figure as one file that stands for itself; the HTML holds plotly.js (1.9 MB, packed) and needs no network."""
    if kind == "csv":
        return _csv(figure)
    if kind == "html":
        return figure_page(spec_of(figure), [caption], title=TITLES.get(name, name), name=name).encode()
    return _printed(figure, (kind,), name)[kind]


def bundle_files(view: RaceView) -> dict[str, bytes]:
    """Name below the folder -> content, of a refreshed view."""
    reason = frames.why_empty(view)
    drawn = []
    for name, draw in drawn_of(view).items():
        sheet, caption = draw(view, reason)
        drawn.append(Figure(name, sheet.figure(), caption))
    files: dict[str, bytes] = {}
    shown = []
    for one in drawn:
        printed = _printed(one.figure, PRINTED, one.name)
        shown.append(Shown(one.name, TITLES[one.name], printed["svg"].decode(), one.caption))
        files |= {f"figures/{one.name}.{kind}": content for kind, content in printed.items()}
        files |= {f"figures/column/{one.name}.{kind}": content for kind, content in _column(one.figure, one.name).items()}
        files[f"figures/{one.name}.html"] = _page(view, one, reason)
        files[f"figures/{one.name}.csv"] = _csv(one.figure)
    files |= {name: text.encode() for name, text in _texts(view).items()}
    files["report.html"] = report_page(view, shown).encode()
    files["README.txt"] = _readme(view, drawn).encode()
    return dict(sorted(files.items()))


def _page(view: RaceView, one: Figure, reason: str) -> bytes:
    if one.name not in MOMENTS:
        return figure_bytes(one.figure, "html", name=one.name, caption=one.caption)
    spec, captions = stepped(view, MOMENTS[one.name], reason)
    return figure_page(spec, captions, title=TITLES[one.name], name=one.name).encode()


def _printed(figure: go.Figure, kinds: Sequence[PrintKind], name: str) -> dict[PrintKind, bytes]:
    # Imported here: matplotlib takes a while, and most pages and commands never print.
    from catalyst_core.export.print import print_figure

    return print_figure(figure, kinds, title=name)


def _column(figure: go.Figure, name: str) -> dict[PrintKind, bytes]:
    from catalyst_core.export.print import print_column  # as above

    return print_column(figure, title=name)


def _csv(figure: go.Figure) -> bytes:
    return figures.plotted(figure).to_csv(index=False, lineterminator="\n").encode()


def _texts(view: RaceView) -> dict[str, str]:
    ledger, changes = frames.ledger_frame(view.race), frames.changes_frame(view)
    source = f"race {view.race.id}, made by: {repeat_command(view.race.config)}"
    texts = {
        "ledger.csv": ledger_csv(ledger),
        "ledger.md": ledger_markdown(ledger),
        "ledger.tex": ledger_latex(ledger, source),
        "ledger_short.tex": ledger_latex_short(ledger, source),
        "config.json": view.race.config.model_dump_json(indent=2, exclude=view.race.config.unknown) + "\n",
        "versions.json": json.dumps(versions(), indent=2) + "\n",
    }
    return texts | ({"changes.csv": changes.to_csv(index=False, lineterminator="\n")} if len(changes) else {})


def _readme(view: RaceView, drawn: Sequence[Figure]) -> str:
    race = view.race
    states = ", ".join(f"{run.label} seed {run.config.seed}: {run.state}" for run in race.runs)
    lines = [f"{SIGN} {race.id}: {race.title}", "", f"Started {race.created:%Y-%m-%d %H:%M} UTC. {states}.", ""]
    lines += ["Run it again:", "", f"    {repeat_command(race.config)}", ""]
    for sentence in unrepeated(view):
        lines += [sentence, ""]
    lines += [
        f"Seeds: {', '.join(str(seed) for seed in race.config.seeds)}. Versions of what drew these files: versions.json.",
        "",
        "report.html        all of it on one page, to read or print",
        "ledger.csv         every contender's numbers as measured (accuracies are fractions of the test images)",
        "ledger.md, .tex    means and deviations over seeds; the .tex needs booktabs; ledger_short.tex fits one column",
        "config.json        the full configuration",
        "figures/           each figure as PDF, SVG, PNG, HTML, and exactly its numbers as CSV; a full page wide",
        "figures/column/    each figure as PDF and SVG for one column, 3.35 inches wide",
        "",
        "Each HTML file stands for itself and needs no network. Figures of filters have a slider over the measured steps there;",
        "on paper and in the CSV they show the moment of the cut.",
        "",
    ]
    return "\n".join([*lines, *(f"{one.name}: {one.caption}" for one in drawn), ""])
