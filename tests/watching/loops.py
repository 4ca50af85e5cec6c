"""A training loop of somebody's own, on digits."""

import signal
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from catalyst_core import build_regularizer, find_groups, remove_filters, watch
from catalyst_core.groups import FilterGroups
from catalyst_core.regularizers import Regularizer
from tests.core.loops import RATE, batches, digits, small_cnn

STEPS = 12


@dataclass
class Loop:
    """What trains, and the losses of its batches so far."""

    model: nn.Module
    groups: FilterGroups
    reg: Regularizer
    optimizer: torch.optim.Optimizer
    losses: list[float] = field(default_factory=list)

    def steps(self, watched: Any, count: int = STEPS) -> None:
        """So many steps, all of them told."""
        for x, y in batches(count, seed=len(self.losses)):
            self.optimizer.zero_grad()
            loss = cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            self.reg.step(RATE)
            self.losses.append(float(loss.detach()))
            watched.step(loss=loss, accuracy=0.5, learning_rate=RATE)

    def cut(self) -> nn.Module:
        """The smaller network."""
        self.reg.settle()
        return remove_filters(self.model, digits().test_x[:2], self.reg.decisions())


def loop(method: str = "catalyst", **settings: Any) -> Loop:
    """A new one, with `total_steps` unless it is given."""
    model = small_cnn()
    groups = find_groups(model, digits().test_x[:2])
    reg = build_regularizer(method, groups, **{"pruning_ratio": 0.5, "total_steps": STEPS} | settings)
    return Loop(model, groups, reg, torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9))


def forever(url: str) -> None:
    """A process for tests that end it: says its run and trains until it is asked to stop."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes are born deaf to it
    mine = loop(total_steps=None)
    with watch(mine.model, mine.groups, mine.reg, store=url, title="forever") as watched:
        print(watched.race_id, flush=True)
        while not watched.stopping:
            mine.steps(watched, 1)
            time.sleep(0.02)


if __name__ == "__main__":
    torch.set_num_threads(1)
    forever(sys.argv[1])
