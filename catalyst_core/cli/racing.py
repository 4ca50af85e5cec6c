"""`race`: from options to a configuration, and following a race to its end."""

import argparse
import json
import sys
import time
from typing import Any

from tqdm import tqdm

from catalyst_core.catalog import DATASETS, methods
from catalyst_core.cli.report import aside, ledger_rows, ledger_table, print_json
from catalyst_core.config import DataConfig, RaceConfig, Schedule, parse_method
from catalyst_core.engine import launcher
from catalyst_core.errors import ConfigError, StoreUnavailableError, shown
from catalyst_core.store import RaceInfo, Store, open_store

LOOK_SECONDS = 0.5
AWAY_SECONDS = 2.0  # between two looks at a store that is away


def race(options: argparse.Namespace) -> int:
    """Start a race; follow it unless --detach; print its ledger. 1 when a contender failed."""
    config = race_config(options)
    store = open_store(options.store)
    race_id = launcher.start_race(store, config, options.priority, _try_network)
    if options.detach:
        print(json.dumps({"race": race_id}) if options.json else race_id)
        return 0
    return follow(store, race_id, as_json=options.json)


def _try_network(config: RaceConfig) -> None:
    """Every contender would fail of a network or weights that do not fit: they are tried before there is a race.

    Raises as `try_network`.
    """
    from catalyst_core.training.report import try_network  # imports torch

    with aside():
        try_network(config.contenders()[0])


def follow(store: Store, race_id: str, *, as_json: bool) -> int:
    """Show progress on standard error until every contender has ended, then print the ledger."""
    try:
        found = _wait(store, race_id)
    except KeyboardInterrupt:
        print(
            f"\nrace {race_id} goes on in the background: `show {race_id}` looks at it, `stop {race_id}` ends it", file=sys.stderr
        )
        raise
    failed = [run for run in found.runs if run.state == "failed"]
    if as_json:
        print_json({"race": race_id, "config": found.config.model_dump(mode="json"), "ledger": ledger_rows(found)})
    else:
        print(f"race {race_id}")
        print(ledger_table(found))
    for run in failed:
        print(f"catalyst: {run.label}, seed {run.config.seed}: {run.reason}", file=sys.stderr)
    return 1 if failed else 0


def _wait(store: Store, race_id: str) -> RaceInfo:
    with tqdm(total=1.0, file=sys.stderr, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}") as bar:
        while True:
            try:
                launcher.watch(store)
                found = store.race(race_id)
            except StoreUnavailableError as error:  # its workers go on, and so does this when it is back
                bar.set_postfix_str(str(error))
                time.sleep(AWAY_SECONDS)
                continue
            bar.n = share_done(found)
            bar.set_description_str(f"race {race_id}", refresh=False)
            bar.set_postfix_str(going(found))
            if found.is_finished:
                return found
            time.sleep(LOOK_SECONDS)


def share_done(found: RaceInfo) -> float:
    """How far a race is, 0..1."""
    return sum(1.0 if run.is_finished else run.progress for run in found.runs) / len(found.runs)


def going(found: RaceInfo) -> str:
    """What is training, a stage a contender, and how many wait."""
    several = len(found.config.seeds) > 1
    busy = [run for run in found.runs if not run.is_finished and run.state != "queued"]
    said = [f"{run.label}{f' seed {run.config.seed}' if several else ''} {run.stage or 'starting'}" for run in busy]
    queued = sum(run.state == "queued" for run in found.runs)
    return ", ".join(said + [f"{queued} queued"] * bool(queued))


def race_config(options: argparse.Namespace) -> RaceConfig:
    """The options as a validated configuration. Raises ConfigError."""
    given = vars(options)
    schedule = {name: given[name] for name in Schedule.model_fields if given.get(name) is not None}
    return RaceConfig.build(
        **subject(options),
        methods=_methods(options),
        macs_ratio=options.macs_ratio,
        seeds=numbers(options.seeds, int, "--seed"),
        schedule={**schedule, "recalibrate": not options.no_recalibrate},
        title=options.title,
    )


def subject(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of a RaceConfig, unchecked: the images, the network with its weights, and the share that goes."""
    given, preset = vars(options), DATASETS.get(options.dataset)
    data = {name: given[name] for name in DataConfig.model_fields if given.get(name) is not None}
    return {
        "data": {"name": options.dataset, **data},
        "model": options.model or (preset.model if preset else "cnn"),
        "weights": options.weights,
        "fresh_head": options.fresh_head,
        "pruning_ratio": options.pruning_ratio,
    }


def _methods(options: argparse.Namespace) -> list[dict[str, Any]]:
    strengths = _strengths(options.strength)
    contenders: list[dict[str, Any]] = []
    for text in options.methods.split(","):
        fields = parse_method(text)
        fields = _for_all(options, fields) | fields
        chosen = strengths.pop(fields["name"], None)
        contenders += [fields] if chosen is None else [fields | {"strength": value} for value in chosen]
    if strengths:
        raise ConfigError(
            f"--strength names {shown(sorted(strengths)[0])}, which is not among the methods {shown(options.methods)}"
        )
    return contenders


def _for_all(options: argparse.Namespace, fields: dict[str, Any]) -> dict[str, Any]:
    """What the options for every method say of this one: those that it has."""
    known = methods().get(fields["name"])
    if known is None or known.is_peer:  # how a peer regularizes and cuts is its own
        return {}
    has = {"magnitude"}
    if known.strength is not None:
        has |= {"solver", "canonicalize"}
    if known.cuts == "channels":
        has |= {"recovery"} | ({"allocation"} if "start_ratio" not in fields else set())
    if fields["name"] == "catalyst":
        has.add("start_ratio")
        has -= {"allocation"} if options.start_ratio is not None else set()
    return {name: value for name in sorted(has) if (value := getattr(options, name))}


def _strengths(texts: list[str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals:
            raise ConfigError(f"--strength {shown(text)} is not of the form METHOD=VALUE[,VALUE...]")
        found[name.strip()] = numbers(values, float, "--strength")
    return found


def numbers(text: str, kind: type, option: str) -> list[Any]:
    """The comma-separated numbers of an option. Raises ConfigError."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"{option} {shown(text)} is not a comma-separated list of numbers") from None
