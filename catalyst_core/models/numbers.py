"""Numbers that a network can compute with: which kinds of tensors are converted, and which values are none."""

import torch
from torch import Tensor

from catalyst_core.errors import NetworkError, shown

FLOATS = ("float32", "float64", "float16", "bfloat16")
WHOLE = ("int64", "int32", "int16", "int8", "uint8", "bool")


def kind(value: Tensor) -> str:
    """'float32', or what is out of the ordinary about a tensor: 'meta', 'sparse_coo', 'qint8'."""
    odd = value.device.type if value.device.type != "cpu" else value.layout if value.layout is not torch.strided else value.dtype
    return str(odd).removeprefix("torch.")


def converted(name: str, value: Tensor, wanted: Tensor, file: str) -> Tensor:
    """`value` in the precision of the network's own tensor.

    Raises `NetworkError`: a tensor of another kind, or numbers that this precision cannot hold.
    """
    if kind(value) == kind(wanted):
        return value
    own = str(wanted.dtype).removeprefix("torch.")
    allowed = FLOATS if own in FLOATS else WHOLE + FLOATS if own in WHOLE else (own,)
    where = f"weights: {shown(name)} in {file}"
    if kind(value) not in allowed:
        raise NetworkError(f"{where} is of the kind {kind(value)}; allowed are dense tensors of {', '.join(allowed)}")
    new = value.to(wanted.dtype)
    lost = new.isinf() & value.isfinite() if own in FLOATS else new != value
    if lost.any():
        raise NetworkError(f"{where} holds numbers that {own} cannot, such as {value[lost][0].item():g}")
    return new


def flaw(name: str, value: Tensor, *, trained: bool) -> str | None:
    """What is wrong with a tensor of a network; None where nothing is. Only buffers may be infinite: masks are."""
    if kind(value) not in FLOATS:
        return None
    measured = name.endswith(("running_mean", "running_var"))
    if value.isnan().any() or (value.isinf().any() and (trained or measured)):
        return "holds NaN or infinite numbers"
    if name.endswith("running_var") and (value < 0).any():
        return "holds negative numbers, but is a variance"
    return None
