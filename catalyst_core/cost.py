"""What a network costs: multiply-accumulates, parameters, bytes on disk, latency."""

import copy
import io
import statistics
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from catalyst_core.coupling import arguments, unfused
from catalyst_core.wrappers import unwrap


@dataclass(frozen=True)
class Cost:
    """Of one network."""

    macs: int  # multiply-accumulates of one example (the first dimension of the example inputs divided out)
    params: int
    bytes: int  # of the saved state dict


def count(model: nn.Module, example_inputs: Any) -> Cost:
    """MACs are half of the floating-point operations that `torch.utils.flop_counter` sees (convolutions and matrix products)."""
    model = unwrap(model)
    twin = copy.deepcopy(model).eval().requires_grad_(False)  # the counter does not take views of parameters that require it
    inputs = arguments(example_inputs)
    with unfused(), FlopCounterMode(display=False) as counter, torch.no_grad():
        twin(*inputs)
    macs = counter.get_total_flops() // 2 // len(inputs[0])
    return Cost(macs, sum(parameter.numel() for parameter in model.parameters()), _saved_bytes(model))


def latency(model: nn.Module, example_inputs: Any, repeats: int = 30) -> float:
    """Median seconds of one forward pass over `repeats`, in eval mode, after five passes that are not counted."""
    twin = copy.deepcopy(model).eval()
    inputs = arguments(example_inputs)
    times = []
    with torch.inference_mode():
        for _ in range(5 + repeats):
            _wait(inputs[0])
            start = time.perf_counter()
            twin(*inputs)
            _wait(inputs[0])
            times.append(time.perf_counter() - start)
    return statistics.median(times[5:])


def _wait(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def _saved_bytes(model: nn.Module) -> int:
    # Cloned, because a view would drag the whole storage that it looks into onto the disk.
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().clone() for name, tensor in model.state_dict().items()}, buffer)
    return buffer.tell()
