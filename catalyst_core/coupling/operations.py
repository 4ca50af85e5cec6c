"""What kind of thing an operation is, by its schema and its name, and the tensors among its arguments."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

# Operations that only move entries about, beside those whose result is a view of their argument.
MOVES = frozenset(
    "cat stack clone copy _to_copy index index_select repeat flip roll im2col constant_pad_nd reflection_pad1d reflection_pad2d "
    "replication_pad1d replication_pad2d pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle _unsafe_view "
    "unsafe_split unsafe_chunk".split()
)
RESHAPES = frozenset("view _unsafe_view reshape _reshape_alias".split())
NOT_FOLLOWED = frozenset("as_strided unfold diagonal view_as_real view_as_complex".split())
REDUCTIONS = frozenset("mean sum amax amin max min".split())
NEW = frozenset("zeros empty ones full rand randn new_empty new_zeros new_ones new_full".split())  # and whatever ends in _like


@contextmanager
def unfused() -> Iterator[None]:
    """Attention operation by operation: PyTorch's fast path hides whole layers in one that nothing can be said of."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def base_name(func: Any) -> str:
    """'relu' of aten::relu and of aten::relu_."""
    return str(func._schema.name).split("::")[1].rstrip("_")


def title(name: str) -> str:
    """For a sentence: 'Hardtanh'."""
    return name.strip("_").capitalize()


def is_new(name: str) -> bool:
    """Whether its result has no content yet that came from anywhere."""
    return name in NEW or name.endswith("_like")


def is_view(func: Any) -> bool:
    """Whether the result shares the memory of an argument."""
    return any(one.alias_info is not None and not one.alias_info.is_write for one in func._schema.arguments)


def is_move(func: Any, name: str) -> bool:
    """Whether every entry of the result is one of the arguments' entries, or padding."""
    return name not in NOT_FOLLOWED and (name in MOVES or is_view(func))


def is_in_place(func: Any) -> bool:
    """Whether it writes into its first argument."""
    arguments = func._schema.arguments
    return bool(arguments) and arguments[0].alias_info is not None and arguments[0].alias_info.is_write


def is_gathering(name: str) -> bool:
    """Whether one entry of the result comes from several positions of one activation."""
    return name in REDUCTIONS or "pool" in name or "upsample" in name


def gathered_dims(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], ndim: int) -> list[int]:
    """The dimensions over which it takes entries together, counted from 0."""
    if name not in REDUCTIONS:
        spatial = next(int(name[place - 1]) for place in range(1, len(name)) if name[place] == "d" and name[place - 1].isdigit())
        return list(range(ndim - spatial, ndim))
    names = [one.name for one in func._schema.arguments]
    dims = kwargs.get("dim", args[names.index("dim")] if "dim" in names and len(args) > names.index("dim") else None)
    dims = [dims] if isinstance(dims, int) else dims
    return sorted(dim % ndim for dim in dims) if dims else list(range(ndim))


def widened(tensor: Tensor, ndim: int) -> Tensor:
    """With leading dimensions of one, as broadcasting gives them."""
    return tensor.reshape((1,) * (ndim - tensor.ndim) + tuple(tensor.shape))


def tensors(values: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists, dicts and dataclasses, in order."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))
    elif isinstance(values, (tuple, list)):
        for one in values:
            yield from tensors(one)
    elif hasattr(values, "__dataclass_fields__") and not inspect.isclass(values):
        yield from tensors(list(vars(values).values()))


def replaced(values: Any, replace: Callable[[Tensor], Any]) -> Any:
    """The same arguments with every tensor replaced."""
    if isinstance(values, Tensor):
        return replace(values)
    if isinstance(values, dict):
        return {key: replaced(one, replace) for key, one in values.items()}
    return type(values)(replaced(one, replace) for one in values) if isinstance(values, (tuple, list)) else values


def is_pointwise(func: Any, name: str) -> bool:
    """Whether each entry of the result depends on the entries at its own place alone."""
    return torch.Tag.pointwise in func.tags or name == "_prelu_kernel"
