"""Networks with BatchNorms that are far from the identity, and cuts of them at random."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from catalyst_core.config import DataConfig
from catalyst_core.data import load_data
from catalyst_core.decisions import Decisions
from catalyst_core.filters import find_groups
from catalyst_core.models import build_model
from catalyst_core.surgery import remove_filters


@dataclass
class Made:
    """A network, what is left of its channels, and what is left of it."""

    dense: nn.Module
    kept: dict[str, Tensor]
    model: nn.Module
    images: Tensor  # (5, ...)


def lively(model: nn.Module) -> nn.Module:
    """In evaluation mode, with statistics as after training."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 1.5),
            ):
                tensor.data.uniform_(low, high, generator=generator)
    return model.eval()


def cut(dense: nn.Module, images: Tensor, share: float) -> Made:
    """`dense` without channels drawn at random; at least one stays in a group."""
    generator = torch.Generator().manual_seed(2)
    kept = {}
    for group in find_groups(dense, images[:2]):
        kept[group.name] = torch.rand(group.size, generator=generator) < share
        kept[group.name][-1] = True
    return Made(dense, kept, remove_filters(dense, images[:2], Decisions(kept)), images)


def pruned(name: str, channels: int = 3, size: int = 32, share: float = 0.5) -> Made:
    """A network of `build_model` for ten classes, cut."""
    images = torch.randn(5, channels, size, size, generator=torch.Generator().manual_seed(3))
    return cut(lively(build_model(name, channels, size, 10, 0)), images, share)


def real_digits() -> tuple[Tensor, Tensor]:
    """200 test images of digits and their labels."""
    splits = load_data(DataConfig(name="digits"))
    return splits.test_x[:200], splits.test_y[:200]
