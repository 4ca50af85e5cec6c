"""The test that a group must pass before it is offered: masking and cutting its channels give the same function."""

# C = channels of a group

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from catalyst_core.coupling import BatchNorm, Coupling, arguments
from catalyst_core.surgery import slice_channels

TOLERANCE = 1e-9  # of what the channels do to the outputs, in float64: above rounding, below any constant left over


def lossy_groups(model: nn.Module, example_inputs: Any, couplings: Sequence[Coupling]) -> dict[str, str]:
    """Name -> reason for the couplings where a cut would change the function. `model` is left as it is.

    All are cut together first; only when that fails are they tried one by one.
    """
    inputs = [_noise(one) for one in arguments(example_inputs)]
    twin = _disturbed(model, inputs)
    if not couplings or _difference(twin, inputs, couplings) is None:
        return {}
    reasons = {one.name: _difference(twin, inputs, [one]) for one in couplings}
    return {name: reason for name, reason in reasons.items() if reason}


@torch.no_grad()
def _disturbed(model: nn.Module, inputs: list[Any]) -> nn.Module:
    """A copy in float64 where nothing is zero or one by accident, and whose BatchNorms keep the signal alive to the end."""
    twin = copy.deepcopy(model).cpu().double().eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in twin.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype), alpha=0.02)
    norms = [module for module in twin.modules() if isinstance(module, BatchNorm)]
    for norm in norms:
        if norm.affine:
            norm.weight.uniform_(0.5, 1.5, generator=generator)
            norm.bias.uniform_(-0.5, 0.5, generator=generator)
        norm.momentum = 1.0
        norm.train()
    twin(*inputs)
    for norm in norms:
        norm.eval()
    return twin


def _noise(example: Any) -> Any:
    """Two random examples in place of floating-point ones: batch statistics need more than one."""
    if not isinstance(example, Tensor) or not example.is_floating_point():
        return example
    generator = torch.Generator().manual_seed(1)
    return torch.randn((2, *example.shape[1:]), generator=generator, dtype=torch.float64)


@torch.no_grad()
def _difference(model: nn.Module, inputs: list[Any], couplings: Sequence[Coupling]) -> str | None:
    """Why masking and cutting every other channel of these groups differ, or None when they agree."""
    kept = {one.name: np.arange(one.size) % 2 == 0 for one in couplings}
    masked = copy.deepcopy(model)
    for one in couplings:
        for producer in one.producers:
            module = masked.get_submodule(producer.module)
            lost = torch.from_numpy(producer.rows[~kept[one.name][producer.channels]])
            for parameter in (module.weight, module.bias):
                if parameter is not None:
                    parameter[lost] = 0.0
    smaller = slice_channels(masked, {one.name: one for one in couplings}, kept)
    expected = list(_tensors(masked(*inputs)))
    try:
        found = list(_tensors(smaller(*inputs)))
    except Exception as error:  # whatever a model's own code raises on channels that it did not expect
        return f"the network does not run with fewer channels here ({type(error).__name__})"
    if [one.shape for one in found] != [one.shape for one in expected]:
        return "the network's outputs would change their shape"
    acting = _distance(expected, list(_tensors(model(*inputs))))
    if acting == 0.0:
        return "its channels have no effect on the outputs, so a cut cannot be tested"
    if _distance(found, expected) <= TOLERANCE * acting:
        return None
    return "a channel with F = 0 still acts on the output: something between it and its readers does not map 0 to 0"


def _distance(ones: list[Tensor], others: list[Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(ones, others, strict=True))


def _tensors(outputs: Any) -> Iterator[Tensor]:
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, (tuple, list)):
        for one in outputs:
            yield from _tensors(one)
    elif isinstance(outputs, dict):
        yield from _tensors(list(outputs.values()))
