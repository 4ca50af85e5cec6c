"""What a regularizer keeps in memory beside the network: the bytes of every array and tensor that it alone reaches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn


def bytes_of(state: Any) -> int:
    """Bytes of the tensors in nested plain data, such as a state dict."""
    if isinstance(state, Tensor):
        return state.nbytes
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else ()
    return sum(bytes_of(part) for part in parts)


def held_bytes(root: object) -> int:
    """Bytes of the memory blocks behind all arrays and tensors that `root` reaches, each once, networks left out."""
    blocks: dict[int, int] = {}
    seen: dict[int, object] = {}
    rest: list[Any] = [root]
    while rest:
        one = rest.pop()
        if id(one) in seen or isinstance(one, nn.Module | nn.Parameter):
            continue
        seen[id(one)] = one  # held on to, so that no other object gets its id
        if isinstance(one, Tensor):
            blocks[one.untyped_storage().data_ptr()] = one.untyped_storage().nbytes()
        elif isinstance(one, np.ndarray) and one.base is None:
            blocks[one.ctypes.data] = one.nbytes
        elif isinstance(one, np.ndarray) and isinstance(one.base, np.ndarray):  # any other base: a look into a parameter
            rest.append(one.base)
        elif isinstance(one, Mapping):
            rest += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            rest += one
        else:
            rest += getattr(one, "__dict__", {}).values()
    return sum(blocks.values())
