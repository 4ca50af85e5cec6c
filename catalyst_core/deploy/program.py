"""`torch.export`: the forward pass as one graph of PyTorch's own operators, in one file that needs no code of the network."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, fx, nn

from catalyst_core.errors import NetworkError, said_by

TRACES = ("stack_trace", "source_fn_stack", "from_node")  # what nodes say about the files that the code came from


def program_bytes(model: nn.Module, blank: Tensor) -> bytes:
    """The network as a file for `torch.export.load`, for any number of images.

    `model` is in evaluation mode; `blank` (2, ...) are images of the right shape. Raises `NetworkError`, one sentence.
    """
    program = exported(model, blank)
    for module in program.graph_module.modules():
        if isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                for name in TRACES:
                    node.meta.pop(name, None)
    stream = io.BytesIO()
    try:
        torch.export.save(program, stream)
    except Exception as error:  # whatever the exporter raises
        raise NetworkError(f"torch.export failed ({said_by(error)})") from error
    return stream.getvalue()


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch.export's word on networks that keep tensors for the next call: the file is compared with the network."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"The tensor attributes? .* assigned during export", UserWarning)
        yield


def exported(model: nn.Module, blank: Tensor) -> torch.export.ExportedProgram:
    """The network as a graph of operators, for any number of images. Raises `NetworkError`, one sentence."""
    try:
        with quiet():
            return torch.export.export(model, (blank,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:  # whatever the network's own code and the exporter raise
        raise NetworkError(f"torch.export failed ({said_by(error)})") from error


def program_call(content: bytes) -> Callable[[Tensor], Tensor]:
    """What the file computes, read from its bytes."""
    return torch.export.load(io.BytesIO(content)).module()
