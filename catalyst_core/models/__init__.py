"""The networks that the product builds itself: `MODELS` maps a name to (channels, size, classes) -> module."""

from collections.abc import Callable

import torch
from torch import nn

from catalyst_core.models.cnn import cnn
from catalyst_core.models.resnet import resnet20, resnet56
from catalyst_core.models.vgg import vgg16, vgg19, vgg_small

MODELS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "cnn": cnn,
    "vgg_small": vgg_small,
    "vgg16": vgg16,
    "vgg19": vgg19,
    "resnet20": resnet20,
    "resnet56": resnet56,
}


def build_model(name: str, channels: int, size: int, classes: int, seed: int) -> nn.Module:
    """A freshly initialised network for images (N, channels, size, size), size >= 8; the same for the same seed.

    The global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[name](channels, size, classes)
