"""What the cut changed: max |logits before - logits after| over given inputs, in float64 and in float32.

Lossless means at most 1e-10 in float64: rounding, not the function. It says nothing about the accuracy against the
dense network.
"""

# N = images, K = classes

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from catalyst_core.wrappers import unwrap

LOSSLESS = 1e-10  # the largest change of a logit, in float64, that still counts as rounding
BATCH = 50  # larger ones cost twice the time: their activations are mapped and unmapped anew for every batch


@dataclass(frozen=True)
class Certificate:
    """Before = the sparse network as training left it; after = the smaller one."""

    max_abs_logit_change: float  # float64
    max_abs_logit_change_float32: float
    changed_predictions: int  # images whose largest logit is another one, in float64
    images: int

    @property
    def lossless(self) -> bool:
        """Whether the cut changed nothing but rounding."""
        return self.max_abs_logit_change <= LOSSLESS


def certify(before: nn.Module, after: nn.Module, inputs: Tensor) -> Certificate:
    """Compare two classifiers on `inputs` (N, ...); neither is touched (deep copies of the networks inside, in eval mode)."""
    exact = [logits(model, inputs, torch.float64) for model in (before, after)]
    single = [logits(model, inputs, torch.float32) for model in (before, after)]
    return Certificate(
        max_abs_logit_change=_distance(*exact),
        max_abs_logit_change_float32=_distance(*single),
        changed_predictions=int((exact[0].argmax(1) != exact[1].argmax(1)).sum()),
        images=len(inputs),
    )


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max()) if one.numel() else 0.0


@torch.no_grad()
def logits(model: nn.Module, inputs: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, ...) -> (N, K) of a copy in eval mode, in the given precision."""
    copied = copy.deepcopy(unwrap(model)).to(dtype).eval()
    return torch.cat([copied(batch.to(dtype)) for batch in inputs.split(BATCH)])
