"""A network as plain data, which `network.py` builds again: torch.fx follows the forward pass down to the layers of torch.nn, or
torch.export down to operators.

    layers                name -> (class of torch.nn, its arguments)
    parameters, buffers   names of tensors that steps use by themselves
    steps                 in order: name, op and of (as torch.fx has them, functions by name), args, options
    output                what is returned

Steps refer to earlier ones by their name, see `network.filled`.
"""

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from catalyst_core.deploy import network
from catalyst_core.deploy.tracing import ROOT, operators, traced
from catalyst_core.errors import NetworkError

NAMES = {id(call): name for name, call in reversed(network.CALLS.items()) if callable(call)}
METHODS = {"shape": "size", "ndim": "dim"}  # attribute of a tensor -> the method that says the same
DERIVED: dict[tuple[str, str], Callable[[Any], Any]] = {  # arguments that a layer does not keep under their name
    ("MultiheadAttention", "bias"): lambda layer: layer.in_proj_bias is not None,
    ("MultiheadAttention", "add_bias_kv"): lambda layer: layer.bias_k is not None,
}
UNSAID = ("device", "dtype", "args", "kwargs", "mode")  # arguments that say nothing about the function
TYPES = frozenset(network.TYPE.values())
WORDS = {...: ".dots"} | {kind: f".{name}" for name, kind in network.TYPE.items()}  # as `network.load` knows them
PLACES = ("device", "layout", "pin_memory")  # arguments of operators that say nothing about the function


@dataclass
class Described:
    """What network.json says of the forward pass, and the tensors that belong to it."""

    said: dict[str, Any] = field(default_factory=lambda: {"layers": {}, "parameters": [], "buffers": [], "steps": []})
    tensors: dict[str, Tensor] = field(default_factory=dict)  # copies on the CPU


def describe(model: nn.Module, example: Tensor) -> Described:
    """The network as it computes in evaluation mode; `model` is left as it is. `example`: images (N, ...) that it runs on.

    Raises `NetworkError`, one sentence, where it has no such form: its forward pass depends on what activations hold, or it uses
    operations that `network.py` does not list. Layers of torch.nn are preferred, as they can be read.
    """
    try:
        return _written(*traced(model, example))
    except NetworkError as error:
        try:
            return _written(*operators(model, example))
        except NetworkError as other:
            raise error from other


def _written(root: nn.Module, graph: fx.Graph) -> Described:
    writer = _Writer(root)
    for node in graph.nodes:
        writer.add(node)
    return writer.described


