"""Everything about a race as files: each figure in five formats, the ledger, the configuration and how to run it again."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from catalyst_core import figures, frames
from catalyst_core.errors import ConfigError
from catalyst_core.export.ledger import ledger_csv, ledger_latex, ledger_markdown
from catalyst_core.export.page import SCRIPT, Shown, figure_page
from catalyst_core.export.repeat import repeat_command, versions
from catalyst_core.frames import RaceView
from catalyst_core.frames.view import Reader

PrintKind = Literal["pdf", "svg", "png"]
FileKind = Literal["pdf", "svg", "png", "html", "csv"]
SIGN = "Catalyst export of race"  # how README.txt begins, and how a folder of ours is known

Draw = Callable[[RaceView, str], tuple[go.Figure, str]]


def _magnitudes(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    frame = frames.filters_frame(view, until_cut=True)
    return figures.plot_magnitudes(frame, reason=reason), figures.caption_magnitudes(frame)


def _magnitudes_overlay(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    frame = frames.filters_frame(view, until_cut=True)
    return figures.plot_magnitudes(frame, arrange="overlay", reason=reason), figures.caption_magnitudes(frame)


def _margins(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    frame = frames.filters_frame(view, until_cut=True)
    return figures.plot_margins(frame, reason=reason), figures.caption_margins(frame)


def _flip_curve(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    flips = frames.flip_frame(frames.filters_frame(view, until_cut=True))
    return figures.plot_flip_curve(flips, reason=reason), figures.caption_flip_curve(flips)


def _bias(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    frame = frames.filters_frame(view, until_cut=True)
    return figures.plot_bias(frame, reason=reason), figures.caption_bias(frame)


def _curves(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    frame = frames.curves_frame(view)
    return figures.plot_curves(frame, frames.changes_frame(view), reason=reason), figures.caption_curves(frame)


def _bifurcation(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    frame = frames.density_frame(view)
    return figures.plot_bifurcation(frame, reason=reason), figures.caption_bifurcation(frame)


def _phase_plane(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    frame = frames.filters_frame(view, until_cut=True)
    caption = figures.caption_phase_plane(frame)
    return figures.plot_phase_plane(frame, reason=caption if len(frame) else reason), caption


def _accuracy_macs(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    ledger = frames.ledger_frame(view.race)
    return figures.plot_accuracy_macs(ledger, reason=reason), figures.caption_accuracy_macs(ledger)


def _widths(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    frame = frames.widths_frame(view)
    return figures.plot_widths(frame, reason=reason), figures.caption_widths(frame)


def _cost(view: RaceView, reason: str) -> tuple[go.Figure, str]:
    ledger = frames.ledger_frame(view.race)
    return figures.plot_cost(ledger, reason=reason), figures.caption_cost(ledger)


FIGURES: dict[str, Draw] = {
    "magnitudes": _magnitudes,
    "magnitudes_overlay": _magnitudes_overlay,
    "margins": _margins,
    "flip_curve": _flip_curve,
    "bias": _bias,
    "curves": _curves,
    "bifurcation": _bifurcation,
    "phase_plane": _phase_plane,
    "accuracy_macs": _accuracy_macs,
    "widths": _widths,
    "cost": _cost,
}


def figure_bytes(figure: go.Figure, kind: FileKind, *, name: str = "figure", caption: str = "") -> bytes:
    """One figure as one file that stands for itself; the HTML holds plotly.js (4.8 MB) and needs no network."""
    if kind == "csv":
        return _csv(figure)
    if kind == "html":
        return figure_page([Shown(name, figure, caption)], title=name).encode()
    return _printed(figure, (kind,), name)[kind]


def bundle_zip(store: Reader, race_id: str) -> bytes:
    """The files of `write_bundle` as a zip, below one folder named after the race. Raises NotFoundError."""
    files = _files(store, race_id)
    out = io.BytesIO()
    folder = f"catalyst-{store.race(race_id).id}"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{folder}/{name}", content)
    return out.getvalue()


def write_bundle(store: Reader, race_id: str, out: Path) -> list[Path]:
    """Write a race's figures, ledger, configuration, versions and command into the folder `out`; returns its files.

    The folder appears complete or not at all; an earlier export there is replaced. Raises NotFoundError, and ConfigError for a
    folder that holds something else or cannot be written.
    """
    out = Path(out)
    _check_free(out)
    files = _files(store, race_id)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
            made = Path(work) / "new"
            for name, content in files.items():
                path = made / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if out.exists():
                out.rename(Path(work) / "old")
            made.rename(out)
    except OSError as error:
        raise ConfigError(f"the folder {out} cannot be written: {error.strerror or error}") from error
    return [out / name for name in files]


def _check_free(out: Path) -> None:
    readme = out / "README.txt"
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; give a folder that is new, empty or an earlier export")
    ours = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(SIGN)
    if out.is_dir() and any(out.iterdir()) and not ours:
        raise ConfigError(f"the folder {out} holds other files; give one that is new, empty or an earlier export")


def _files(store: Reader, race_id: str) -> dict[str, bytes]:
    """Name below the folder -> content."""
    view = RaceView(store, race_id)
    view.refresh()
    shown = [Shown(name, *draw(view, frames.why_empty(view))) for name, draw in FIGURES.items()]
    title = f"{view.race.title} ({view.race.id})"
    files = {"README.txt": _readme(view, shown).encode()}
    files |= {name: text.encode() for name, text in _texts(view).items()}
    files["figures.html"] = figure_page(shown, title=title, script=f"figures/{SCRIPT}").encode()
    files[f"figures/{SCRIPT}"] = get_plotlyjs().encode()
    for one in shown:
        printed = _printed(one.figure, ("pdf", "svg", "png"), one.name)
        files |= {f"figures/{one.name}.{kind}": content for kind, content in printed.items()}
        files[f"figures/{one.name}.html"] = figure_page([one], title=one.name, script=SCRIPT).encode()
        files[f"figures/{one.name}.csv"] = _csv(one.figure)
    return files


def _printed(figure: go.Figure, kinds: Sequence[PrintKind], name: str) -> dict[PrintKind, bytes]:
    # Imported here: matplotlib takes a while, and most pages and commands never print.
    from catalyst_core.export.print import print_figure

    return print_figure(figure, kinds, title=name)


def _csv(figure: go.Figure) -> bytes:
    return figures.plotted(figure).to_csv(index=False, lineterminator="\n").encode()


def _texts(view: RaceView) -> dict[str, str]:
    ledger, changes = frames.ledger_frame(view.race), frames.changes_frame(view)
    texts = {
        "ledger.csv": ledger_csv(ledger),
        "ledger.md": ledger_markdown(ledger),
        "ledger.tex": ledger_latex(ledger),
        "config.json": view.race.config.model_dump_json(indent=2) + "\n",
        "versions.json": json.dumps(versions(), indent=2) + "\n",
    }
    return texts | ({"changes.csv": changes.to_csv(index=False, lineterminator="\n")} if len(changes) else {})


def _readme(view: RaceView, shown: list[Shown]) -> str:
    race = view.race
    states = ", ".join(f"{run.label} seed {run.config.seed}: {run.state}" for run in race.runs)
    lines = [f"{SIGN} {race.id}: {race.title}", "", f"Started {race.created:%Y-%m-%d %H:%M} UTC. {states}.", ""]
    lines += ["Run it again:", "", f"    {repeat_command(race.config)}", ""]
    if len(frames.changes_frame(view)):
        lines += ["Settings were changed while it was going (changes.csv); the command does not repeat that.", ""]
    if forks := [run.label for run in race.runs if run.parent]:
        lines += [f"The command does not repeat the forks: {', '.join(forks)}.", ""]
    lines += [
        f"Seeds: {', '.join(str(seed) for seed in race.config.seeds)}. Versions of what drew these files: versions.json.",
        "",
        "ledger.csv       every contender's numbers as measured (accuracies are fractions of the test images)",
        "ledger.md, .tex  means and deviations over seeds",
        "config.json      the full configuration",
        "figures.html     all figures, interactive; needs no network, but the folder figures beside it",
        "figures/         each figure as PDF, SVG, PNG, HTML, and exactly its numbers as CSV",
        "",
    ]
    return "\n".join([*lines, *(f"{one.name}: {one.caption}" for one in shown), ""])
