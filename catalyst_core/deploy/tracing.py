"""What torch.fx sees of a forward pass in evaluation mode: layers of torch.nn are steps, everything else is followed into.

Where it sees nothing, torch.export does, without layers: `operators`.
"""

import copy
import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from catalyst_core.deploy.program import exported
from catalyst_core.errors import NetworkError, said_by
from catalyst_core.wrappers import unwrap

ROOT = "net"  # where the network is below the module that is traced
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
LAYERS = vars(nn.modules)
ASKING = {getattr, "size", "dim", *(getattr(operator, name) for name in "getitem eq ne lt le gt ge mul floordiv mod".split())}


def is_layer(module: nn.Module) -> bool:
    """Whether it is a layer of torch.nn itself, not one derived from it."""
    own = LAYERS.get(type(module).__name__) is type(module) and not isinstance(module, CONTAINERS)
    return own and (isinstance(module, nn.MultiheadAttention) or not any(module.children()))


def traced(model: nn.Module, example: Tensor) -> tuple[nn.Module, fx.Graph]:
    """A copy of the network below `ROOT`, and its graph.

    Where the code asks for the size of an activation in an `if`, it is followed again with the sizes that `example` (N, ...)
    leads to; the graph then holds for images of that size. Raises `NetworkError`.
    """
    root = _Whole(model)
    try:
        try:
            graph = _graph(_Tracer(), root)
        except fx.proxy.TraceError:
            graph = _graph(_SizedTracer(example), root)
    except Exception as error:  # whatever a model's own code does with a tensor that has no values
        raise NetworkError(
            f"torch.fx cannot follow the forward pass of {type(unwrap(model)).__name__} ({said_by(error)})"
        ) from error
    return root, graph


def operators(model: nn.Module, example: Tensor) -> tuple[nn.Module, fx.Graph]:
    """As `traced`, down to PyTorch's operators. Raises `NetworkError`."""
    root = exported(_Whole(model), example).module(check_guards=False)
    for node in reversed(root.graph.nodes):
        if not node.users and str(node.target).startswith("aten._assert"):
            root.graph.erase_node(node)
    last = root.graph.output_node()
    last.args = last.args[0]  # a network returns logits alone: torch.export has a list of one
    return root, root.graph


class _Whole(nn.Module):
    """Calls a copy of the network with images alone: arguments with defaults keep them. Weights that are made of others (weight
    and spectral normalisation) are what they are now."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.add_module(ROOT, copy.deepcopy(unwrap(model)).cpu().eval())
        for part in list(self.modules()):
            if parametrize.is_parametrized(part):
                _fold(part)
            for one in [hook for hook in part._forward_pre_hooks.values() if isinstance(hook, WeightNorm | SpectralNorm)]:
                (remove_weight_norm if isinstance(one, WeightNorm) else remove_spectral_norm)(part, one.name)

    def forward(self, images: Tensor) -> Any:
        return self.get_submodule(ROOT)(images)


def _fold(part: nn.Module) -> None:
    """By hand, as `remove_parametrizations` would change the class that a copy shares with its original."""
    made = {name: getattr(part, name).detach() for name in part.parametrizations}
    part.__class__ = type(part).__bases__[0]
    del part.parametrizations
    for name, value in made.items():
        part.register_parameter(name, nn.Parameter(value))


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_layer(m)


class _SizedTracer(_Tracer):
    """Runs every step on the example at once, so that sizes are numbers, but for the number of images."""

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        self._example = example
        self._values: dict[fx.Node, Any] = {}
        self._running = False

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _SizedProxy(node, self)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        self._running = True
        try:
            with torch.no_grad():
                self._values[node] = self._run(node)
        finally:
            self._running = False
        return node

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return attr_val if self._running else super().getattr(attr, attr_val, parameter_proxy_cache)

    def call_module(self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return forward(*args, **kwargs) if self._running else super().call_module(m, forward, args, kwargs)

    def value(self, node: fx.Node) -> Any:
        """What the step made of the example."""
        return self._values[node]

    def _run(self, node: fx.Node) -> Any:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), self.value)
        if node.op == "placeholder":
            return self._example
        if node.op == "get_attr":
            return operator.attrgetter(node.target)(self.root)
        if node.op == "call_module":
            return self.root.get_submodule(node.target)(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], node.target)(*args[1:], **kwargs)
        return node.target(*args, **kwargs) if node.op == "call_function" else None


class _SizedProxy(fx.Proxy):
    def __getattr__(self, name: str) -> Any:
        value = self.tracer.value(self.node)
        if not isinstance(value, Tensor) or name not in ("shape", "ndim", "size", "dim"):
            return super().__getattr__(name)
        sizes = (super().__getattr__("shape")[0], *value.shape[1:]) if value.ndim else ()
        known = {"shape": sizes, "ndim": value.ndim, "dim": lambda: value.ndim}
        return known.get(name, lambda dim=None: sizes if dim is None else sizes[dim])


def _graph(tracer: fx.Tracer, root: nn.Module) -> fx.Graph:
    """The steps, without those that only checked something."""
    graph = tracer.trace(root)
    for node in list(graph.nodes):
        if node.meta.get("is_wrapped") and getattr(node.target, "__module__", "") != "math":
            _follow(tracer, graph, node)
    for node in reversed(graph.nodes):
        if node.target is torch._assert or (not node.users and node.target in ASKING):
            graph.erase_node(node)
    return graph


def _follow(tracer: fx.Tracer, graph: fx.Graph, node: fx.Node) -> None:
    """Look into a function that its package keeps from torch.fx (`torch.fx.wrap`)."""
    with graph.inserting_before(node):
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), tracer.proxy)
        made = node.target(*args, **kwargs)
    node.replace_all_uses_with(made.node)
    graph.erase_node(node)
