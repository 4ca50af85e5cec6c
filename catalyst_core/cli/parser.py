"""The commands and their options, with help that teaches."""

import argparse
import re
import sys
from typing import Any, NoReturn

from catalyst_core.catalog import DATASETS, DEFAULT_METHODS, METHODS, MODELS
from catalyst_core.changes import NAMES
from catalyst_core.cli import (
    archives,
    auditing,
    benching,
    commands,
    deploying,
    images,
    ledgers,
    networks,
    others,
    racing,
    steering,
)
from catalyst_core.cli.options import add_subject, described, flag, metavar, positive, whole
from catalyst_core.config import DataConfig, MethodConfig, RaceConfig, Schedule
from catalyst_core.errors import SHOWN

EXAMPLES = """\
examples:
  python -m catalyst_core race                                  five methods on digits, followed to the end
  python -m catalyst_core race --methods catalyst,l1 --strength l1=0.003,0.01,0.03 --seeds 0,1,2
  python -m catalyst_core race --dataset fashion_mnist --model resnet20 --pruning-ratio 0.7 --detach
  python -m catalyst_core list
  python -m catalyst_core set 3f2a strength 3 --contender catalyst
  python -m catalyst_core export 3f2a --out race.zip

The dashboard (`streamlit run app/main.py`) shows the same races: both read one store."""

RACE = ("RACE", "the race's id, or the beginning of it")
RACE_OR_RUN = ("RACE|RUN", "a race's id or the beginning of it, for all its contenders; or the id of one run")
PRIORITY = "-100 to 100: the larger, the sooner a queued contender starts"


