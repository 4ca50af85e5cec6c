"""Starting, steering and watching races from the dashboard or the command line. Imports no torch.

There is a worker process for each slot of the machine, and one that waits for the next: a queue of any length costs no
more. Whoever looks at the store, and every worker, starts the next one when it is time: nobody has to stay for that.
"""

import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from catalyst_core import changes
from catalyst_core.catalog import WATCHED
from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.data import check_data
from catalyst_core.engine import heartbeat, room
from catalyst_core.engine.children import Children
from catalyst_core.engine.slots import slots
from catalyst_core.errors import CheckpointError, ConfigError, RunFinishedError, shown
from catalyst_core.events import Command, Value
from catalyst_core.shelf import find_weights
from catalyst_core.store import RunInfo, Store

_children = Children()
_watch = heartbeat.Watch()


def prewarm() -> None:
    """Have one worker ready with torch imported, so that the next start moves within seconds. It ends with this process."""
    _children.prewarm()


def start_race(
    store: Store, config: RaceConfig, priority: int = 0, trial: Callable[[RaceConfig], None] = lambda config: None
) -> str:
    """Create a race and its first workers; returns its id. Raises UsageError, and then nothing has been made.

    `trial` is asked about a network or weights that are not ours, and raises where every contender would fail of them.
    """
    preflight(store, config)
    if config.brings_network:
        trial(config)
    race_id = store.create_race(config, priority)
    dispatch(store)
    return race_id


def preflight(store: Store, config: RaceConfig) -> None:
    """Whether this race could start here. Raises DataError (images), NetworkError (weights), StoreError (no room)."""
    slots()
    room.check_start(store)
    check_data(config.data)
    if config.weights:
        find_weights(config.weights)


def dispatch(store: Store) -> None:
    """Start workers for the runs whose turn it is, and one for the next; nothing where these have theirs."""
    _children.reap()
    for run_id in store.assign(socket.gethostname(), slots()):
        _children.start(store, run_id)


def resume_race(store: Store, race_id: str) -> int:
    """Let the failed and stopped contenders of a race go on where they were; returns how many.

    Raises as `preflight`, and ConfigError for a race that was only watched.
    """
    room.check_start(store)
    race = store.race(race_id)
    _check_ours(race.config, f"race {race.id}")
    again = [run.id for run in race.runs if store.requeue(run.id)]
    dispatch(store)
    return len(again)


def resume_run(store: Store, run_id: str) -> None:
    """Let one failed or stopped contender go on where it was.

    Raises RunFinishedError for a completed or live one, ConfigError for one that was only watched.
    """
    room.check_start(store)
    _check_ours(store.run(run_id).config, f"run {run_id}")
    if not store.requeue(run_id):
        raise RunFinishedError(f"run {run_id} is {store.run(run_id).state}: only a failed or stopped one can go on")
    dispatch(store)


def fork(
    store: Store, run_id: str, checkpoint: str, variant: str, settings: Mapping[str, Value] | None = None, who: str = "fork"
) -> str:
    """A new contender of the same race that goes on from a kept checkpoint, with other `settings`; returns its id.

    `who` is named in the history of these settings. Raises CheckpointError (not kept, or not there any more), ConfigError
    (the name, a setting), NotFoundError, StoreError.
    """
    room.check_start(store)
    source = store.run(run_id)
    _check_ours(source.config, f"run {run_id}")
    chosen = {name: changes.checked(source.config, name, value) for name, value in (settings or {}).items()}
    if not checkpoint_file(store, run_id, checkpoint).is_file():
        kept = [stored.event.name for stored in store.events(run_id, kinds=["checkpoint"])]  # type: ignore[union-attr]
        has = f"; it has {', '.join(kept)}" if kept else ""
        raise CheckpointError(f"run {run_id} has no checkpoint {shown(checkpoint)}{has}")
    new = store.fork(run_id, checkpoint, variant)
    for name, value in chosen.items():
        store.send(new, Command(name=name, value=value, who=who))  # type: ignore[arg-type]
    dispatch(store)
    return new


