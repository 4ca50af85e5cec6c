"""A LightningModule of somebody's own, as the callback meets it."""

import math

import torch
from lightning.pytorch import LightningModule
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from catalyst_core import decay_groups, find_groups
from tests.core.loops import digits, small_cnn

EPOCH, EPOCHS, PEAK, DECAY = 10, 2, 0.1, 5e-4
STEPS = EPOCH * EPOCHS


def cosine(step):
    """As docs/prune_digits.py has it, without the peak."""
    return (1 + math.cos(math.pi * step / STEPS)) / 2


class Lit(LightningModule):
    """The small network in a module of somebody's own."""

    def __init__(self):
        super().__init__()
        self.net = small_cnn()
        self.example_input_array = digits().test_x[:20]

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return {"loss": cross_entropy(self(x), y), "accuracy": torch.tensor(0.25)}

    def configure_optimizers(self):
        groups = find_groups(self, self.example_input_array)
        optimizer = SGD(decay_groups(self, groups, weight_decay=DECAY), lr=PEAK, momentum=0.9)
        return [optimizer], [{"scheduler": LambdaLR(optimizer, cosine), "interval": "step"}]
