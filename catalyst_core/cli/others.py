"""`tensorboard` and `mlflow`: races written for others' tools, TensorBoard's histograms read into our figures."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalyst_core.cli.report import say
from catalyst_core.errors import ConfigError, shown
from catalyst_core.figures.words import size
from catalyst_core.store import open_store

KINDS = ("html", "svg", "png", "pdf", "csv")
FIGURES = ("rows", "overlay", "map")
RACE = ("RACE", "the race's id, or the beginning of it")

READ = """\
Without --out: the runs and tags that hold histograms. Patterns may hold * and have to be quoted; both options may be repeated.

figures:
  rows      a histogram of |w| in a row each, at the last step or at --step; as html with a slider over the steps
  overlay   all of them over each other in one panel, such as two runs of one layer; likewise
  map       their density over the steps, in a row each

These are single weights, signed, in TensorBoard's buckets: each is spread evenly over its bucket and counted anew by its size in
the bins of our magnitudes. They are no filter magnitudes. csv: exactly the numbers of the figure."""

Add = Callable[..., argparse.ArgumentParser]


def add_commands(subparsers: Any, add: Add) -> None:
    """Both commands, each command of theirs made by `add`."""
    raw: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    tensorboard = subparsers.add_parser("tensorboard", help="a race as TensorBoard's event files; histograms of others' runs")
    whats = tensorboard.add_subparsers(required=True, metavar="WHAT")
    sentence = "scalars, histograms, settings and ledger of a race, a folder a contender in LOGDIR/RACE"
    written = add(whats, "write", write_tensorboard, sentence, race=RACE)
    written.add_argument("--out", required=True, metavar="LOGDIR", help="an earlier one of this race there is replaced")
    looked = add(whats, "read", read_tensorboard, "histograms of weights as our figures", epilog=READ, **raw)
    looked.add_argument("logdir", metavar="LOGDIR", help="an event file, or a folder with event files at or below it")
    looked.add_argument("--tag", action="append", default=[], metavar="PATTERN", help="only histograms of this name")
    looked.add_argument("--run", action="append", default=[], metavar="PATTERN", help="only those of this run, its folder's name")
    looked.add_argument("--figure", default="rows", choices=FIGURES, help="what is drawn (default: rows)")
    looked.add_argument("--step", type=int, metavar="N", help="the last look at or before this step (default: the newest)")
    looked.add_argument("--out", metavar="FILE", help=f"the file to make, which ends in one of .{', .'.join(KINDS)}")
    mlflow = subparsers.add_parser("mlflow", help="a finished race in MLflow's file store")
    whats = mlflow.add_subparsers(required=True, metavar="WHAT")
    kept = add(
        whats, "write", write_mlflow, "an experiment a race, a run a contender; a race that is there is refused", race=RACE
    )
    kept.add_argument("--out", required=True, metavar="DIR", help="a file store of MLflow, or a folder that is new or empty")


def write_tensorboard(options: argparse.Namespace) -> int:
    """Write a race for TensorBoard."""
    from catalyst_core.others import tensorboard_write

    store = open_store(options.store)
    race = store.race(options.race)
    folder = tensorboard_write.write_tensorboard(store, race.id, Path(options.out))
    files = sorted(str(file) for file in folder.rglob("*tfevents*"))
    record = {"race": race.id, "out": str(folder), "files": files}
    text = f"race {race.id}: {len(files)} runs in {folder}; to look: tensorboard --logdir {options.out}"
    say(record, text, as_json=options.json)
    return 0


def write_mlflow(options: argparse.Namespace) -> int:
    """Write a finished race for MLflow."""
    from catalyst_core.others import mlflow_write

    store = open_store(options.store)
    race = store.race(options.race)
    name = mlflow_write.write_mlflow(store, race.id, Path(options.out))
    record = {"race": race.id, "out": options.out, "experiment": name, "runs": len(race.runs), "note": mlflow_write.MAINTENANCE}
    text = f"race {race.id}: {len(race.runs)} runs in {options.out}, experiment {name}\n{mlflow_write.MAINTENANCE}"
    say(record, text, as_json=options.json)
    return 0


def read_tensorboard(options: argparse.Namespace) -> int:
    """List histograms, or draw them into a file."""
    kind = _kind(options.out)
    from catalyst_core.others import tensorboard_read

    found = tensorboard_read.read(Path(options.logdir))
    chosen = found.chosen(options.tag, options.run)
    series = [
        {"run": one.run, "tag": one.tag, "looks": len(looks), "first": looks[0].step, "last": looks[-1].step}
        | {"time": datetime.fromtimestamp(looks[-1].time, UTC).isoformat(timespec="seconds")}
        for one, looks in chosen.items()
    ]
    record = {"logdir": options.logdir, "files": found.files, "left_out": found.left_out, "thinned": len(found.thinned)}
    lines = [f"{one['run']}  {one['tag']}  {one['looks']} looks, steps {one['first']} to {one['last']}" for one in series]
    if kind is not None:
        from catalyst_core.export.weights import weights_file
        from catalyst_core.frames.weights import weights_frame

        content = weights_file(weights_frame(chosen), kind, options.figure, options.step)
        _write(options.out, content)
        record |= {"out": options.out, "bytes": len(content)}
        lines = [f"{len(series)} histograms: {size(len(content))} in {options.out}"]
    if found.left_out:
        lines.append(f"{found.left_out} histograms were left out: their buckets do not rise, or hold no numbers")
    if found.thinned:
        lines.append(f"of {len(found.thinned)} histograms with very many steps not every step was kept")
    say(record | {"histograms": series}, "\n".join(lines), as_json=options.json)
    return 0


def _kind(out: str | None) -> Any:
    """What kind of file is wanted, by its ending; None where none is."""
    if out is None:
        return None
    kind = Path(out).suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise ConfigError(f"--out {shown(out)}: the name has to end in one of .{', .'.join(KINDS)}")
    return kind


def _write(out: str, content: bytes) -> None:
    from catalyst_core.whole import writing

    try:
        with writing(Path(out)) as file:
            file.write(content)
    except OSError as error:
        raise ConfigError(f"--out {shown(out)}: cannot be written ({error.strerror or error})") from None
