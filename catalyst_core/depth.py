"""Depth pruning: a network is cut behind its k-th block, and a small auxiliary head answers from the features it has there.

    dense    y = g(f_n(...f_1(x)))
    cut      y = h(f_k(...f_1(x))),    h(z) = W mean(z) + b,    mean(z)_c = 1 / (H W) sum_uv z_cuv

W (K, C) and b (K,) are new, K (C + 1) numbers; f_1 to f_k keep their trained weights. Blocks are found by watching one forward
pass: what one module returns is, untouched, what the next one is given. A residual block is one block: nothing is cut inside.

J. D. De Leon, R. Atienza, "Depth Pruning with Auxiliary Networks for TinyML", ICASSP 2022, arXiv 2204.10546. Their auxiliary
network is larger, and they choose k by hand; here it is the smallest head there is, and k follows from the budget.
"""

# C = channels of the features behind block k, K = classes, H, W = their height and width, N = images

import copy
import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from catalyst_core import cost
from catalyst_core.coupling import arguments
from catalyst_core.errors import BudgetError, ConfigError, ExampleInputError, NetworkError, NoGroupsError, said_by
from catalyst_core.groups import FilterGroup
from catalyst_core.peers import Network
from catalyst_core.regularizers import Regularizer, Settings
from catalyst_core.regularizers.bank import Vector
from catalyst_core.wrappers import unwrap

HEAD = "auxiliary"  # name of the head in the shortened network
FEATURES = 4  # dimensions of (N, C, H, W)


def blocks(model: nn.Module, example_inputs: Any) -> tuple[str, ...]:
    """The blocks f_1, f_2, ... that `model` can be cut behind, each by the name of its first layer with weights.

    `example_inputs` are images (N, C, H, W), or a tuple of them. Raises as `Chain`.
    """
    return Chain(model, example_inputs).blocks


def shortened(model: nn.Module, example_inputs: Any, *, after: int, seed: int = 0) -> nn.Module:
    """y = h(f_k(...f_1(x))) with k = `after`: copies of the first k blocks under their own names, and a new head `auxiliary`.

    It has as many outputs as `model`. The head is drawn from `seed`, the global random state stays. Raises `ConfigError` where
    there is no such block, and as `Chain`.
    """
    return Chain(model, example_inputs).shortened(after, seed)


def freeze_blocks(model: nn.Module) -> nn.Module:
    """Of what `shortened` made only the head is left to train, in place; the same module."""
    model.requires_grad_(False).get_submodule(HEAD).requires_grad_(True)
    return model


@dataclass
class _Call:
    """One call of a module in a forward pass: tensors with their versions, which rise with everything written into them."""

    name: str
    module: nn.Module
    given: tuple[Tensor, int] | None  # None: not one tensor alone
    returned: tuple[Tensor, int] | None = None


@dataclass(frozen=True)
class _Unit:
    """A module whose only work is to turn features into features."""

    name: str
    module: nn.Module
    channels: int  # of the features that it returns

    @classmethod
    def of(cls, call: _Call) -> "_Unit":
        """Without the tensors."""
        assert call.returned is not None
        return cls(call.name, call.module, call.returned[0].shape[1])

    @property
    def has_weights(self) -> bool:
        """Whether it is more than a normalisation, an activation or a pooling."""
        return any(parameter.ndim >= 2 for parameter in self.module.parameters())


