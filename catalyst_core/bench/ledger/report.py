"""The report on a ledger: what it says, and all of its files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from catalyst_core.bench.ledger import tables
from catalyst_core.bench.ledger.blocks import Block, Code, Drawing, Head, Listed, Text, html_page, markdown_page
from catalyst_core.bench.ledger.pictures import Picture, pictures
from catalyst_core.bench.ledger.summary import FEWEST
from catalyst_core.bench.ledger.targets import targets
from catalyst_core.catalog import METHODS
from catalyst_core.export.bundle import figure_bytes
from catalyst_core.export.print import print_figure

TOO_FEW = "One or two seeds are no result: this only shows what the command does."
HOW = (
    "All contenders of a task and a seed begin with one dense network, see the same batches and take the same number of steps; a "
    "plain cut is fine-tuned for as many steps as the others have in both of their stages.",
    "Strengths are picked on a seed that is raced for nothing else, by validation accuracy, once right after the cut and once "
    "fine-tuned. Every accuracy in the tables is of the test images, which each contender is shown for these numbers and for "
    "nothing else.",
    "± is the sample standard deviation over seeds. Gap: distance between the smallest kept and the largest pruned filter, in "
    "median kept filters. Flip point: noise, in medians of the kept magnitudes, that flips 1 % of the decisions. Magnitude bias: "
    "correlation of the dense network's magnitudes with survival.",
    "Contenders train side by side, and other work may go on beside them: seconds and latencies of a busy machine are not "
    "comparable with those of another race. The training steps that a target is about are timed in turns in one process, at the "
    "end, when nothing else of the suite runs.",
    "Contenders that failed were tried once more and stay in the tables with their reason.",
)


def files(ledger: Mapping[str, Any]) -> dict[str, bytes]:
    """Name below the folder -> content; ledger.json is all that the others are made of."""
    drawn = pictures(ledger)
    blocks = list(content(ledger, drawn))
    found = {"ledger.json": json.dumps(ledger, indent=1, allow_nan=False) + "\n"}
    found |= {"rows.csv": tables.rows_csv(ledger["rows"]), "summary.csv": tables.summary_csv(ledger["rows"])}
    printed = {one.name: print_figure(one.figure, ("svg", "pdf", "png"), title=one.name) for one in drawn}
    svgs = {name: content["svg"].decode() for name, content in printed.items()}
    found |= {"report.html": html_page(ledger["title"], blocks, svgs), "report.md": markdown_page(ledger["title"], blocks)}
    written = {name: text.encode() for name, text in found.items()}
    for one in drawn:
        written |= {f"figures/{one.name}.{kind}": bytes_ for kind, bytes_ in printed[one.name].items()}
        written[f"figures/{one.name}.csv"] = figure_bytes(one.figure, "csv")
    return written


def write(ledger: Mapping[str, Any], out: Path) -> None:
    """Write all files into a folder that is there; figures of an earlier report go. Raises OSError."""
    written = files(ledger)
    (out / "figures").mkdir(exist_ok=True)
    for old in (out / "figures").iterdir():
        if f"figures/{old.name}" not in written and old.is_file():
            old.unlink()
    for name, content in written.items():
        (out / name).write_bytes(content)


def content(ledger: Mapping[str, Any], drawn: Sequence[Picture]) -> Iterator[Block]:
    """The report, from top to bottom."""
    yield from _facts(ledger)
    yield Head("What was wanted, and what was found")
    titles = {task["name"]: task["title"] for task in ledger["tasks"]}
    judged = targets(dict(ledger))
    yield tables.target_table(judged, titles) if judged else Text("None of the races that the targets are about has been run.")
    for task in ledger["tasks"]:
        yield from _task(ledger, task, drawn)
    yield from _studies(ledger, drawn)
    if ledger["audits"]:
        yield Head("Planted rescale audit")
        yield Text(
            "Filters are rescaled without changing the function, and trained again: correlation 0 and overlap 1 say that the "
            "choice does not see the scale. Intervals: 95 %, bootstrap."
        )
        yield tables.audit_table(ledger["audits"])
        yield from _drawings(drawn, "audits")
    yield Head("What was not run")
    missing = [f"{one['title']}: {one['reason']}" for one in ledger["not_run"]]
    yield Listed(missing) if missing else Text("Everything in the suite was run.")
    yield Head("How it was done")
    yield Listed([*HOW, *_peers(ledger)])


def commits(ledger: Mapping[str, Any]) -> list[str]:
    """The commits that the races were run at, in the order they come."""
    return list(dict.fromkeys(str(row["commit"]) for row in ledger["rows"]))


def command(ledger: Mapping[str, Any]) -> str:
    """What made the ledger, for a shell."""
    return ledger.get("command") or f"python -m catalyst_core bench ledger --suite {ledger['suite']}"


def machine(ledger: Mapping[str, Any]) -> str:
    """'AMD EPYC, 2 cores, 23.5 GiB, Linux x86_64, no accelerator'."""
    told = ledger["machine"]
    accelerator = told["accelerator"] or "no accelerator"
    return f"{told['processor']}, {told['cores']} cores, {told['memory_gib']} GiB, {told['system']}, {accelerator}"


def _facts(ledger: Mapping[str, Any]) -> Iterator[Block]:
    told, seeds = ledger["versions"], ledger["seeds"]
    packages = ", ".join(f"{name} {version}" for name, version in told["packages"].items())
    if len(seeds) < FEWEST:
        yield Text(TOO_FEW, "bad")
    at = commits(ledger)
    if any(commit.endswith("-dirty") for commit in at):
        yield Text("Some races were run with files that differ from the commit.", "bad")
    yield Code(command(ledger))
    several = f"The races were run at {len(at)} commits" if len(at) > 1 else "Commit"
    yield Listed(
        [
            f"Seeds: {', '.join(str(seed) for seed in seeds)}; strengths were picked on seed {ledger['sweep']['seed']}.",
            f"{several}: {', '.join(at) or 'none'}.",
            f"Machine: {machine(ledger)}; {ledger['machine']['workers']} contenders at once.",
            f"Started {ledger['started']}, written {ledger['written']}.",
            f"Catalyst {told['catalyst']}, Python {told['python']}, {packages}.",
        ]
    )


def _task(ledger: Mapping[str, Any], task: Mapping[str, Any], drawn: Sequence[Picture]) -> Iterator[Block]:
    rows = [row for row in ledger["rows"] if row["task"] == task["name"] and row["section"] == "main"]
    if not rows:
        return
    yield Head(task["title"])
    epochs = rows[0]["schedule"]
    stages = {"dense_epochs": "dense", "sparse_epochs": "sparse", "finetune_epochs": "fine-tuning"}
    schedule = f"Epochs: {', '.join(f'{epochs[name]} {said}' for name, said in stages.items())}."
    dense = [row["dense_accuracy"] for row in rows if row.get("dense_accuracy") is not None]
    reached = f" Dense network: {100 * sum(dense) / len(dense):.1f} % on average." if dense else ""
    yield Text(f"{schedule}{reached} {task['note']}".strip(), "faint")
    for ratio in sorted({row["ratio"] for row in rows}):
        yield Head(f"{task['title']}: {100 * ratio:g} % of the channels go", 3)
        yield tables.main_table(ledger, task["name"], ratio)
    yield from _drawings(drawn, task["name"])
    sweep = tables.sweep_table(ledger, task["name"])
    if sweep.rows:
        yield Head("How strengths were picked", 3)
        yield Text(f"Seed {ledger['sweep']['seed']}, ratio {ledger['sweep']['ratio']:g}, validation images.", "faint")
        yield sweep
    timed = [row for row in ledger.get("timings", ()) if row["task"] == task["name"]]
    if timed:
        yield Head("Seconds of a training step", 3)
        yield tables.timing_table(timed)


def _studies(ledger: Mapping[str, Any], drawn: Sequence[Picture]) -> Iterator[Block]:
    for study in ledger["studies"]:
        if any(row["section"] == study["name"] for row in ledger["rows"]):
            yield Head(f"Study: {study['title']}")
            yield from _drawings(drawn, study["name"])
            yield tables.study_table(ledger, study["name"])


def _drawings(drawn: Sequence[Picture], place: str) -> Iterator[Block]:
    return (Drawing(one.name, one.title, one.caption) for one in drawn if one.place == place)


def _peers(ledger: Mapping[str, Any]) -> list[str]:
    raced = dict.fromkeys(row["method"] for row in ledger["rows"] if METHODS[row["method"]].is_peer)
    said = []
    for name in raced:
        method = METHODS[name]
        strength = "" if method.strength is None else f" Documented strength: {method.strength:g}."
        said.append(f"{method.title} runs through {method.source}'s public API. {method.sentence}{strength}")
    return said
