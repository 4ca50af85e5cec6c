"""The test that a group must pass before it is offered: masking and cutting its channels give the same function."""

# C = channels of a group

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from catalyst_core.coupling import BatchNorm, Coupling, arguments, check_repeats, output_dim, tensors
from catalyst_core.decisions import spare
from catalyst_core.slicing import slice_channels

TOLERANCE = 1e-9  # of what the channels do to the outputs, in float64: above rounding, below any constant left over
UNTESTED = "its channels have no effect on the outputs, so a cut cannot be tested"
KEPT = (0.35, 0.7)  # share of the first and of the second half that stays


@dataclass(frozen=True)
class _Twin:
    """The network that is put to the test, a copy, and what it answers with all of its channels."""

    model: nn.Module
    inputs: list[Any]
    dense: list[Tensor]

    @classmethod
    @torch.no_grad()
    def of(cls, model: nn.Module, inputs: list[Any]) -> "_Twin":
        """Of a network, which is left as it is. Raises `NetworkError` where it is random: every group would seem lossy."""
        twin = _disturbed(model, inputs)
        dense = [one.clone() for one in tensors(twin(*inputs))]
        check_repeats(twin, dense, list(tensors(twin(*inputs))), TOLERANCE)
        return cls(twin, inputs, dense)


def lossy_groups(model: nn.Module, example_inputs: Any, couplings: Sequence[Coupling]) -> dict[str, str]:
    """Name -> reason for the couplings where a cut would change the function. `model` is left as it is.

    Those that nothing speaks against are cut together; only when that fails, and for the rest, one by one.
    """
    if not couplings:
        return {}
    twin = _Twin.of(model, [_noise(one) for one in arguments(example_inputs)])
    good = [one for one in couplings if not one.suspects]
    alone = [one for one in couplings if one.suspects]
    if good and _difference(twin, {one.name: _some(one) for one in good}, good) is not None:
        alone = list(couplings)
    return {one.name: reason for one in alone if (reason := _fault(twin, one))}


def _fault(twin: _Twin, coupling: Coupling) -> str | None:
    """Why this one is lossy: tried with some channels gone, and with one at either end, to find code that counts channels."""
    places = np.arange(coupling.size)
    if reason := _difference(twin, {coupling.name: _some(coupling)}, [coupling]):
        return reason
    outer = [end for end in (0, coupling.size - 1) if end not in coupling.sole]
    ends = (_difference(twin, {coupling.name: places != end}, [coupling]) for end in outer)
    return next((reason for reason in ends if reason not in (None, UNTESTED)), None)


@torch.no_grad()
def _disturbed(model: nn.Module, inputs: list[Any]) -> nn.Module:
    """A copy in float64 where nothing is zero or one by accident, and whose BatchNorms keep the signal alive to the end."""
    twin = copy.deepcopy(model).cpu().double().eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in twin.parameters():
        if parameter.ndim < 2 or bool((parameter.flatten(1) == 0).all(1).any()):
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
    if not isinstance(example, Tensor):
        return example
    if not example.is_floating_point():
        return example.cpu()[:2] if len(example) > 1 else torch.cat([example.cpu()] * 2)
    generator = torch.Generator().manual_seed(1)
    return torch.randn((2, *example.shape[1:]), generator=generator, dtype=torch.float64)


def _some(coupling: Coupling) -> NDArray[np.bool_]:
    """(C,) which channels stay: at least one of each layer does, and at least one does not."""
    size = coupling.size
    rng = np.random.default_rng(size)
    kept = rng.random(size) < np.where(np.arange(size) < size / 2, *KEPT)
    kept[rng.permutation(size)[:2]] = True, False
    kept = spare(kept, coupling.shares, rng.random(size))
    if kept.all():
        kept[np.setdiff1d(np.arange(size), coupling.sole)[0]] = False
    return kept


@torch.no_grad()
def _difference(twin: _Twin, kept: dict[str, NDArray[np.bool_]], couplings: Sequence[Coupling]) -> str | None:
    """Why masking and cutting these channels differ, or None when they agree."""
    suspect = next((suspect for one in couplings for suspect in one.suspects), None)
    masked = _masked(twin.model, couplings, kept)
    expected = list(tensors(torch.func.functional_call(twin.model, masked, tuple(twin.inputs))))
    try:
        smaller = slice_channels(twin.model, {one.name: one for one in couplings}, kept)
        found = list(tensors(smaller(*twin.inputs)))
    except Exception as error:  # whatever a model's own code raises on channels that it did not expect
        return f"the network does not run with fewer channels here ({suspect or type(error).__name__})"
    if [one.shape for one in found] != [one.shape for one in expected]:
        return "the network's outputs would change their shape"
    acting = _distance(expected, twin.dense)
    if acting == 0.0:
        return UNTESTED
    if _distance(found, expected) <= TOLERANCE * acting:
        return None
    why = suspect or "something between it and its readers does not map 0 to 0"
    return f"a channel with F = 0 still acts on the output: {why}"


def _masked(model: nn.Module, couplings: Sequence[Coupling], kept: dict[str, NDArray[np.bool_]]) -> dict[str, Tensor]:
    """Parameter name -> its values with the cut sets of the channels that go at zero."""
    changed: dict[str, Tensor] = {}
    for one in couplings:
        for producer in one.producers:
            module = model.get_submodule(producer.module)
            lost = torch.from_numpy(producer.rows[~kept[one.name][producer.channels]])
            for kind, dim in (("weight", output_dim(module)), ("bias", 0)):
                if getattr(module, kind) is not None:
                    name = f"{producer.module}.{kind}".lstrip(".")
                    values = changed.setdefault(name, getattr(module, kind).detach().clone())
                    values.index_fill_(dim, lost, 0.0)
    return changed


def _distance(ones: list[Tensor], others: list[Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(ones, others, strict=True))
