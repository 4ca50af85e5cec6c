"""ONNX: written by PyTorch's exporter, run by onnxruntime. Both packages, and onnxscript, are imported where they are used."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from catalyst_core.deploy.program import quiet
from catalyst_core.errors import NetworkError, said_by

# The newest operator set that PyTorch's exporter has translations for: torch.onnx._constants.ONNX_MAX_OPSET of 2.14. It writes
# larger numbers too, but others that read the files lag behind, and these networks have nothing to gain from them.
OPSET = 23
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
INPUT, OUTPUT = "images", "logits"


def check_installed() -> None:
    """Raise `NetworkError` where a package is missing."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise NetworkError(f"{', '.join(missing)} is not installed: pip install -r requirements.txt")


def onnx_bytes(model: nn.Module, blank: Tensor) -> bytes:
    """The network as one ONNX file: `images` (batch, ...) -> `logits`, for any number of images.

    `model` is in evaluation mode; `blank` (2, ...) are images of the right shape. Raises `NetworkError`, one sentence.
    """
    check_installed()
    import onnx

    try:
        with quiet():
            program = torch.onnx.export(
                model,
                (blank,),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
        proto = program.model_proto
        for node in proto.graph.node:  # where in which files of this machine the code is: nobody else's business
            node.ClearField("metadata_props")
        content = proto.SerializeToString()
        onnx.checker.check_model(content, full_check=True)
    except Exception as error:  # whatever exporter, operators and checker raise
        raise NetworkError(f"PyTorch's ONNX exporter failed ({said_by(error)})") from error
    return content


class Session:
    """The file as onnxruntime runs it on the CPU, with as many threads as PyTorch has now."""

    def __init__(self, content: bytes) -> None:
        """Raises `NetworkError` where onnxruntime cannot run it."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        options.add_session_config_entry("session.force_spinning_stop", "1")  # idle threads would slow down whose turn it is
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of many kinds, which it does not document
            raise NetworkError(f"onnxruntime cannot run it ({said_by(error)})") from error

    def __call__(self, images: Tensor) -> Tensor:
        """(N, ...) -> (N, K)."""
        return torch.from_numpy(self.call(images)())

    def call(self, images: Tensor) -> Callable[[], Any]:
        """A forward pass on these images, for a clock."""
        given = {INPUT: images.numpy()}
        return lambda: self._session.run(None, given)[0]
