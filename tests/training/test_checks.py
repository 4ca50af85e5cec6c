"""What a network must be before anything begins: a sentence for each thing that is not so, and nothing is changed by looking."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from catalyst_core.errors import NetworkError
from catalyst_core.models import build_model
from catalyst_core.training.checks import check_network

IMAGES = torch.linspace(-1, 1, 128).view(2, 1, 8, 8)


class Net(nn.Module):
    """Four channels, a norm and ten classes."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 10)

    def forward(self, x):
        """(N, 1, 8, 8) -> (N, 10)"""
        return self.out(F.relu(self.norm(self.conv(x))).mean((2, 3)))


class Detached(Net):
    """No gradient."""

    def forward(self, x):
        """(N, 10)"""
        return super().forward(x).detach()


class Ungraded(Net):
    """No gradient either."""

    @torch.no_grad()
    def forward(self, x):
        """(N, 10)"""
        return super().forward(x)


class OnlyEval(Net):
    """Refuses to train."""

    def forward(self, x):
        """(N, 10)"""
        if self.training:
            raise ValueError("only eval please")
        return super().forward(x)


class Auxiliary(Net):
    """Two answers in training."""

    def forward(self, x):
        """(N, 10), or two of them"""
        found = super().forward(x)
        return [found, found] if self.training else found


class Frozen(Net):
    """Nothing to train."""

    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


class Leaving(Net):
    """Ends the process."""

    def forward(self, x):
        """Nothing"""
        raise SystemExit


class Dropping(Net):
    """Random in eval mode."""

    def forward(self, x):
        """(N, 10)"""
        return F.dropout(super().forward(x), 0.5, training=True)


class Counting(Net):
    """Otherwise each time."""

    calls = 0

    def forward(self, x):
        """(N, 10)"""
        self.calls += 1
        return super().forward(x) * (1 + self.calls / 100)


class NotANumber(Net):
    """One filter is none."""

    def __init__(self):
        super().__init__()
        nn.init.constant_(self.conv.weight[1], torch.nan)


class Infinite(Net):
    """A statistic that makes its channel constant."""

    def __init__(self):
        super().__init__()
        self.norm.running_var[3] = torch.inf


WRONG = {
    Detached: r"cannot be trained: its scores have no gradient \(is there a detach or no_grad in its forward\?\)$",
    Ungraded: r"cannot be trained: its scores have no gradient \(is there a detach or no_grad in its forward\?\)$",
    Frozen: "cannot be trained: none of its parameters requires a gradient$",
    OnlyEval: r"does not run in training mode on images of 1 x 8 x 8 \(ValueError: only eval please\)$",
    Auxiliary: "answers 2 images in training mode with a list, not with scores of 2 x 10$",
    Leaving: r"does not run on images of 1 x 8 x 8 \(SystemExit\)$",
    Dropping: "does not answer the same images with the same scores each time: something in it is random",
    Counting: "does not answer the same images with the same scores each time: something in it is random, or counts",
    NotANumber: "'conv.weight' holds NaN or infinite numbers$",
    Infinite: "'norm.running_var' holds NaN or infinite numbers$",
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_race_is_one_sentence(kind):
    with pytest.raises(NetworkError, match=f"^model mine:? {WRONG[kind]}"):
        check_network(kind(), "mine", IMAGES, 10)


@pytest.mark.parametrize("training", [True, False])
def test_looking_changes_nothing(training):
    model = build_model("cnn", 1, 8, 10, seed=0).train(training)
    model.extra = nn.Dropout(0.5)
    before, state = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    check_network(model, "cnn", IMAGES, 10)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.random.get_rng_state().equal(state)
    assert model.training == training
