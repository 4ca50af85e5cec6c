"""The results table of README.md, from a stored ledger; put between two marks, it can be made again and compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catalyst_core.bench.ledger.blocks import escaped, markdown_table
from catalyst_core.bench.ledger.report import TOO_FEW, command, commits, machine
from catalyst_core.bench.ledger.suites import TARGET_RATIOS
from catalyst_core.bench.ledger.summary import COLUMNS, FEWEST, Row, summarise
from catalyst_core.bench.ledger.tables import NOTHING, Choice, Table, percent, verdict
from catalyst_core.bench.ledger.targets import targets
from catalyst_core.catalog import METHODS
from catalyst_core.errors import ConfigError, shown
from catalyst_core.figures.style import title

BEGIN, END = "<!-- ledger: begin -->", "<!-- ledger: end -->"
HEADS = ("data, network", "channels pruned", "method", "MACs left", "post-prune", "fine-tuned")
NOTE = (
    "Test accuracy in percent, mean ± sample deviation over seeds {seeds}. Whoever is the best among several is named, and was "
    "chosen by validation accuracy in that column. Documented: the strength that the peer's authors give; picked: the best of a "
    "short sweep by validation accuracy on another seed."
)


def table(ledger: Mapping[str, Any]) -> str:
    """Markdown: the table, where it comes from, and what has to be known beside it."""
    rows = [row for row in summarise(ledger["rows"]) if row["section"] == "main" and row["seeds"]]
    choice = Choice(ledger["rows"])
    lines = [
        line
        for task in ledger["tasks"]
        for ratio in TARGET_RATIOS
        for line in _lines(task, ratio, [row for row in rows if (row["task"], row["ratio"]) == (task["name"], ratio)], choice)
    ]
    parts = [markdown_table(Table(HEADS, lines, 3)), NOTE.format(seeds=", ".join(map(str, ledger["seeds"])))]
    parts += [f"**{TOO_FEW}**"] * (len(ledger["seeds"]) < FEWEST)
    parts += [_caveats(ledger), _verdicts(ledger), f"```sh\n{command(ledger)}\n```", _origin(ledger)]
    return "\n\n".join(filter(None, parts))


def into(path: Path, text: str) -> None:
    """Replace what stands between the marks of a file. Raises ConfigError where they are not there once each."""
    name = shown(str(path))
    try:
        old = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"--into {name}: there is no such file, or it cannot be read as text") from None
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise ConfigError(f"--into {name}: the lines {BEGIN} and {END} have to be there once each, in this order")
    before, after = old[: old.index(BEGIN)], old[old.index(END) :]
    path.write_text(f"{before}{BEGIN}\n{text}\n{after}", encoding="utf-8")


def _lines(task: Mapping[str, Any], ratio: float, rows: Sequence[Row], choice: Choice) -> list[list[str]]:
    """A line each: Catalyst, the best rival, the best peer as documented and as picked, and the two plain cuts."""
    rivals = [row for row in rows if not METHODS[row["method"]].is_peer and METHODS[row["method"]].strength is not None]
    peers = [row for row in rows if METHODS[row["method"]].is_peer]
    sides = {
        METHODS["catalyst"].title: [row for row in rows if row["label"] == "catalyst"],
        "best rival, our code": [row for row in rivals if row["method"] != "catalyst"],
        "best peer, documented": [row for row in peers if choice.is_default(row)],
        "best peer, picked": [row for row in peers if choice.picked_for(row)],
        METHODS["none"].title: [row for row in rows if row["label"] == "none"],
        METHODS["random"].title: [row for row in rows if row["label"] == "random"],
    }
    return [[task["title"], f"{100 * ratio:g} %", side, *_cells(some)] for side, some in sides.items() if some]


def _cells(rows: Sequence[Row]) -> list[str]:
    """MACs, and in each column the accuracy of whoever has the best validation accuracy there."""
    cells = []
    for column in COLUMNS:
        known = [row for row in rows if row[f"{column}_accuracy"] is not None]
        if not known:
            cells.append(NOTHING)
            continue
        best = max(known, key=lambda row: row[f"validation_{column}"])
        name = f" ({title(best['label'])})" if len(rows) > 1 else ""
        few = "" if best["seeds"] >= FEWEST else f", {best['seeds']} of {FEWEST} seeds: no result"
        cells.append(percent(best, f"{column}_accuracy") + name + few)
    return [f"{100 * rows[0]['macs_share']:.1f} %", *cells]


def _caveats(ledger: Mapping[str, Any]) -> str:
    notes = [f"{task['title']}: {task['note']}" for task in ledger["tasks"] if task["note"]]
    notes += [f"Not run: {one['title']} ({one['reason']})." for one in ledger["not_run"]]
    return "\n".join(f"- {escaped(note)}" for note in notes)


def _verdicts(ledger: Mapping[str, Any]) -> str:
    said = [verdict(one).partition(" ")[0].rstrip(":") for one in targets(dict(ledger))]
    if not said:
        return ""
    met, missed = said.count("met"), said.count("missed")
    counts = f"{met} met, {missed} missed, {len(said) - met - missed} without a result"
    return f"Of {len(said)} targets: {counts}; the report of the suite says each with its figures."


def _origin(ledger: Mapping[str, Any]) -> str:
    at = commits(ledger)
    where = f"commit {at[0][:12]}" if len(at) == 1 else f"commits {', '.join(one[:12] for one in at)}"
    return escaped(f"{where[0].upper()}{where[1:]}; {machine(ledger)}; {ledger['written']}.")