class Chain:
    """The blocks of a network in the order in which images pass them, from one forward pass in evaluation mode.

    Raises `NetworkError` where features do not pass from module to module, or it does not answer (N, K), and
    `ExampleInputError` where it does not run.
    """

    def __init__(self, model: nn.Module, example_inputs: Any) -> None:
        self._model, self._inputs = unwrap(model), arguments(example_inputs)
        calls = _watched(self._model, self._inputs)
        answer = calls[0].returned
        if answer is None or answer[0].ndim != 2:
            raise NetworkError("a network that is to be shortened has to answer images with one row of scores each")
        self._classes = answer[0].shape[1]
        self._parts = _parted([_Unit.of(call) for call in _passed(calls[0], calls)[0]])
        if not self._parts:
            raise NetworkError(
                f"{type(self._model).__name__} cannot be cut behind a block: its features do not pass from one module to the next"
            )

    @property
    def blocks(self) -> tuple[str, ...]:
        """Their names: of the first layer with weights in each."""
        return tuple(next(one.name for one in part if one.has_weights) for part in self._parts)

    def modules(self, after: int) -> set[str]:
        """The names of all modules in the first `after` blocks."""
        units = [one for part in self._parts[:after] for one in part]
        return {f"{one.name}.{inner}".rstrip(".") for one in units for inner, _ in one.module.named_modules()}

    @cached_property
    def macs(self) -> tuple[int, ...]:
        """Multiply-accumulates of one image in the network that is cut behind each of the blocks."""
        return tuple(cost.count(self._assembled(after, 0), self._inputs).macs for after in range(1, len(self._parts) + 1))

    def deepest(self, macs: int) -> int:
        """The largest k whose network takes at most so many multiply-accumulates. Raises `BudgetError`: none does."""
        fitting = [after for after, needed in enumerate(self.macs, start=1) if needed <= macs]
        if not fitting:
            raise BudgetError(
                f"a depth cut keeps at least block 1 of {len(self._parts)}, which takes {self.macs[0]:,} multiply-accumulates; "
                f"the budget allows {macs:,}"
            )
        return fitting[-1]

    def shortened(self, after: int, seed: int) -> nn.Module:
        """See `shortened`."""
        if not 1 <= after <= len(self._parts):
            raise ConfigError(f"after must lie between 1 and {len(self._parts)}, the number of blocks, not {after!r}")
        return copy.deepcopy(self._assembled(after, seed)).train(self._model.training)

    def _assembled(self, after: int, seed: int) -> nn.Sequential:
        """The model's own modules behind one another, and a head."""
        units = [one for part in self._parts[:after] for one in part]
        network = _nested([(one.name.split("."), one.module) for one in units])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            linear = nn.Linear(units[-1].channels, self._classes).to(next(self._model.parameters()))
        assert HEAD not in dict(network.named_children())
        head = OrderedDict(mean=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), linear=linear)
        network.add_module(HEAD, nn.Sequential(head))
        return network


class DepthCut(Regularizer):
    """The contract over a depth cut: no penalty, no step; `after` blocks stay, as many as the budget allows.

    Allowed are as many multiply-accumulates as a cut of channels leaves under the same budget, uniform over the groups. A
    channel goes when no layer that stays makes it. Raises as `Chain`, `BudgetError` where not even one block fits, and
    `NoGroupsError` where there are no groups, which the budget counts.
    """

    name = "depth"

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings, network: Network) -> None:
        if not groups:
            raise NoGroupsError("a depth cut takes its budget from a cut of channels, and this network has none that can be cut")
        self.chain = Chain(network.model, network.example)
        self._macs = groups.macs
        super().__init__(groups, settings)

    def _adopt(self, settings: Settings) -> None:
        assert settings.budget is not None
        gone = self.allocator.uniform(settings.budget)
        stays = [np.arange(size) >= pruned for size, pruned in zip(self.allocator.sizes, gone, strict=True)]
        allowed = self._macs.count(np.concatenate(stays))
        after = self.chain.deepest(allowed)
        super()._adopt(settings)
        self.allowed, self.after = allowed, after

    @property
    def said(self) -> str:
        """Where the cut is, in a sentence."""
        names, needed = self.chain.blocks, self.chain.macs[self.after - 1]
        return (
            f"cut behind block {self.after} of {len(names)} ({names[self.after - 1]}): {needed:,} multiply-accumulates, "
            f"where the budget allows {self.allowed:,}"
        )

    def shortened(self, seed: int) -> nn.Module:
        """The network that is left, with a head drawn from `seed`."""
        return self.chain.shortened(self.after, seed)

    def _kept(self, magnitudes: Vector) -> NDArray[np.bool_]:
        there = self.chain.modules(self.after)
        stays = np.zeros(self.bank.total, dtype=bool)
        for layer in self._macs.layers:
            if layer.name in there:
                stays[layer.rows[layer.rows >= 0]] = True
        return stays

    def _staying(self, magnitudes: Vector) -> NDArray[np.bool_]:
        return self._kept(magnitudes)  # whole layers go

    def _thresholds(self, magnitudes: Vector, kept: NDArray[np.bool_]) -> list[float | None]:
        return [None] * len(self.groups)


