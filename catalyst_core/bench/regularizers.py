"""What a regularizer adds to a training step, ours next to Torch-Pruning's three on the same networks in the same run.

ratio = median seconds in the regularizer / median seconds in forward, backward and optimizer step, over interleaved steps

Before each regularizer the processor's caches are filled with other data, as a training step leaves them. Ours run at every
optimizer step; `catalyst_in_a_race` is Catalyst as a race runs it, with a few steps gathered into one.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet18, resnet50

from catalyst_core.bench.memory import bytes_of, held_bytes
from catalyst_core.catalog import METHODS
from catalyst_core.filters import find_groups
from catalyst_core.groups import FilterGroups
from catalyst_core.models import build_model
from catalyst_core.regularizers import MOST_EVERY, Regularizer, build_regularizer

BATCH = 64
LEARNING_RATE = 1e-3
STRENGTH = 1e-3  # so weak that nothing is decided meanwhile
RACE_STEPS = 1_000_000  # more than are timed, so that nothing settles meanwhile
UNTIMED = 3
CACHE_BYTES = 2**26  # more than caches hold
PROMISED = ("resnet18", "resnet50")  # whose worst ratios are the figures


@dataclass(frozen=True)
class Network:
    """One network to train on random images."""

    build: Callable[[], nn.Module]
    shape: tuple[int, int, int]  # of an image


# 32 x 32 images are harder on the ratio than 224 x 224: the training step is shorter, the regularizer is not.
NETWORKS: dict[str, Network] = {
    "resnet18": Network(lambda: resnet18(num_classes=10), (3, 32, 32)),
    "resnet50": Network(lambda: resnet50(num_classes=10), (3, 32, 32)),
    "resnet20": Network(lambda: build_model("resnet20", channels=3, size=32, classes=10, seed=0), (3, 32, 32)),
    "cnn": Network(lambda: build_model("cnn", channels=1, size=8, classes=10, seed=0), (1, 8, 8)),
}


@dataclass(frozen=True)
class Candidate:
    """What is timed: one call of `run` stands for `steps` training steps."""

    run: Callable[[], object]
    steps: int = 1


def measure(steps: int, threads: int) -> dict[str, Any]:
    """Every regularizer on every network, `steps` timed steps each after a few that are not counted.

    {regularizer: its worst ratio on the promised networks, ..., "state_bytes_per_channel", "bookkeeping_bytes_per_channel"
    (Catalyst's), "batch", "threads", "steps", "image", "networks": {name: {"image", "step_ms", "ratios", "memory"}}}
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        networks = {name: _measured(network, steps) for name, network in NETWORKS.items()}
    finally:
        torch.set_num_threads(before)
    promised = [networks[name] for name in PROMISED]
    return {
        **{name: max(one["ratios"][name] for one in promised) for name in promised[0]["ratios"]},
        **{name: max(one["memory"][name] for one in promised) for name in promised[0]["memory"]},
        "batch": BATCH,
        "threads": threads,
        "steps": steps,
        "image": list(NETWORKS[PROMISED[0]].shape),
        "networks": networks,
    }


def _measured(network: Network, steps: int) -> dict[str, Any]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = network.build()
        images, labels = torch.randn(BATCH, *network.shape), torch.randint(0, 10, (BATCH,))
    groups = find_groups(model, images[:2])
    candidates = _ours(groups) | _torch_pruning(model, images[:2])
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    taken = _interleaved(lambda: _train_step(model, optimizer, images, labels), candidates, steps)
    step = taken.pop("step")
    ratios = {name: seconds / step for name, seconds in taken.items()}
    return {"image": list(network.shape), "step_ms": 1e3 * step, "ratios": ratios, "memory": _memory(groups)}


def _interleaved(train: Callable[[], None], candidates: dict[str, Candidate], steps: int) -> dict[str, float]:
    """Median seconds of "step" and of each candidate's share of one step."""
    filler = np.ones(CACHE_BYTES // 8)
    seconds: dict[str, list[float]] = {name: [] for name in ("step", *candidates)}
    for _ in range(steps + UNTIMED):
        seconds["step"].append(_timed(train))
        for name, candidate in candidates.items():
            filler.sum()
            seconds[name].append(_timed(candidate.run) / candidate.steps)
    return {name: statistics.median(values[UNTIMED:]) for name, values in seconds.items()}


def _train_step(model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()


def _regularizer(name: str, groups: FilterGroups, every: int) -> Regularizer:
    settings = {"pruning_ratio": 0.5, "strength": STRENGTH, "total_steps": RACE_STEPS}
    if name == "catalyst":
        settings["evidence_share"] = 0.0  # what is timed is the step, not the look at the gradients before it
    return build_regularizer(name, groups, every=every, **settings)


def _ours(groups: FilterGroups) -> dict[str, Candidate]:
    def gathered() -> None:
        for _ in range(MOST_EVERY):
            raced.step(LEARNING_RATE)

    each = [_regularizer(name, groups, 1) for name, method in METHODS.items() if method.strength and not method.is_peer]
    raced = _regularizer("catalyst", groups, MOST_EVERY)
    found = {one.name: Candidate(lambda one=one: one.step(LEARNING_RATE)) for one in each}
    return found | {"catalyst_in_a_race": Candidate(gathered, MOST_EVERY)}


def _torch_pruning(model: nn.Module, example: torch.Tensor) -> dict[str, Candidate]:
    """Torch-Pruning's regularizers with their defaults; they add to the gradients that the training step has left."""
    from torch_pruning import importance, pruner

    classifier = [module for module in model.modules() if isinstance(module, nn.Linear)]
    kinds = {"group_norm": pruner.GroupNormPruner, "bn_scale": pruner.BNScalePruner, "growing_reg": pruner.GrowingRegPruner}
    found = {}
    for name, kind in kinds.items():
        made = kind(
            model, example, importance=importance.GroupMagnitudeImportance(), pruning_ratio=0.5, ignored_layers=classifier
        )
        made.update_regularizer()
        found[f"torch_pruning_{name}"] = Candidate(lambda made=made: made.regularize(model))
    return found


def _memory(groups: FilterGroups) -> dict[str, float]:
    """Catalyst's bytes a channel: what its state holds, and everything else that it keeps (indices and working space)."""
    regularizer = _regularizer("catalyst", groups, 1)
    regularizer.step(LEARNING_RATE)
    channels = sum(group.size for group in groups)
    state = bytes_of(regularizer.state_dict())
    return {
        "state_bytes_per_channel": state / channels,
        "bookkeeping_bytes_per_channel": (held_bytes(regularizer) - state) / channels,
    }


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
