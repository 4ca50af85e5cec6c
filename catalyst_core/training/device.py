"""Where networks train: $CATALYST_DEVICE, the CPU unless told otherwise. Images, decisions and the cut stay on the CPU."""

import os

import torch
from torch import nn

from catalyst_core.errors import ConfigError, shown

VARIABLE = "CATALYST_DEVICE"


def chosen() -> torch.device:
    """The device that $CATALYST_DEVICE names. Raises ConfigError for one that torch does not know or that is not there."""
    name = os.environ.get(VARIABLE) or "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):  # an unknown name; a torch without CUDA asserts
        said = f"{VARIABLE} is {shown(name)}, which is no device of this machine: cpu, or cuda where there is one"
        raise ConfigError(said) from None
    return device


def of(model: nn.Module) -> torch.device:
    """Where a network is."""
    return next(model.parameters()).device
