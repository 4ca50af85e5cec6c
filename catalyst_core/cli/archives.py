"""`pack` and `unpack`: a race as one file, for another store."""

import argparse
import contextlib
from pathlib import Path

from catalyst_core import packing
from catalyst_core.cli.report import say
from catalyst_core.errors import ArchiveError, ConfigError, shown
from catalyst_core.figures.words import size
from catalyst_core.store import open_store
from catalyst_core.store.adoption import NETWORKS


def pack(options: argparse.Namespace) -> int:
    """Write a finished race into a file that is not there yet."""
    without = [one.strip() for one in options.without.split(",") if one.strip()]
    if wrong := sorted(set(without) - set(NETWORKS)):
        raise ConfigError(f"--without {shown(wrong[0])}: name some of {', '.join(NETWORKS)}")
    store = open_store(options.store)
    race, out = store.race(options.race), Path(options.out)
    half = out.with_name(f".{out.name}.half")
    if out.exists():
        raise ArchiveError(f"--out {shown(options.out)}: there is such a file already; name another one")
    try:
        with open(half, "wb") as file:
            packing.pack(store, race.id, file, new_id=options.new_id, looks=options.looks, without=without, note=options.note)
        half.rename(out)
    except OSError as error:
        raise ArchiveError(f"--out {shown(options.out)}: cannot be written ({error.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            half.unlink()
    taken = out.stat().st_size
    record = {"race": options.new_id or race.id, "out": options.out, "bytes": taken}
    say(record, f"race {race.id} ({race.title}): {size(taken)} in {options.out}", as_json=options.json)
    return 0


def unpack(options: argparse.Namespace) -> int:
    """Take a packed race into the store."""
    store = open_store(options.store)
    race = store.race(packing.unpack(store, Path(options.file)))
    say({"race": race.id, "title": race.title}, f"race {race.id} ({race.title}) is in {store.name}", as_json=options.json)
    return 0
