"""Small networks with every kind of coupling."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from catalyst_core.models import build_model
from tests.threads import one_thread  # noqa: F401


class DepthwiseNet(nn.Module):
    """An inverted residual block: expand, depthwise, project, add."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU6())
        self.expand = nn.Sequential(nn.Conv2d(6, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False), nn.BatchNorm2d(12), nn.ReLU6())
        self.project = nn.Sequential(nn.Conv2d(12, 6, 1, bias=False), nn.BatchNorm2d(6))
        self.classifier = nn.Linear(6, 4)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.project(self.depthwise(self.expand(x)))
        return self.classifier(x.mean((2, 3)))


class DenseNet(nn.Module):
    """Pre-activation and concatenation: the BatchNorms in front of the readers are what can silence a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 3, padding=1)
        self.bn1, self.conv1 = nn.BatchNorm2d(5), nn.Conv2d(5, 4, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(9), nn.Conv2d(9, 3, 3, padding=1, bias=False)
        self.bn3, self.classifier = nn.BatchNorm2d(12), nn.Linear(12, 4)

    def forward(self, x):
        x = self.stem(x)
        x = torch.cat([x, self.conv1(self.bn1(x).relu())], 1)
        x = torch.cat([x, self.conv2(self.bn2(x).relu())], 1)
        return self.classifier(self.bn3(x).relu().mean((2, 3)))


class GatedNet(nn.Module):
    """Squeeze-and-excitation: channels are multiplied by a sigmoid that never reaches zero."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Conv2d(8, 3, 1), nn.Conv2d(3, 8, 1)
        self.classifier = nn.Linear(8, 4)

    def forward(self, x):
        x = nn.functional.silu(self.bn(self.conv(x)))
        gate = self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return self.classifier((x * gate).mean((2, 3)))


class FlattenNet(nn.Module):
    """No BatchNorm; one channel is read by several columns of the linear layer behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 5, 3, stride=4, padding=1)
        self.fc, self.classifier = nn.Linear(5 * 4, 7), nn.Linear(7, 4)

    def forward(self, x):
        x = self.conv2(self.conv1(x).relu()).relu()
        return self.classifier(self.fc(x.flatten(1)).relu())


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cnn": lambda: build_model("cnn", 3, 8, 4, 0),
    "vgg_small": lambda: build_model("vgg_small", 3, 8, 4, 0),
    "resnet20": lambda: build_model("resnet20", 3, 8, 4, 0),
    "depthwise": DepthwiseNet,
    "dense": DenseNet,
    "gated": GatedNet,
    "flatten": FlattenNet,
    "mlp": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 12), nn.GELU(), nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 4)),
}


@pytest.fixture
def images():
    """(2, 3, 8, 8)"""
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=NETWORKS)
def network(request):
    """Every architecture in turn, in evaluation mode, with BatchNorms that are far from the identity."""
    return lively(request.param)


@pytest.fixture
def make_network():
    """Name -> a lively network."""
    return lively


def lively(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = NETWORKS[name]().eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 1.5)
    return model
