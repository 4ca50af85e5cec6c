"""The null object of `Watched`, and what both do for whoever calls them."""

# N = inputs

import copy
import math

import torch
from torch import Tensor, nn

from catalyst_core.certificate import Certificate, certify
from catalyst_core.errors import ConfigError
from catalyst_core.wrappers import unwrap

HALVES = (torch.float16, torch.bfloat16)  # in which a CPU cannot run every layer


class Unwatched:
    """The same methods as `Watched`; nobody is told anything."""

    race_id = ""
    stopping = False

    def step(
        self,
        loss: float | Tensor | None = None,
        accuracy: float | Tensor | None = None,
        learning_rate: float | None = None,
        epoch: float | None = None,
    ) -> None:
        """Nothing."""

    def stage(self, name: str, steps: int | None = None) -> None:
        """Nothing."""

    def evaluated(self, accuracy: float, loss: float = math.nan, split: str = "validation") -> None:
        """Nothing."""

    def pruned(self, before: nn.Module, after: nn.Module, inputs: Tensor) -> Certificate:
        """The certificate of the cut."""
        return certify(*on_cpu(before, after, inputs))

    def finish(self, **scores: float) -> None:
        """Nothing."""


def on_cpu(before: nn.Module, after: nn.Module, inputs: Tensor) -> tuple[nn.Module, nn.Module, Tensor]:
    """Copies on the CPU of the networks inside, in evaluation mode, and the inputs (N, ...), none of them in half precision.

    Surgery's certificate needs float64, which not every accelerator has. Raises `ConfigError` for inputs that are no tensor.
    """
    if not isinstance(inputs, Tensor) or inputs.ndim < 2 or not len(inputs):
        raise ConfigError(f"inputs must be a tensor of at least one input, with a batch dimension, not {type(inputs).__name__}")
    old, new = (_plain(copy.deepcopy(unwrap(model))) for model in (before, after))
    return old, new, inputs.detach().cpu().float() if inputs.dtype in HALVES else inputs.detach().cpu()


def _plain(model: nn.Module) -> nn.Module:
    model = model.cpu().eval()
    return model.float() if any(parameter.dtype in HALVES for parameter in model.parameters()) else model
