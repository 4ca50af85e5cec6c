"""Three convolutions (32, 64, 64) with BatchNorm and ReLU, the mean over the image, and a linear classifier."""

from collections import OrderedDict

from torch import nn

WIDTHS = (32, 64, 64)
SMALLEST = 4  # pixels a side: smaller feature maps are not pooled any further


def cnn(channels: int, size: int, classes: int) -> nn.Module:
    """Images are halved after the first and the second convolution, but never below 4 x 4."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, width in enumerate(WIDTHS, start=1):
        layers[f"conv{number}"] = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        layers[f"bn{number}"] = nn.BatchNorm2d(width)
        layers[f"relu{number}"] = nn.ReLU()
        if number < len(WIDTHS) and size >= 2 * SMALLEST:
            layers[f"pool{number}"] = nn.MaxPool2d(2)
            size //= 2
        channels = width
    layers |= {"mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "classifier": nn.Linear(channels, classes)}
    return nn.Sequential(layers)
