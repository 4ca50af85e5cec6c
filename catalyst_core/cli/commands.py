"""`list`, `show`, `resume`, `delete`, `export` and `space`."""

import argparse
import sys
from pathlib import Path

from catalyst_core.cli.naming import checkpoints, named
from catalyst_core.cli.racing import follow
from catalyst_core.cli.report import ledger_table, print_json, run_lines, say
from catalyst_core.cli.told import history_lines, line_record, race_record
from catalyst_core.engine import launcher, room
from catalyst_core.errors import ConfigError, RunFinishedError
from catalyst_core.export import write_bundle, write_zip
from catalyst_core.figures.words import size
from catalyst_core.store import RaceLine, open_store


def list_races(options: argparse.Namespace) -> int:
    """The newest races, or all of them."""
    store = open_store(options.store)
    launcher.watch(store, sure=True)
    store.purge()
    lines = store.race_lines(options.limit)
    if options.json:
        print_json({"store": store.name, "races": [line_record(line) for line in lines]})
        return 0
    for line in lines:
        print(
            f"{line.id}  {_state(line):18} {line.created.astimezone():%Y-%m-%d %H:%M}  {line.title}  [{', '.join(line.methods)}]"
        )
    if not lines:
        print(f"No races in {store.name} yet. Start one: python -m catalyst_core race")
    return 0


def _state(line: RaceLine) -> str:
    """'running 2 of 5'; a state that all contenders share stands alone."""
    here = line.counts[line.state]
    return line.state if here == line.contenders else f"{line.state} {here} of {line.contenders}"


def show(options: argparse.Namespace) -> int:
    """One race: every contender's state, worker, checkpoints and changes, and the ledger."""
    found = named(options)
    store, race = found.store, found.race
    changed, kept = store.race_events(race.id, kinds=["setting", "rollback"]), checkpoints(store, race)
    if options.json:
        print_json(race_record(race, store.now(), changed, kept))
        return 0
    print(f"race {race.id}: {race.title} ({race.state})")
    print("\n".join(run_lines(race)))
    print("\n".join(history_lines(race, changed, kept)))
    if any(run.ledger for run in race.runs):
        print(ledger_table(race))
    return 0


def resume(options: argparse.Namespace) -> int:
    """Let failed and stopped contenders go on where they were, and follow them unless --detach."""
    found = named(options)
    store, race = found.store, found.race
    if found.run is not None:
        launcher.resume_run(store, found.run.id)
        resumed = 1
    else:
        resumed = launcher.resume_race(store, race.id)
        if not resumed and race.is_finished:
            raise RunFinishedError(f"race {race.id} is {race.state}: only failed and stopped contenders can go on")
    if not options.detach:
        return follow(store, race.id, as_json=options.json)
    say({"race": race.id, "resumed": resumed}, f"race {race.id}: {resumed} contenders go on", as_json=options.json)
    return 0


def delete(options: argparse.Namespace) -> int:
    """Remove a finished race with its events and files."""
    store = open_store(options.store)
    launcher.watch(store, sure=True)
    race = store.race(options.race, hidden=True)
    if not options.yes:
        if options.json or not sys.stdin.isatty():
            raise ConfigError(f"race {race.id} ({race.title}) would be deleted for good: say so with --yes")
        if input(f"Delete race {race.id} ({race.title}) with its events and checkpoints? [y/N] ").strip().lower() not in (
            "y",
            "yes",
        ):
            print("Nothing was deleted.")
            return 0
    store.delete_race(race.id)
    say({"race": race.id, "deleted": True}, f"race {race.id} is deleted", as_json=options.json)
    return 0


def export(options: argparse.Namespace) -> int:
    """Write the figures, their numbers and the ledger into a zip or a folder."""
    store = open_store(options.store)
    race = store.race(options.race)
    out = Path(options.out)
    if out.suffix.lower() == ".zip":
        file = write_zip(store, race.id, out)
        record = {"race": race.id, "out": options.out, "bytes": file.stat().st_size}
        say(record, f"race {race.id}: {size(record['bytes'])} in {options.out}", as_json=options.json)
        return 0
    files = write_bundle(store, race.id, out)
    record = {"race": race.id, "out": options.out, "files": [str(file) for file in files]}
    say(record, f"race {race.id}: {len(files)} files in {options.out}", as_json=options.json)
    return 0


def space(options: argparse.Namespace) -> int:
    """What the store takes, what it may take, and what is free."""
    store = open_store(options.store)
    sizes, limit = store.sizes(), room.limit_mib() * room.MIB
    numbers = {"database": sizes.database, "files": sizes.files, "limit": limit, "free": sizes.free}
    text = [
        f"database  {size(sizes.database):>9}  {store.name}",
        f"files     {size(sizes.files):>9}  {store.files}",
        f"limit     {size(limit):>9}  for both, CATALYST_DISK_MB",
        f"free      {size(sizes.free):>9}  on the disk of the files",
    ]
    say({"store": store.name, "folder": str(store.files)} | numbers, "\n".join(text), as_json=options.json)
    return 0
