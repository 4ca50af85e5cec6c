"""Latency of several networks in one process, taken in turns, so that whatever slows the machine down meanwhile hits all."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from catalyst_core.deploy.checking import cycled
from catalyst_core.deploy.open_format import Session

BATCHES = (1, 64)  # images at a time
FEWEST, MOST = 5, 100  # turns


class Latency(NamedTuple):
    """The median of one network."""

    engine: str
    batch: int  # images at a time
    network: str
    ms: float


def measure(models: Mapping[str, nn.Module], sessions: Mapping[str, Session], images: Tensor, seconds: float) -> list[Latency]:
    """Every network in PyTorch and, where it has a session, in onnxruntime, on the CPU with PyTorch's number of threads.

    `seconds`: to spend on one engine and batch size. Networks take turns within an engine, so that the idle threads of one do
    not slow down the other.
    """
    found = []
    for batch in BATCHES:
        given = cycled(images, batch)
        engines = {
            "PyTorch": {name: _pytorch_call(model, given) for name, model in models.items()},
            "onnxruntime": {name: session.call(given) for name, session in sessions.items()},
        }
        for engine, calls in engines.items():
            found += [Latency(engine, batch, name, 1000 * taken) for name, taken in take_turns(calls, seconds).items()]
    return found


def slower(found: list[Latency], last: str, before: str, what: str) -> list[str]:
    """A sentence for every engine and batch size where the network `last` is not faster than `before`."""
    taken = {(one.engine, one.batch, one.network): one.ms for one in found}
    pairs = [(one, taken.get((one.engine, one.batch, before))) for one in found if one.network == last]
    return [
        f"{what} did not make it faster in {one.engine} with {one.batch} image{'s' * (one.batch > 1)} at a time: "
        f"{one.ms:.3g} ms, and {other:.3g} ms before"
        for one, other in pairs
        if other is not None and one.ms >= other
    ]


def take_turns(calls: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Median seconds of each call, over as many turns as fit into `seconds`, but at least 5 and at most 100.

    Two turns that are not counted come first. Every second turn goes the other way round.
    """
    for call in calls.values():
        call()
    turn = sum(_timed(call) for call in calls.values())
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(min(max(round(seconds / max(turn, 1e-9)), FEWEST), MOST)):
        for name in order:
            times[name].append(_timed(calls[name]))
        order.reverse()
    return {name: statistics.median(taken) for name, taken in times.items() if taken}


def _pytorch_call(model: nn.Module, images: Tensor) -> Callable[[], Any]:
    def call() -> Tensor:
        with torch.inference_mode():
            return model(images)

    return call


def _timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
