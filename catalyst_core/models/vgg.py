"""VGG with BatchNorm and ReLU: convolutions in blocks, images halved after each, and a linear classifier."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

SMALL = ((32, 32), (64, 64), (128, 128))
VGG16 = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)  # Simonyan and Zisserman 2015, table 1, D; for CIFAR with one
VGG19 = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)  # linear layer, as the pruning literature has it; E
SMALLEST = 4  # pixels a side: smaller feature maps are not pooled any further


def vgg_small(channels: int, size: int, classes: int) -> nn.Module:
    """Three blocks of two convolutions."""
    return vgg(channels, size, classes, SMALL)


def vgg16(channels: int, size: int, classes: int) -> nn.Module:
    """Thirteen convolutions."""
    return vgg(channels, size, classes, VGG16)


def vgg19(channels: int, size: int, classes: int) -> nn.Module:
    """Sixteen convolutions."""
    return vgg(channels, size, classes, VGG19)


def vgg(channels: int, size: int, classes: int, blocks: Sequence[Sequence[int]]) -> nn.Module:
    """`blocks` holds the width of every convolution; images are halved after each block, but never below 4 x 4."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for block, widths in enumerate(blocks, start=1):
        for part, width in enumerate(widths, start=1):
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
