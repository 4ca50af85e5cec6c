"""Which race or run the words of a command line mean, and who says them."""

import argparse
import getpass
from dataclasses import dataclass

from catalyst_core.engine import launcher
from catalyst_core.errors import ConfigError, NotFoundError, RunFinishedError, shown
from catalyst_core.events import CheckpointKept
from catalyst_core.store import RaceInfo, RunInfo, Store, open_store


@dataclass(frozen=True)
class Named:
    """A store, and the race or the one run of it that somebody named."""

    store: Store
    race: RaceInfo
    run: RunInfo | None = None

    @property
    def runs(self) -> tuple[RunInfo, ...]:
        """The run, else all runs of the race."""
        return self.race.runs if self.run is None else (self.run,)

    @property
    def text(self) -> str:
        """'run 3f2a81c0-01' or 'race 3f2a81c0'."""
        return f"race {self.race.id}" if self.run is None else f"run {self.run.id}"

    def check_live(self) -> None:
        """Raise RunFinishedError where nobody is left to take a command."""
        if all(run.is_finished for run in self.runs):
            state = self.race.state if self.run is None else self.run.state
            raise RunFinishedError(f"{self.text} is {state}: it takes no more commands")


def named(options: argparse.Namespace) -> Named:
    """What `options.race` means in the store, its dead workers marked: a race's id or its beginning, or a run's.

    Raises NotFoundError and StoreError.
    """
    store = open_store(options.store)
    launcher.watch(store, sure=True)
    prefix, dash, place = options.race.partition("-")
    race = store.race(prefix)
    if not dash:
        return Named(store, race)
    found = next((run for run in race.runs if run.id == f"{race.id}-{place}"), None)
    if found is None:
        ids = f"{race.runs[0].id} to {race.runs[-1].id}" if len(race.runs) > 1 else race.runs[0].id
        raise NotFoundError(f"run {shown(options.race)}: none in {store.name}; race {race.id} has {ids}")
    return Named(store, race, found)


def one_run(found: Named) -> RunInfo:
    """The run that is meant, or the only one of a race. Raises ConfigError."""
    if found.run is None and len(found.race.runs) > 1:
        raise ConfigError(f"race {found.race.id} has {len(found.race.runs)} runs: name one, such as {found.race.runs[0].id}")
    return found.runs[0]


def checkpoints(store: Store, race: RaceInfo) -> dict[str, list[CheckpointKept]]:
    """Run id -> the checkpoints that are kept of it and still there, oldest first."""
    found: dict[str, dict[str, CheckpointKept]] = {run.id: {} for run in race.runs}
    for stored in store.race_events(race.id, kinds=["checkpoint"]):
        if isinstance(stored.event, CheckpointKept) and stored.run_id in found:
            found[stored.run_id][stored.event.name] = stored.event
    return {
        run_id: [one for name, one in kept.items() if launcher.checkpoint_file(store, run_id, name).is_file()]
        for run_id, kept in found.items()
    }


def me() -> str:
    """The name that this user has signed in with on this machine, for the history of a race."""
    try:
        return getpass.getuser()[:80]
    except (KeyError, OSError):  # an account without a name
        return "command line"
