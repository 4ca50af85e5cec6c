"""`bench ledger` and `bench table`: the evidence, raced and written; the table of it in README.md."""

import argparse
import itertools
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from catalyst_core.bench.ledger.plan import main_steps, sweep_step
from catalyst_core.bench.ledger.suites import SUITES, Suite, Task
from catalyst_core.catalog import DATASETS, MODELS
from catalyst_core.cli.racing import going, numbers, share_done
from catalyst_core.cli.report import print_json
from catalyst_core.config import RaceConfig, parse_method
from catalyst_core.data import check_data
from catalyst_core.errors import ConfigError, shown
from catalyst_core.store import RaceInfo

GIVEN = ("dataset", "folder", "model", "train_images", "ratios", "seeds", "also")  # options that change what is raced
NAMED = ("dataset", "model", "ratios", "seeds", "also")  # those that the default folder is named after


def ledger(options: argparse.Namespace) -> int:
    """Race what is missing and write the report. 1 when a contender failed."""
    suite, out = chosen_suite(options), Path(options.out or _folder(options))
    _check_place(out, options)
    for heat in suite.heats:  # whatever is wrong with a setting is said before anything is made
        for step in [*main_steps(suite, heat, {}), sweep_step(suite, suite.task(heat.task))]:
            if options.dataset and step is not None:
                check_data(step.config.data)
    found = _run(options, suite, out) | {"command": command(options)}
    from catalyst_core.bench.ledger.report import write  # draws: imports plotly and matplotlib

    try:
        write(found, out)
    except OSError as error:
        raise ConfigError(f"--out {shown(str(out))}: cannot be written ({error.strerror})") from None
    if options.json:
        print_json(found)
    else:
        print("\n".join(_told(found, out)))
    return 1 if any(row["state"] == "failed" for row in found["rows"]) else 0


