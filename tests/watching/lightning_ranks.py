"""Two ranks of Lightning's DDP on the CPU: `python lightning_ranks.py STORE OUT`. Each rank leaves what its callback holds."""

import sys
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from catalyst_core import decay_groups, find_groups
from catalyst_core.lightning import CatalystCallback
from tests.core.loops import digits, small_cnn

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


class Lit(LightningModule):
    """Begins with other weights on each rank, which DDP makes the same."""

    def __init__(self):
        super().__init__()
        self.net = small_cnn()
        self.example_input_array = digits().test_x[:20]

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return cross_entropy(self(x), y)

    def configure_optimizers(self):
        groups = find_groups(self, self.example_input_array)
        return SGD(decay_groups(self, groups, weight_decay=5e-4), lr=0.1, momentum=0.9)


def main(store: str, out: Path) -> None:
    torch.set_num_threads(1)
    callback = CatalystCallback(pruning_ratio=0.5, store=store)
    trainer = Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, callbacks=[callback], **QUIET)
    data = digits()
    trainer.fit(Lit(), DataLoader(TensorDataset(data.train_x, data.train_y), 64, shuffle=True, drop_last=True))
    left = {"kept": callback.decisions.kept, "state": callback.small.state_dict()}
    torch.save(left | {"change": callback.certificate.max_abs_logit_change}, out / f"{trainer.global_rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