def checkpoints(store: Store, run_id: str) -> Path:
    """The folder of a run's checkpoints, which may be missing."""
    return store.run_folder(run_id) / "checkpoints"


def checkpoint_file(store: Store, run_id: str, name: str) -> Path:
    """Where a run keeps the checkpoint of that name. Nothing is looked for outside the run's own folder."""
    return checkpoints(store, run_id) / f"{Path(name).name}.pt"


def adopt_checkpoint(store: Store, run: RunInfo) -> None:
    """Give a fork the checkpoint of its origin, unless it has some of its own. Raises CheckpointError."""
    mine = checkpoints(store, run.id)
    if run.parent is None or any(mine.glob("*.pt")):
        return
    kept = [stored.event for stored in store.events(run.id, kinds=["checkpoint"])]
    source = checkpoint_file(store, run.parent, kept[-1].name)  # type: ignore[union-attr]
    if not source.is_file():
        raise CheckpointError(f"checkpoint {source.stem} of run {run.parent} is not there any more")
    mine.mkdir(parents=True, exist_ok=True)
    half = mine / f".{source.name}"
    shutil.copyfile(source, half)
    half.replace(mine / source.name)


def stop_race(store: Store, race_id: str) -> int:
    """Ask every live contender to stop; those that can still cut do so and write their ledger. Returns how many."""
    return send_race(store, race_id, Command(name="stop"))


def send_race(store: Store, race_id: str, command: Command, label: str | None = None) -> int:
    """Send a command to every live contender of a race, or to those of one method label; returns how many.

    Raises ConfigError where the value is not possible for any of them, or the race is only watched and asked to pause or to
    go on; nothing is sent then.
    """
    race = store.race(race_id)
    if command.name in ("pause", "resume"):
        _check_ours(race.config, f"race {race.id}")
    wanted = [run for run in race.runs if not run.is_finished and label in (None, run.label)]
    if command.name in changes.NAMES:
        wanted = _able(wanted, command)
    return sum(_sent(store, run, command) for run in wanted)


def _check_ours(config: RaceConfig | ContenderConfig, which: str) -> None:
    """Raise ConfigError for what no worker of ours can hold up or go on with."""
    if config.data.is_own:
        raise ConfigError(f"{which} cannot be paused or go on from here: {WATCHED}")


def _able(runs: list[RunInfo], command: Command) -> list[RunInfo]:
    """The runs that the change is possible for. Raises ConfigError when there are some, but none of these."""
    able, refused = [], None
    for run in runs:
        try:
            changes.checked(run.config, command.name, command.value)
            able.append(run)
        except ConfigError as error:
            refused = error
    if refused is not None and not able:
        raise refused
    return able


def _sent(store: Store, run: RunInfo, command: Command) -> bool:
    try:
        store.send(run.id, command)
    except RunFinishedError:
        return False  # it ended between the look and the command
    return True


def watch(store: Store, *, sure: bool = False) -> list[str]:
    """Mark runs whose worker is dead or hung as failed, and start whose turn it is; returns the ids of the failed.

    Call it at each look at the store; `sure` for one that is not repeated (it may take three seconds).
    """
    _children.reap()
    live = store.live_runs()
    failed = _watch.look(store, live, sure=sure)
    if _is_short_of_workers([run for run in live if run.id not in failed]) and not room.lacking(store.files):
        dispatch(store)
    return failed


def _is_short_of_workers(live: list[RunInfo]) -> bool:
    """Whether `dispatch` may find something to do; a look that costs no lock."""
    waiting = [run for run in live if run.state == "queued"]
    coming = [run for run in waiting if run.process or run.assigned]
    busy = [run for run in live if run.state != "queued" and not run.config.data.is_own]
    return len(coming) < min(len(waiting), slots() + 1 - len(busy))
