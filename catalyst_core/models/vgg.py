"""Six convolutions with BatchNorm and ReLU in three blocks of two (32, 64, 128), and a linear classifier."""

from collections import OrderedDict

from torch import nn

BLOCKS = (32, 64, 128)
SMALLEST = 4  # pixels a side: smaller feature maps are not pooled any further


def vgg_small(channels: int, size: int, classes: int) -> nn.Module:
    """After each block images are halved, but never below 4 x 4."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for block, width in enumerate(BLOCKS, start=1):
        for part in (1, 2):
            name = f"{block}_{part}"
            layers[f"conv{name}"] = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            layers[f"bn{name}"] = nn.BatchNorm2d(width)
            layers[f"relu{name}"] = nn.ReLU()
            channels = width
        if size >= 2 * SMALLEST:
            layers[f"pool{block}"] = nn.MaxPool2d(2)
            size //= 2
    layers |= {"mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "classifier": nn.Linear(channels, classes)}
    return nn.Sequential(layers)
