"""Tiny races: 200 digits, a few steps a stage."""

from collections.abc import Callable
from pathlib import Path

from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.events import Command, Event
from catalyst_core.training import Folders, train

METHODS = ("catalyst", "l1", "group_lasso", "none", "random")


def contender(method: str = "catalyst", seed: int = 0, model: str = "cnn", ratio: float = 0.5, **fields) -> ContenderConfig:
    """200 digits, 4 steps an epoch; `fields` of the method, the schedule and the data, by their names."""
    schedule = {"dense_epochs": 2, "sparse_epochs": 4, "finetune_epochs": 1}
    data = {"name": "digits", "train_images": 200, "batch_size": 50}
    method_fields = {"name": method}
    budget = {"macs_ratio": fields.pop("macs_ratio", None)}
    for key, value in fields.items():
        where = schedule if key in ("learning_rate", "weight_decay", "recalibrate") or key.endswith("epochs") else method_fields
        (data if key in data else where)[key] = value
    race = RaceConfig.build(data=data, model=model, schedule=schedule, pruning_ratio=ratio, methods=[method_fields], **budget)
    return race.contender(race.methods[0], seed)


class Recorder:
    """Runs a contender and keeps its events. `script(events)` is asked for commands at every step boundary."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        config: ContenderConfig,
        script: Callable[[list[Event]], list[Command]] = lambda events: [],
        run: str = "run",
    ) -> list[Event]:
        events: list[Event] = []
        train(config, events.append, lambda: script(events), Folders(self.folder / run, self.folder / "dense"))
        return events