def table(options: argparse.Namespace) -> int:
    """Print the README's table of a ledger, or put it where it belongs."""
    from catalyst_core.bench.ledger import readme  # imports plotly

    name = shown(options.file)
    try:
        text = readme.table(json.loads(Path(options.file).read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{name} cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError, AttributeError):  # whatever a file of another kind trips over
        raise ConfigError(f"{name} is no ledger.json that `bench ledger` wrote") from None
    if options.into:
        readme.into(Path(options.into), text)
    if options.json:
        print_json({"into": options.into, "table": text})
    elif not options.into:
        print(text)
    return 0


def chosen_suite(options: argparse.Namespace) -> Suite:
    """The suite with the seeds, ratios, data set and further methods that were asked for. Raises ConfigError."""
    suite = SUITES[options.suite]
    if options.dataset:
        suite = _elsewhere(suite, _task(options))
    elif extra := next((name for name in ("folder", "model", "train_images") if getattr(options, name)), None):
        raise ConfigError(f"--{extra.replace('_', '-')} belongs to --dataset, which was not given")
    if options.ratios:
        ratios = tuple(dict.fromkeys(numbers(options.ratios, float, "--ratios")))
        first = {heat.task: heat for heat in reversed(suite.heats)}  # where the whole field races
        suite = replace(suite, heats=tuple(replace(heat, ratios=ratios) for heat in suite.heats if heat is first[heat.task]))
    if options.also:
        more = tuple(parse_method(text) for text in options.also.split(","))
        for method in more:
            RaceConfig.build(methods=[method])
        suite = replace(suite, heats=tuple(replace(heat, methods=(*heat.methods, *more)) for heat in suite.heats))
    if options.seeds:
        seeds = tuple(numbers(options.seeds, int, "--seeds"))
        apart = next(seed for seed in itertools.count(suite.sweep.seed) if seed not in seeds)
        suite = replace(suite, seeds=seeds, sweep=replace(suite.sweep, seed=apart))
    return suite


def _task(options: argparse.Namespace) -> Task:
    """The data set that was asked for; its schedule is the preset's."""
    data = {name: getattr(options, name) for name in ("folder", "train_images") if getattr(options, name)}
    preset = DATASETS.get(options.dataset)
    model = options.model or (preset.model if preset else "cnn")
    known = RaceConfig.build(data={"name": options.dataset, **data}, model=model)
    if preset is None:
        raise ConfigError(f"--dataset {shown(options.dataset)}: one of {', '.join(DATASETS)}")
    title = f"{DATASETS[known.data.name].title}, {MODELS[known.model].title}"
    notes = [f"Folder {options.folder}."] if options.folder else []
    images = known.contenders()[0].data.train_images
    notes += [f"At most {images:,} training images."] if images else []
    return Task(options.dataset, title, {"name": options.dataset, **data}, model, note=" ".join(notes))


def _elsewhere(suite: Suite, task: Task) -> Suite:
    """The contenders of the suite's first task, on another one."""
    heats = tuple(replace(heat, task=task.name) for heat in suite.heats if heat.task == suite.tasks[0].name)
    timed = (task.name,) if suite.timed else ()
    title = f"{suite.title.partition(':')[0]}: {task.title}"
    return replace(suite, title=title, tasks=(task,), heats=heats, studies=(), audits=(), timed=timed)


def command(options: argparse.Namespace) -> str:
    """What repeats this, for a shell; the folder is left out."""
    given = [(name, getattr(options, name)) for name in ("suite", *GIVEN) if getattr(options, name)]
    words = [f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in given]
    return " ".join(["python -m catalyst_core bench ledger", *words])


def _folder(options: argparse.Namespace) -> str:
    """'ledger-quick', and what else was asked for, so that one report does not take another's place."""
    asked = [f"{name}-{value}" for name in NAMED if (value := getattr(options, name))]
    return re.sub(r"[,:=]", "-", "-".join(["ledger", options.suite, *asked]).replace(" ", ""))


def _check_place(out: Path, options: argparse.Namespace) -> None:
    """Raise ConfigError where a folder is somebody else's, or has nothing to report on."""
    is_ours = (out / "done.json").is_file()
    if options.report_only and not is_ours:
        raise ConfigError(f"--report-only: nothing has been raced in {shown(str(out))} yet")
    if out.exists() and not is_ours and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out {shown(str(out))}: there is something else already; name a folder to make")


class _Progress:
    """Lines on standard error: what ended, what begins; on a terminal also how far it is."""

    def __init__(self) -> None:
        form = "{desc} {percentage:3.0f}%|{bar}|{postfix}"
        self.bar = tqdm(total=1.0, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False, bar_format=form)
        self.race = ""

    def tell(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def look(self, race: RaceInfo) -> None:
        if race.id != self.race:
            self.race, self.bar.n = race.id, 0.0
            self.tell(f"going: {race.title}, {len(race.runs)} contenders (race {race.id})")
        self.bar.n = share_done(race)
        self.bar.set_description_str(race.title, refresh=False)
        self.bar.set_postfix_str(going(race))


def _run(options: argparse.Namespace, suite: Suite, out: Path) -> dict[str, Any]:
    from catalyst_core.bench.ledger.run import Bench  # imports pandas

    progress = _Progress()
    try:
        bench = Bench(options.suite, suite, out, progress.tell, progress.look)
    except OSError as error:
        raise ConfigError(f"--out {shown(str(out))}: cannot be written ({error.strerror})") from None
    except (ValueError, TypeError):
        raise ConfigError(f"--out {shown(str(out))}: its done.json is damaged") from None
    try:
        return bench.so_far() if options.report_only else bench.run()
    except KeyboardInterrupt:
        progress.tell("The race that is going goes on in the background. The same command goes on from there, and")
        progress.tell(f"with --report-only it writes the report so far: {command(options)} --out {shlex.quote(str(out))}")
        raise
    finally:
        progress.bar.close()


def _told(found: dict[str, Any], out: Path) -> list[str]:
    from catalyst_core.bench.ledger.tables import verdict
    from catalyst_core.bench.ledger.targets import targets

    lines = [f"{one['task']}: {verdict(one)}: {one['sentence']}" for one in targets(found)]
    lines += [f"not run: {one['title']}: {one['reason']}" for one in found["not_run"]]
    return [*lines, f"{out / 'report.html'}, report.md, rows.csv, summary.csv, ledger.json, figures"]
