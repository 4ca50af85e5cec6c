"""Importing this module imports everything a contender needs: seconds that a waiting worker spends ahead of its start."""

import sklearn.datasets
import torch
import torch_pruning
import torchvision

import catalyst_core.training

__all__ = ["catalyst_core", "sklearn", "torch", "torch_pruning", "torchvision"]