class _Parser(argparse.ArgumentParser):
    """Wrong options are one sentence, as every other wrong input."""

    def error(self, message: str) -> NoReturn:
        seen = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in message)
        short = re.sub(rf"\S{{{SHOWN},}}", lambda word: f"{word[0][:SHOWN]}...", seen)
        print(f"catalyst: {short[: 10 * SHOWN]} (try: {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def build_parser() -> argparse.ArgumentParser:
    """All commands."""
    parser = _Parser(
        prog="python -m catalyst_core",
        description="Race regularizers for structured pruning against each other, in background processes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_race(subparsers)
    _add_network(subparsers)
    _add_looks(subparsers)
    _add_archives(subparsers)
    images.add_commands(subparsers, _add)
    others.add_commands(subparsers, _add)
    deploying.add_commands(subparsers, _add)
    _add_steering(subparsers)
    _add_audit(subparsers)
    _add_bench(subparsers)
    return parser


def _add_network(subparsers: Any) -> None:
    sentence = "what can be pruned of a network, what cannot and why, its costs, and a trial of the cut"
    network = subparsers.add_parser("network", help=sentence, description=sentence[0].upper() + sentence[1:] + ".")
    network.set_defaults(command=networks.network)
    add_subject(network)
    network.add_argument(
        "--check", action="store_true", help="only whether it can be raced: built, run, trained, its groups found"
    )
    network.add_argument("--json", action="store_true", help="print one JSON object")


def _add_looks(subparsers: Any) -> None:
    listed = _add(subparsers, "list", commands.list_races, "all races, newest first")
    listed.add_argument("--limit", type=positive, metavar="N", help="only the N newest")
    sentence = "one race: states, workers, checkpoints, changes, ledger; and how to go on"
    _add(subparsers, "show", commands.show, sentence, race=RACE_OR_RUN)
    export = _add(subparsers, "export", commands.export, "figures, their numbers and the ledger as files", race=RACE)
    places = "zip (a name that ends in .zip) or folder to make; one that holds something else is refused"
    export.add_argument("--out", required=True, metavar="ZIP|DIR", help=places)
    deleted = _add(subparsers, "delete", commands.delete, "remove a finished race with its events and files", race=RACE)
    deleted.add_argument("--yes", action="store_true", help="do not ask")
    _add(subparsers, "space", commands.space, "what the store takes on disk, what it may take, and what is free")


def _add_archives(subparsers: Any) -> None:
    packed = _add(subparsers, "pack", archives.pack, "a finished race as one file, for another store", race=RACE)
    packed.add_argument("--out", required=True, metavar="FILE", help="the file to make, such as mine.race")
    packed.add_argument("--as", dest="new_id", default="", metavar="ID", help="the id that it has there (default: its own)")
    packed.add_argument("--looks", type=positive, metavar="N", help="thin the looks at the filters, the N newest stay dense")
    without = "leave out some of pruned,dense,checkpoints: the networks of the race (default: none)"
    packed.add_argument("--without", default="", metavar="LIST", help=without)
    packed.add_argument("--note", default="", metavar="TEXT", help="where it comes from, for whoever opens it")
    unpacked = _add(subparsers, "unpack", archives.unpack, "take a packed race into the store, all of it or nothing")
    unpacked.add_argument("file", metavar="FILE", help="what `pack` or the Runs page made")


def _add_steering(subparsers: Any) -> None:
    for name, command, sentence in (
        ("pause", steering.pause, "pause its running contenders at their next step"),
        ("continue", steering.go_on, "let its paused contenders go on"),
        ("stop", steering.stop, "stop its live contenders; those in the sparse stage still cut"),
    ):
        _add(subparsers, name, command, sentence, race=RACE_OR_RUN)
    sentence = "let its failed and stopped contenders go on where they were"
    resume = _add(subparsers, "resume", commands.resume, sentence, race=RACE_OR_RUN)
    resume.add_argument("--detach", action="store_true", help="do not wait for the end")
    changed = _add(subparsers, "set", steering.change, "change a setting of its live contenders", race=RACE_OR_RUN)
    changed.add_argument("name", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    changed.add_argument("value", metavar="VALUE", help="a number, or a word for solver and schedule")
    changed.add_argument("--contender", metavar="LABEL", help="only the contenders of this label, as `show` names them")
    fork = _add(subparsers, "fork", steering.fork, "start a new contender from a kept checkpoint", race=("RUN", "a run's id"))
    fork.add_argument("checkpoint", metavar="CHECKPOINT", help="its name, or the beginning of it, as `show` lists them")
    fork.add_argument("--as", dest="name", required=True, metavar="NAME", help=described(MethodConfig, "variant"))
    fork.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting to change there (repeatable)")
    fork.add_argument("--detach", action="store_true", help="do not wait for the end")
    moved = _add(subparsers, "priority", steering.priority, "move queued contenders in the queue", race=RACE_OR_RUN)
    moved.add_argument("priority", type=whole, metavar="N", help=PRIORITY)


def _add_audit(subparsers: Any) -> None:
    audit = subparsers.add_parser("audit", help="how good decisions were, and whether they depend on the scale of filters")
    kinds = audit.add_subparsers(required=True, metavar="WHAT")
    raw: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    sentence = "gap, margins, flips, magnitude bias and certificate of every contender of a race"
    _add(kinds, "run", auditing.run, sentence, race=RACE, epilog=auditing.RUN_KEYS, **raw)
    sentence = "accuracy, MACs and logit change of one contender at other budgets, on validation images"
    run = ("RUN", "a run's id, or that of a race with one run")
    _add(kinds, "budgets", auditing.budgets, sentence, race=run, epilog=auditing.BUDGET_KEYS, **raw)
    sentence = "rescale filters without changing the function, train again, and see whether the same ones are kept"
    rescale = _add(kinds, "rescale", auditing.rescale, sentence, epilog=auditing.RESCALE_KEYS, **raw)
    usual = auditing.METHODS
    add_subject(rescale)
    rescale.add_argument("--methods", default=usual, metavar="LIST", help=f"comma-separated, as for race (default: {usual})")
    rescale.add_argument("--seeds", default="0,1,2", metavar="LIST", help="comma-separated (default: 0,1,2)")
    rescale.add_argument("--train-images", type=int, metavar="N", help=described(DataConfig, "train_images"))
    for name in ("dense_epochs", "sparse_epochs"):
        rescale.add_argument(flag(name), type=int, metavar="N", help=described(Schedule, name))


def _add_bench(subparsers: Any) -> None:
    bench = subparsers.add_parser("bench", help="timings on this machine, as ratios measured side by side")
    kinds = bench.add_subparsers(required=True, metavar="WHAT")
    sentence = "what a regularizer adds to a training step, ours and Torch-Pruning's"
    description = f"{sentence[0].upper()}{sentence[1:]}. {benching.REGULARIZERS}"
    timed = kinds.add_parser("regularizers", aliases=["regularizer"], help=sentence, description=description)
    timed.set_defaults(command=benching.regularizers)
    timed.add_argument("--steps", type=int, default=30, metavar="N", help="timed steps a network (default: 30)")
    timed.add_argument("--threads", type=int, default=1, metavar="N", help="torch threads (default: 1)")
    timed.add_argument("--json", action="store_true", help="print one JSON object")
    sentence = "what the audits take on 10,000 channels in 50 groups"
    audited = kinds.add_parser("audits", help=sentence, description=sentence[0].upper() + sentence[1:] + ".")
    audited.set_defaults(command=benching.audits)
    audited.add_argument("--draws", type=int, default=200, metavar="N", help="of the noise and the bootstrap (default: 200)")
    audited.add_argument("--json", action="store_true", help="print one JSON object")
    sentence = "how long a training step waits for its images, as a share of the step, and how long loading them takes"
    fed = kinds.add_parser("data", help=sentence, description=sentence[0].upper() + sentence[1:] + ".")
    fed.set_defaults(command=benching.feeding)
    fed.add_argument("--dataset", metavar="NAME", help="data set (default: made-up images like CIFAR-10's)")
    fed.add_argument("--folder", default="", metavar="PATH", help=described(DataConfig, "folder"))
    fed.add_argument("--steps", type=int, default=50, metavar="N", help="timed steps a preset (default: 50)")
    fed.add_argument("--threads", type=int, default=1, metavar="N", help="torch threads (default: 1)")
    fed.add_argument("--json", action="store_true", help="print one JSON object")
    sentence = "what the engine survives and costs: kills, appending, reading, being watched, long lists (20 minutes)"
    survived = kinds.add_parser("engine", help=sentence, description=sentence[0].upper() + sentence[1:] + ".")
    survived.set_defaults(command=benching.engine)
    survived.add_argument("--kills", type=int, default=100, metavar="N", help="SIGKILLs over one race (default: 100)")
    survived.add_argument("--seed", type=int, default=0, metavar="N", help="of when and whom (default: 0)")
    survived.add_argument("--json", action="store_true", help="print one JSON object")
    sentence = "how quick the dashboard is in a real Chromium; 95th percentiles (15 minutes)"
    shown_ = kinds.add_parser("dashboard", help=sentence, description=sentence[0].upper() + sentence[1:] + ".")
    shown_.set_defaults(command=benching.dashboard)
    shown_.add_argument("--ticks", type=int, default=1000, metavar="N", help="over which memory is watched (default: 1000)")
    shown_.add_argument("--json", action="store_true", help="print one JSON object")
    _add_ledger(kinds)


def _add_ledger(kinds: Any) -> None:
    sentence = "race every method and the peers on real images over seeds, and write a report; resumes where it stopped"
    ledger = kinds.add_parser("ledger", help=sentence, description=sentence[0].upper() + sentence[1:] + ".")
    ledger.set_defaults(command=ledgers.ledger)
    ledger.add_argument("--suite", default="quick", choices=ledgers.SUITES, help="what is raced (default: quick, the shortest)")
    places = "folder for races and report (default: ledger-SUITE, with data set, ratios and seeds where they are given)"
    ledger.add_argument("--out", metavar="DIR", help=places)
    ledger.add_argument("--seeds", metavar="LIST", help="instead of the suite's; fewer than three are no result")
    ledger.add_argument("--ratios", metavar="LIST", help="budgets that everybody races at, instead of the suite's")
    ledger.add_argument("--also", metavar="LIST", help="methods that race in addition, as for race: registered ones, say")
    sentence = "instead of the suite's: its own schedule, the contenders of the suite's first task, no studies, no audits"
    ledger.add_argument("--dataset", metavar="NAME", help=f"data set {sentence}")
    for name, kind in {"folder": str, "train_images": int}.items():
        ledger.add_argument(flag(name), type=kind, metavar=metavar(kind), help=f"with --dataset: {described(DataConfig, name)}")
    ledger.add_argument("--model", metavar="NAME", help="with --dataset: network (default: the one that suits it)")
    ledger.add_argument("--report-only", action="store_true", help="race nothing: the report on what is there")
    ledger.add_argument("--json", action="store_true", help="print the ledger as one JSON object")
    sentence = "the results table of README.md from a stored ledger"
    table = kinds.add_parser("table", help=sentence, description=sentence[0].upper() + sentence[1:] + ".")
    table.set_defaults(command=ledgers.table)
    table.add_argument("file", metavar="LEDGER.json", help="what `bench ledger` wrote")
    table.add_argument("--into", metavar="FILE", help="replace what stands between its two `ledger` marks, instead of printing")
    table.add_argument("--json", action="store_true", help="print one JSON object")


def _add(
    subparsers: Any, name: str, command: Any, sentence: str, *, race: tuple[str, str] | None = None, **more: Any
) -> argparse.ArgumentParser:
    """A command; `race`: how its first argument is shown, and what it is."""
    parser = subparsers.add_parser(name, help=sentence, description=sentence[0].upper() + sentence[1:] + ".", **more)
    parser.set_defaults(command=command)
    if race:
        parser.add_argument("race", metavar=race[0], help=race[1])
    parser.add_argument(
        "--store", metavar="URL", help="sqlite:///PATH or PATH; default: $CATALYST_STORE, else ~/.catalyst/catalyst.db"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_race(subparsers: Any) -> None:
    race = _add(
        subparsers,
        "race",
        racing.race,
        "start a race and follow it to its end",
        epilog=_vocabulary(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_subject(race)
    usual = ",".join(DEFAULT_METHODS)
    race.add_argument("--methods", default=usual, metavar="LIST", help=f"comma-separated (default: {usual})")
    race.add_argument("--macs-ratio", type=float, metavar="R", help=described(RaceConfig, "macs_ratio"))
    race.add_argument("--seed", "--seeds", dest="seeds", default="0", metavar="LIST", help="seed, or several: 0,1,2 (default: 0)")
    race.add_argument(
        "--strength",
        action="append",
        default=[],
        metavar="METHOD=LIST",
        help="strength of a method; several values make several contenders: l1=0.003,0.01 (repeatable)",
    )
    race.add_argument("--start-ratio", type=float, metavar="C", help=described(MethodConfig, "start_ratio"))
    race.add_argument("--solver", metavar="NAME", help="proximal or subgradient, for every regularizer (default: proximal)")
    race.add_argument("--magnitude", metavar="NAME", help="response, folded or weight, for every method (default: response)")
    race.add_argument("--allocation", metavar="NAME", help="uniform or global, for every method (default: uniform)")
    recoveries = "full or adapters: how smaller networks are fine-tuned, for every method that cuts channels (default: full)"
    race.add_argument("--recovery", metavar="NAME", help=recoveries)
    race.add_argument("--canonicalize", action="store_true", help=described(MethodConfig, "canonicalize"))
    for name in ("train_images", "batch_size"):
        race.add_argument(flag(name), type=int, metavar="N", help=described(DataConfig, name))
    race.add_argument("--augment", nargs="?", const="shift_flip", metavar="PRESET", help=described(DataConfig, "augment"))
    race.add_argument("--no-augment", dest="augment", action="store_const", const="none", help="the same as --augment none")
    for name, field in Schedule.model_fields.items():
        if name != "recalibrate":
            kind = int if name.endswith("epochs") else float
            race.add_argument(flag(name), type=kind, metavar=metavar(kind), help=described(Schedule, name, field.default))
    race.add_argument("--no-recalibrate", action="store_true", help="leave the BatchNorm statistics after the cut as they are")
    race.add_argument("--priority", type=whole, default=0, metavar="N", help=f"{PRIORITY} (default: 0)")
    race.add_argument("--title", default="", help=described(RaceConfig, "title"))
    race.add_argument("--detach", action="store_true", help="print the race's id and do not wait for the end")


def _vocabulary() -> str:
    lines = []
    for title, entries in (("methods", METHODS), ("models", MODELS), ("data sets", DATASETS)):
        lines += [f"{title}:"] + [f"  {name:19} {entry.sentence}" for name, entry in entries.items()] + [""]
    return "\n".join(lines) + "A method may carry settings: --methods catalyst:start_ratio=1.3:strength=3,l1:solver=subgradient"
