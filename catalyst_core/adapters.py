"""Structured Pruning Adapters: a pruned network is fine-tuned by small matrices beside weights that stay as they are.

    splora    W_t = W + A B,   A (out, r), B (r, in / groups)      convolutions (at the middle of the kernel) and linear layers
    sppara    W_t = W + A,     A (out, in / groups)                convolutions (at the middle of the kernel)

    model = with_adapters(small)      # trains A, B, every bias and every normalisation; every other weight is frozen
    ...                               # train it as any other
    small = fused(model)              # plain layers again, the same function: no cost is left at inference

L. Hedegaard, A. Alok, J. Jose, A. Iosifidis, "Structured Pruning Adapters", arXiv 2211.10155, 2022. The layers are their own
package's, structured-pruning-adapters 0.7.1 (`sp_adapters`). Three things are done here instead of by the package: the middle
of a kernel is indexed with a tuple (its lists are deprecated in torch), adapters take dtype and device of their layer, and
layers are found by their exact type: it would also replace subclasses of Conv2d that have a forward pass of their own, and
leave what it cannot replace trainable.
"""

# r = rank

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import torch
from sp_adapters import SPLoRAConv2d, SPLoRALinear, SPPaRAConv2d
from sp_adapters.utils import copy_linear_params_
from torch import Tensor, nn

from catalyst_core.errors import ConfigError, NetworkError
from catalyst_core.wrappers import unwrap

Kind = Literal["splora", "sppara"]
RANK = 8


class _LowRank(SPLoRAConv2d):
    @property
    def adapted_weight(self) -> Tensor:
        """(out, in / groups, K, K) W + A B."""
        return _centred(self, self.adapter().squeeze(0))


class _Residual(SPPaRAConv2d):
    @property
    def adapted_weight(self) -> Tensor:
        """(out, in / groups, K, K) W + A."""
        return _centred(self, self.adapter)


ADAPTERS = (_LowRank, _Residual, SPLoRALinear)


def with_adapters(model: nn.Module, *, rank: int = RANK, kind: Kind = "splora", seed: int = 0) -> nn.Module:
    """A copy of `model` whose convolutions and linear layers are frozen and carry adapters; the global random state stays.

    Trained are the adapters, biases, and scales and shifts of normalisations, as the package has it; BatchNorm statistics
    follow the batches. "sppara" has no adapter for linear layers, because it would be one more weight of the same shape: they
    are trained whole. Convolutions whose kernel is not square or has no middle, and weights of other layers, are frozen without
    an adapter. `rank`: at most so many, and never more than the smaller side of A B. A and B begin as the package draws them
    (B as a linear layer, A within 1e-4 of 0), so the function first changes by about that much.
    Raises `ConfigError` for a rank below 1 or another kind, and `NetworkError` where there is no layer to adapt.
    """
    if kind not in get_args(Kind):
        raise ConfigError(f"kind must be one of {', '.join(get_args(Kind))}, not {kind!r}")
    if not isinstance(rank, int) or rank < 1:
        raise ConfigError(f"rank must be a whole number of at least 1, not {rank!r}")
    copied = copy.deepcopy(unwrap(model))
    for parameter in copied.parameters():
        parameter.requires_grad_(parameter.ndim < 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapted = _replaced(copied, partial(_adapted, kind=kind, rank=rank), {})
    if not any(isinstance(module, ADAPTERS) for module in adapted.modules()):
        raise NetworkError(f"this {type(copied).__name__} has no linear layer and no convolution with a middle to adapt")
    return adapted


def fused(model: nn.Module) -> nn.Module:
    """A copy of what `with_adapters` made, in plain layers that compute the same; every parameter can be trained again."""
    copied = copy.deepcopy(unwrap(model))
    with torch.random.fork_rng(devices=[]):  # a new layer draws weights before it is given these
        return _replaced(copied, _plain, {}).requires_grad_(True)


def trained_parameters(model: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _replaced(module: nn.Module, replace: Callable[[nn.Module], nn.Module], known: dict[int, nn.Module]) -> nn.Module:
    """`module` with `replace` done to every layer in it, once to those that stand in several places. Attention is left alone:
    it reads the weights of its linear layer past the layer's forward pass."""
    if id(module) not in known:
        known[id(module)] = made = replace(module)
        if made is module and not isinstance(module, nn.MultiheadAttention):
            for name, child in module._modules.items():  # `named_children` leaves out the second place of a child
                if child is not None:
                    setattr(module, name, _replaced(child, replace, known))
    return known[id(module)]


def _adapted(layer: nn.Module, *, kind: Kind, rank: int) -> nn.Module:
    if type(layer) is nn.Linear:
        if kind == "sppara":
            return layer.requires_grad_(True)
        made = SPLoRALinear.from_module(layer, rank=min(rank, *layer.weight.shape))
    elif type(layer) is nn.Conv2d and _has_middle(layer):
        made = _convolution(layer, kind, rank)
    else:
        return layer
    return made.to(layer.weight).train(layer.training)


def _convolution(layer: nn.Conv2d, kind: Kind, rank: int) -> nn.Module:
    """As the package's `from_module`, which names its own class."""
    given: dict[str, Any] = {name: getattr(layer, name) for name in layer.__constants__ if name != "output_padding"}
    given |= {"bias": layer.bias is not None, "device": layer.weight.device, "dtype": layer.weight.dtype}
    made = _Residual(**given) if kind == "sppara" else _LowRank(**given, rank=min(rank, *layer.weight.shape[:2]))
    copy_linear_params_(layer, made)
    return made


def _plain(layer: nn.Module) -> nn.Module:
    return layer.to_module().train(layer.training) if isinstance(layer, ADAPTERS) else layer


def _has_middle(layer: nn.Conv2d) -> bool:
    return len(set(layer.kernel_size)) == 1 and layer.kernel_size[0] % 2 == 1


def _centred(layer: nn.Conv2d, added: Tensor) -> Tensor:
    """W (out, in / groups, K, K) with (out, in / groups) `added` at the middle of the kernel, differentiable in `added`."""
    whole = torch.zeros_like(layer.weight)
    middle = layer.kernel_size[0] // 2
    whole[:, :, middle, middle] = added
    return layer.weight + whole
