"""Importing this module imports everything a contender needs: seconds that a waiting worker spends ahead of its start."""

import torch
from torch import nn

import catalyst_core.training
from catalyst_core.filters import find_groups

torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # the first optimizer makes torch import its compiler: 1.5 s
find_groups(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), torch.zeros(1, 2))  # the first trace imports more

__all__ = ["catalyst_core"]
