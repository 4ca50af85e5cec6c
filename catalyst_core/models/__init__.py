"""Networks: `MODELS` maps the name of one of ours to (channels, size, classes) -> module; `build_model` builds others too."""

from collections.abc import Callable

import torch
from torch import nn

from catalyst_core.models.cnn import cnn
from catalyst_core.models.foreign import build_foreign
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

    `name`: of `MODELS`, "torchvision:NAME", "timm:NAME", or one that the owner registered. The global random state is left as
    it was. Raises `ConfigError` for a name that is not known here, `NetworkError` where it cannot be built for such images.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[name](channels, size, classes) if name in MODELS else build_foreign(name, channels, size, classes)
