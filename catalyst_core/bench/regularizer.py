"""What a regularizer adds to a training step, next to Torch-Pruning's group-norm regularizer on the same network.

share = seconds in the regularizer / seconds in forward, backward and optimizer step, sums over interleaved steps

Ours are built as a race builds them: one regularizer step gathers a few optimizer steps.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torchvision.models import resnet18

from catalyst_core.catalog import METHODS
from catalyst_core.filters import find_groups
from catalyst_core.models import build_model
from catalyst_core.regularizers import build_regularizer

BATCH = 64
LEARNING_RATE = 1e-3
RACE_STEPS = 100_000  # more than are timed, so that nothing settles meanwhile
UNTIMED = 3
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {  # name -> (builder, image shape)
    "cnn": (lambda: build_model("cnn", channels=1, size=8, classes=10, seed=0), (1, 8, 8)),
    "resnet20": (lambda: build_model("resnet20", channels=3, size=32, classes=10, seed=0), (3, 32, 32)),
    "resnet18": (lambda: resnet18(num_classes=10), (3, 32, 32)),
}


def measure(steps: int, threads: int) -> dict[str, Any]:
    """Shares for every network and regularizer; `steps` timed steps each, after a few that are not counted."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    shares = {name: _shares(build(), shape, steps) for name, (build, shape) in NETWORKS.items()}
    return {"batch": BATCH, "threads": threads, "steps": steps, "networks": shares}


def _shares(model: nn.Module, shape: tuple[int, int, int], steps: int) -> dict[str, float]:
    images, labels = torch.randn(BATCH, *shape), torch.randint(0, 10, (BATCH,))
    candidates = {name: _ours(name, model, images[:2]) for name in METHODS if METHODS[name].strength is not None}
    candidates["torch_pruning_group_norm"] = _torch_pruning(model, images[:2])
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    seconds: dict[str, list[float]] = {name: [] for name in ("step", *candidates)}
    for number in range(steps + UNTIMED):
        taken = {"step": _timed(lambda: _train_step(model, optimizer, images, labels))}
        taken |= {name: _timed(run) for name, run in candidates.items()}
        if number >= UNTIMED:
            for name, value in taken.items():
                seconds[name].append(value)
    totals = {name: sum(values) for name, values in seconds.items()}
    shares = {name: totals[name] / totals["step"] for name in candidates}
    return {"step_ms": 1e3 * totals["step"] / steps} | shares


def _train_step(model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()


def _ours(name: str, model: nn.Module, example: torch.Tensor) -> Callable[[], None]:
    regularizer = build_regularizer(name, find_groups(model, example), pruning_ratio=0.5, strength=1e-3, total_steps=RACE_STEPS)
    return lambda: regularizer.step(LEARNING_RATE)


def _torch_pruning(model: nn.Module, example: torch.Tensor) -> Callable[[], None]:
    import torch_pruning

    classifier = [module for module in model.modules() if isinstance(module, nn.Linear)]
    pruner = torch_pruning.pruner.GroupNormPruner(
        model,
        example,
        importance=torch_pruning.importance.GroupMagnitudeImportance(),
        pruning_ratio=0.5,
        ignored_layers=classifier,
    )
    pruner.update_regularizer()
    return lambda: pruner.regularize(model)


def _timed(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
