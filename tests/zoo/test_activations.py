"""Channels behind an activation are offered exactly when it maps 0 to 0, and rescaled exactly when it scales with its input."""

import pytest
import torch
from torch import nn

from catalyst_core.filters import find_groups
from tests.zoo import small

ACTIVATIONS = [
    nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.Identity(), nn.Dropout(0.1), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(),
    nn.Hardswish(), nn.Hardtanh(), nn.Tanh(), nn.ELU(), nn.CELU(), nn.SELU(), nn.Softsign(), nn.Tanhshrink(), nn.Softshrink(),
    nn.Hardshrink(), nn.Threshold(0.1, 0), nn.Threshold(0.1, 1), nn.Hardtanh(0.5, 1), nn.LogSigmoid(), nn.Sigmoid(),
    nn.Softplus(), nn.Hardsigmoid(),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_offered_when_zero_stays_zero_and_rescaled_when_twice_is_twice(activation):
    x = torch.linspace(-8, 8, 641, dtype=torch.float64)
    activation.eval()
    stays = float(activation(torch.zeros(1))) == 0
    scales = torch.equal(activation(2 * x), 2 * activation(x))
    groups = find_groups(small.activated(activation), torch.randn(2, 3, 8, 8))
    assert [group.name for group in groups] == (["0", "3.0"] if stays else ["3.0"])
    assert [group.inhomogeneous is None for group in groups] == ([scales, True] if stays else [True])
    assert ("0" in groups.skipped) == (not stays)
