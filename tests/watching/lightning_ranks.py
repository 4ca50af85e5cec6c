"""Two ranks of Lightning's DDP on the CPU: `python lightning_ranks.py STORE OUT`. Each rank leaves what its callback holds."""

import sys
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, TensorDataset

from catalyst_core.lightning import CatalystCallback
from tests.core.loops import digits
from tests.watching.lit import EPOCHS, Lit

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def main(store: str, out: Path) -> None:
    torch.set_num_threads(1)
    callback = CatalystCallback(pruning_ratio=0.5, store=store)
    trainer = Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=EPOCHS, callbacks=[callback], **QUIET)
    data = digits()
    trainer.fit(Lit(), DataLoader(TensorDataset(data.train_x, data.train_y), 64, shuffle=True, drop_last=True))
    left = {"kept": callback.decisions.kept, "state": callback.small.state_dict()}
    torch.save(left | {"change": callback.certificate.max_abs_logit_change}, out / f"{trainer.global_rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