class _Writer:
    """Writes down a graph, node by node."""

    def __init__(self, root: nn.Module) -> None:
        self.described = Described()
        self._root, self._said = root, self.described.said
        self._names: dict[fx.Node, str] = {}

    def add(self, node: fx.Node) -> None:
        """The next node."""
        if node.op == "placeholder":
            self._names[node] = "images"
        elif node.op == "output":
            self._said["output"] = self._argument(node.args[0])
        else:
            op, of, args = self._step(node)
            options = [[name, self._argument(one)] for name, one in node.kwargs.items() if name not in PLACES]
            self._names[node] = name = self._name(node)
            step = {"name": name, "op": op, "of": of, "args": [self._argument(one) for one in args], "options": options}
            self._said["steps"].append(step)

    def _step(self, node: fx.Node) -> tuple[str, str, tuple[Any, ...]]:
        """(op, of, args) of a node."""
        if node.op in ("call_module", "get_attr"):
            assert isinstance(node.target, str)
            part = self._root
            for name in node.target.split("."):
                part = getattr(part, name)
            name = _plain(node.target.removeprefix(f"{ROOT}."))
            self._layer(name, part) if node.op == "call_module" else self._tensor(name, part)
            return node.op, name, node.args
        if node.target is getattr and node.args[1] in METHODS:
            return "call_method", METHODS[node.args[1]], node.args[:1]
        if node.target is torch.ops.aten.to.device:
            return "call_function", "aten.to", (node.args[0], node.args[2])
        name = node.target if isinstance(node.target, str) else NAMES.get(id(getattr(node.target, "overloadpacket", node.target)))
        if name not in network.CALLS:
            named = getattr(node.target, "__qualname__", node.target)
            raise NetworkError(f"the operation {named!r} is not among those that network.py knows")
        return node.op, name, node.args

    def _layer(self, name: str, layer: nn.Module) -> None:
        if name in self._said["layers"]:
            return
        options = _options(name, layer)
        try:
            with torch.device("meta"):
                twin = type(layer)(**options)
        except Exception as error:  # whatever a layer raises that takes other arguments than it keeps
            raise NetworkError(f"layer {name!r} is no {type(layer).__name__} that its arguments make again") from error
        state = layer.state_dict()
        if {key: one.shape for key, one in state.items()} != {key: one.shape for key, one in twin.state_dict().items()}:
            raise NetworkError(f"layer {name!r} is no {type(layer).__name__} as torch.nn makes it: it has other tensors")
        self._said["layers"][name] = [type(layer).__name__, options]
        for key, tensor in state.items():
            self._keep(f"{name}.{key}", tensor)

    def _tensor(self, name: str, tensor: Any) -> None:
        if not isinstance(tensor, Tensor):
            raise NetworkError(f"{name!r} is used by itself and is no tensor")
        if name not in self.described.tensors:
            self._said["parameters" if isinstance(tensor, nn.Parameter) else "buffers"].append(name)
            self._keep(name, tensor)

    def _keep(self, name: str, tensor: Tensor) -> None:
        if tensor.dtype not in TYPES:
            raise NetworkError(f"tensor {name!r} is of {tensor.dtype}, which network.py does not read")
        self.described.tensors[name] = tensor.detach().clone(memory_format=torch.contiguous_format)

    def _name(self, node: fx.Node) -> str:
        base = _plain(node.name.removeprefix(f"{ROOT}_"))
        taken = set(self._names.values())
        return next(name for name in (base, *(f"{base}_{i}" for i in range(len(taken) + 1))) if name not in taken)

    def _argument(self, value: Any) -> Any:
        """As `network.filled` reads it."""
        if isinstance(value, fx.Node):
            return {"step": self._names[value]}
        if isinstance(value, list | tuple):
            return [self._argument(one) for one in value]
        if isinstance(value, slice):
            return {"slice": [self._argument(one) for one in (value.start, value.stop, value.step)]}
        word = WORDS.get(value) if isinstance(value, type(...) | torch.dtype) else None
        return _data(value, "a step") if word is None else {"step": word}


def _options(name: str, layer: nn.Module) -> dict[str, Any]:
    """The arguments that make such a layer, but for those that have their default."""
    kind = type(layer).__name__
    options = {}
    signature = inspect.signature(nn.RNNBase if isinstance(layer, nn.RNNBase) else type(layer))  # theirs is (*args, **kwargs)
    for key, parameter in signature.parameters.items():
        default = parameter.default
        if key in UNSAID or key.startswith("_"):
            continue
        value = DERIVED[kind, key](layer) if (kind, key) in DERIVED else getattr(layer, key, default)
        if key == "bias" and not isinstance(value, bool):
            value = value is not None
        same = value == (default,) * len(value) if isinstance(value, tuple) else value == default
        if not same:
            options[key] = _data(value, f"layer {name!r}")
    return options


def _data(value: Any, where: str) -> Any:
    """A value as JSON has it."""
    if isinstance(value, list | tuple):
        return [_data(one, where) for one in value]
    if isinstance(value, str):
        return _plain(value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise NetworkError(f"{where} has an argument that cannot be written as data: {str(value)[:60]!r}")


def _plain(word: str) -> str:
    """A name that `network.py` accepts."""
    if not re.fullmatch(r"[\w.-]+", word, re.ASCII):
        raise NetworkError(f"the name {word!r} is more than letters, digits, dots and dashes")
    return word
