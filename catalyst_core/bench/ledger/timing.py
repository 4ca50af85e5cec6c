"""Seconds of a whole training step with every method, as a ratio to a plain one, taken in turns in one process.

ratio = median over blocks of (forward + backward + optimizer + regularizer) / the same without a regularizer

All methods train twins of one network on the same batches; a block holds as many steps as a race gathers into one step of the
regularizer, so what is done once in a block is counted once. One thread, as in a race of many contenders. Catalyst is timed
behind its evidence, where it moves the filters at every step.
"""

import copy
import statistics
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from catalyst_core.bench.ledger.suites import Method, Task
from catalyst_core.catalog import METHODS
from catalyst_core.config import ContenderConfig, RaceConfig
from catalyst_core.data import load_data
from catalyst_core.filters import find_groups
from catalyst_core.models import build_model
from catalyst_core.peers import Network
from catalyst_core.regularizers import MOST_EVERY, Regularizer
from catalyst_core.training import methods
from catalyst_core.training.batches import Batches
from catalyst_core.training.loop import update

PLAIN = "plain"
STEPS = 1_000_000  # of a schedule that nothing settles in meanwhile


class _Candidate:
    """A twin of the network with a method's regularizer; a plain one without."""

    def __init__(self, model: nn.Module, example: torch.Tensor, config: ContenderConfig | None, rate: float) -> None:
        self.model, self.rate = copy.deepcopy(model).train(), rate
        self.regularizer: Regularizer | None = None
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=rate, momentum=0.9)
        if config is not None:
            if config.method.name == "catalyst":
                config = config.model_copy(update={"method": config.method.model_copy(update={"evidence_share": 0.0})})
            groups = find_groups(self.model, example)
            network = Network(self.model, example)
            settings = methods.watching(config, groups, config.method.name, network)
            self.regularizer = methods.training(config, groups, settings, STEPS, network)
            self.model.train()

    def block(self, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
        """Seconds of a step on each of the batches."""
        started = time.perf_counter()
        for x, y in batches:
            update(functional.cross_entropy(self.model(x), y), self.optimizer, self.regularizer, self.rate)
        return time.perf_counter() - started


def step_ratios(task: Task, chosen: tuple[Method, ...], blocks: int = 12) -> list[dict[str, Any]]:
    """A row a method that regularizes: label, source, `ratio` of its step to a plain one, and the milliseconds of that."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measured(task, chosen, blocks)
    finally:
        torch.set_num_threads(before)


def _measured(task: Task, chosen: tuple[Method, ...], blocks: int) -> list[dict[str, Any]]:
    race = RaceConfig.build(data=task.images, model=task.model, methods=[dict(method) for method in chosen])
    splits = load_data(race.data)
    model = build_model(task.model, splits.channels, splits.size, len(splits.classes), 0).to(memory_format=torch.channels_last)
    configs = [config for config in race.contenders() if METHODS[config.method.name].strength is not None]
    candidates = {PLAIN: _Candidate(model, splits.val_x[:1], None, 1e-3)}
    candidates |= {config.method.label: _Candidate(model, splits.val_x[:1], config, 1e-3) for config in configs}
    batches = Batches(splits, race.data.batch_size, 0, race.data.augment)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for block in range(blocks + 1):
        drawn = [batches.at(block * MOST_EVERY + place) for place in range(MOST_EVERY)]
        for name, candidate in candidates.items():
            seconds[name].append(candidate.block(drawn))
    plain = statistics.median(seconds[PLAIN][1:])
    return [
        {
            "task": task.name,
            "label": config.method.label,
            "source": METHODS[config.method.name].source,
            "ratio": statistics.median(seconds[config.method.label][1:]) / plain,
            "plain_ms": 1e3 * plain / MOST_EVERY,
        }
        for config in configs
    ]
