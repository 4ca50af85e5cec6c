"""Importing this module imports everything a contender needs: seconds that a waiting worker spends ahead of its start."""

import torch
import torch_pruning

import catalyst_core.training

torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # the first optimizer makes torch import its compiler: 1.5 s

__all__ = ["catalyst_core", "torch", "torch_pruning"]
