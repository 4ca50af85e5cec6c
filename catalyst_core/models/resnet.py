"""ResNets in their CIFAR form (He et al. 2016, section 4.2): three stages of n residual blocks, widths 16, 32, 64.

The depth is 6 n + 2. Shortcuts that change the width are 1 x 1 convolutions (option B), so every residual stream is one
group of channels.
"""

from collections import OrderedDict

import torch
from torch import nn

WIDTHS = (16, 32, 64)


class Block(nn.Module):
    """relu(shortcut(x) + f(x)) with f = conv, BatchNorm, ReLU, conv, BatchNorm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.shortcut = nn.Identity() if inputs == outputs else _projection(inputs, outputs, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, S, S) -> (N, outputs, S / stride, S / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.shortcut(x) + self.bn2(self.conv2(y)))


def resnet20(channels: int, size: int, classes: int) -> nn.Module:
    """Works for images of any size from 8 pixels on."""
    return resnet(channels, classes, depth=20)


def resnet56(channels: int, size: int, classes: int) -> nn.Module:
    """Nine blocks a stage."""
    return resnet(channels, classes, depth=56)


def resnet(channels: int, classes: int, *, depth: int) -> nn.Module:
    """ResNet-20, 32, 44, 56, 110, ...: `depth` is 6 n + 2 for n blocks a stage."""
    blocks, rest = divmod(depth - 2, 6)
    assert blocks > 0, depth
    assert rest == 0, depth
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False), bn=nn.BatchNorm2d(WIDTHS[0]), relu=nn.ReLU()
    )
    inputs = WIDTHS[0]
    for stage, width in enumerate(WIDTHS, start=1):
        for block in range(1, blocks + 1):
            layers[f"block{stage}_{block}"] = Block(inputs, width, stride=2 if stage > 1 and block == 1 else 1)
            inputs = width
    layers |= {"mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "classifier": nn.Linear(inputs, classes)}
    return nn.Sequential(layers)


def _projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
