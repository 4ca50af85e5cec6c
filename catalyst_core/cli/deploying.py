"""`model`: the pruned network of a run as files for whoever has none of ours."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catalyst_core.cli.naming import named, one_run
from catalyst_core.cli.report import aside, print_json, table
from catalyst_core.figures.words import size
from catalyst_core.latencies import side_by_side

RUN = ("RUN", "a run's id, or that of a race with one run")

KEYS = """\
files: network.safetensors, network.json and network.py (PyTorch alone, the same bits), network.onnx, network.pt2 (torch.export),
README.md (the model card) and report.json. A file that is impossible, or off by more than 1e-4 in a logit, is left out, and a
warning says why. It takes a minute: the networks before and behind the cut take turns in PyTorch and onnxruntime.

keys of --json: race, run, out, files (name: bytes), and what report.json holds:
  image, dtype, classes   what the network takes and gives
  widths            group: channels before the cut (dense), behind it (pruned), and rounded
  cost              network: macs (multiply-accumulates of one image), params, bytes
  latency           [{engine, batch, network, ms}], medians on `threads` threads
  checks            file: max_abs_logit_difference to the network in PyTorch, on `checked_on`
  accuracy          of the written network on these images, 0..1; null: they are random numbers
  rounding          with --round-to: multiple, channels_back, max_abs_logit_change in float64
  warnings          sentences: what is missing and why, where pruning did not make it faster"""


def add_commands(subparsers: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """The command, made by `add`."""
    sentence = "the pruned network of a run as safetensors, ONNX and torch.export, with latencies and a model card"
    raw: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    model_ = add(subparsers, "model", model, sentence, race=RUN, epilog=KEYS, **raw)
    places = "folder or zip (a name that ends in .zip) to make; one that holds something else is refused"
    model_.add_argument("--out", required=True, metavar="DIR|ZIP", help=places)
    rounded = "8 or 16: pruned channels come back as zeros until every width is a multiple of it; the function stays the same"
    model_.add_argument("--round-to", type=int, metavar="N", help=rounded)


def model(options: argparse.Namespace) -> int:
    """Write the files."""
    found = named(options)
    run = one_run(found)
    from catalyst_core.deploy.of_run import write_run  # imports torch

    with aside():  # what a network of somebody's own prints
        exported = write_run(found.store, run, Path(options.out), round_to=options.round_to)
    record = {"race": run.race_id, "run": run.id, "out": options.out} | exported.record
    if options.json:
        print_json({key: value for key, value in record.items() if key not in ("facts", "title")})
        return 0
    print(f"run {run.id}: {run.label} seed {run.config.seed}; {len(exported.files)} files in {options.out}")
    print("\n".join(f"  {name:22}{size(count):>9}" for name, count in record["files"].items()))
    print(table(latency_rows(record)))
    for one in exported.warnings:
        print(f"warning: {one}")
    return 0


def latency_rows(record: dict[str, Any]) -> list[dict[str, str]]:
    """A row an engine and batch size: milliseconds of every network."""
    found = side_by_side(record["latency"]).items()
    return [
        {"engine": engine, "images": str(batch)} | {name: f"{ms:.3g} ms" for name, ms in row.items()}
        for (engine, batch), row in found
    ]
