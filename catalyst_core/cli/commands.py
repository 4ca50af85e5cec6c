"""`list`, `show`, `resume`, `stop` and `export`."""

import argparse
from pathlib import Path

from catalyst_core.cli.racing import follow
from catalyst_core.cli.report import ledger_table, print_json, race_record, run_lines, say
from catalyst_core.engine import launcher
from catalyst_core.export import write_bundle
from catalyst_core.store import RaceInfo, Store, open_store


def list_races(options: argparse.Namespace) -> int:
    """All races, newest first."""
    store = open_store(options.store)
    launcher.watch(store)
    races = store.races()
    if options.json:
        print_json({"store": store.name, "races": [race_record(race, brief=True) for race in races]})
        return 0
    for race in races:
        methods = ", ".join(dict.fromkeys(run.label for run in race.runs))
        print(f"{race.id}  {race.state:10} {race.created.astimezone():%Y-%m-%d %H:%M}  {race.title}  [{methods}]")
    if not races:
        print(f"No races in {store.name} yet. Start one: python -m catalyst_core race")
    return 0


def show(options: argparse.Namespace) -> int:
    """One race: every contender's state and worker, and the ledger."""
    _, race = _named(options)
    if options.json:
        print_json(race_record(race))
        return 0
    print(f"race {race.id}: {race.title} ({race.state})")
    print("\n".join(run_lines(race)))
    if any(run.ledger for run in race.runs):
        print(ledger_table(race))
    return 0


def resume(options: argparse.Namespace) -> int:
    """Start the failed and stopped contenders again, and follow them unless --detach."""
    store, race = _named(options)
    resumed = launcher.resume_race(store, race.id)
    if not options.detach and (resumed or not race.is_finished):
        return follow(store, race.id, as_json=options.json)
    say({"race": race.id, "resumed": resumed}, f"race {race.id}: {resumed} contenders started again", as_json=options.json)
    return 0


def stop(options: argparse.Namespace) -> int:
    """Ask the live contenders to stop."""
    store, race = _named(options)
    stopped = launcher.stop_race(store, race.id)
    say({"race": race.id, "stopped": stopped}, f"race {race.id}: {stopped} contenders asked to stop", as_json=options.json)
    return 0


def export(options: argparse.Namespace) -> int:
    """Write the figures, their numbers and the ledger into a folder."""
    store = open_store(options.store)
    race = store.race(options.race)
    files = write_bundle(store, race.id, Path(options.out))
    record = {"race": race.id, "out": options.out, "files": [str(file) for file in files]}
    say(record, f"race {race.id}: {len(files)} files in {options.out}", as_json=options.json)
    return 0


def _named(options: argparse.Namespace) -> tuple[Store, RaceInfo]:
    """The store and the race that the options name, its dead workers marked."""
    store = open_store(options.store)
    launcher.watch(store)
    return store, store.race(options.race)
