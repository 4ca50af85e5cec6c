"""Finished runs in a store, trained in this process: 200 digits, a few steps a stage."""

from collections.abc import Sequence

from catalyst_core.config import RaceConfig
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.events import Event
from catalyst_core.store import RunInfo, Store
from catalyst_core.training import Folders, train

SCHEDULE = {"dense_epochs": 2, "sparse_epochs": 4, "finetune_epochs": 1}


def trained(store: Store, method: str = "catalyst") -> RunInfo:
    """The one run of a new race, at its end."""
    data = {"name": "digits", "train_images": 200, "batch_size": 50}
    race = store.race(store.create_race(RaceConfig.build(data=data, schedule=SCHEDULE, methods=[{"name": method}])))
    (run,) = race.runs
    events: list[Event] = []
    train(run.config, events.append, list, Folders(store.run_folder(run.id), store.files / "dense"))
    return finish(store, run, events)


def finish(store: Store, run: RunInfo, events: Sequence[Event]) -> RunInfo:
    """The run after it said this."""
    store.claim(run.id, this_process(), slots=1)
    store.append(run.id, list(events))
    return store.run(run.id)