def _watched(model: nn.Module, inputs: Sequence[Any]) -> list[_Call]:
    """Every call of a module in one forward pass, in the order in which they began: the model's own first."""
    calls: list[_Call] = []
    open_calls: list[_Call] = []

    def entering(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def enter(module: nn.Module, given: tuple[Any, ...]) -> None:
            calls.append(_Call(name, module, _seen(given[0] if len(given) == 1 else None)))
            open_calls.append(calls[-1])

        return enter

    def leave(module: nn.Module, given: tuple[Any, ...], returned: Any) -> None:
        open_calls.pop().returned = _seen(returned)

    hooks = []
    modes = {module: module.training for module in model.modules()}
    for name, module in model.named_modules():
        hooks += [module.register_forward_pre_hook(entering(name)), module.register_forward_hook(leave)]
    try:
        with torch.no_grad():
            model.eval()(*inputs)
    except Exception as error:  # whatever a model's own code raises
        raise ExampleInputError(f"{type(model).__name__} does not run on the example inputs: {said_by(error)}") from error
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return calls


def _seen(value: Any) -> tuple[Tensor, int] | None:
    return (value, value._version) if isinstance(value, Tensor) else None


def _same(one: tuple[Tensor, int] | None, other: tuple[Tensor, int] | None) -> bool:
    """Whether it is one tensor, and nothing was written into it meanwhile."""
    return one is not None and other is not None and one[0] is other[0] and one[1] == other[1]


def _passed(call: _Call, calls: Sequence[_Call]) -> tuple[list[_Call], bool]:
    """The modules that features pass inside of `call`, as far as they do, and whether it does nothing else."""
    units: list[_Call] = []
    place = call.given
    for child in _inside(call, calls):
        if not _same(child.given, place):
            return units, False
        inner, whole = _passed(child, calls)
        if child.returned is None or child.returned[0].ndim != FEATURES:
            return units + inner, False
        units += inner if whole and isinstance(child.module, nn.Sequential) else [child]
        place = child.returned
    return units, _same(call.returned, place)


def _inside(call: _Call, calls: Sequence[_Call]) -> list[_Call]:
    """The modules right inside, in the order in which they were called; up to one that was called again."""
    prefix = f"{call.name}." if call.name else ""
    inside = [one for one in calls if one.name.startswith(prefix) and one.name and "." not in one.name[len(prefix) :]]
    names = [one.name for one in inside]
    return list(itertools.takewhile(lambda one: names.count(one.name) == 1, inside))


def _parted(units: Sequence[_Unit]) -> list[list[_Unit]]:
    """Blocks: each begins with a unit that has weights, and what follows without any belongs to it."""
    parts: list[list[_Unit]] = []
    for unit in units:
        if not parts or (unit.has_weights and any(one.has_weights for one in parts[-1])):
            parts.append([])
        parts[-1].append(unit)
    return [part for part in parts if any(one.has_weights for one in part)]


def _nested(parts: Sequence[tuple[list[str], nn.Module]]) -> nn.Sequential:
    """Modules behind one another, in sequences inside sequences so that each keeps its name: [(["layer1", "0"], block), ...]."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for first, members in itertools.groupby(parts, key=lambda one: one[0][0]):
        inner = [(path[1:], module) for path, module in members]
        layers[first] = _nested(inner) if inner[0][0] else inner[0][1]
    return nn.Sequential(layers)
