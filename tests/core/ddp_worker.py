"""One rank of a DistributedDataParallel training: python -m tests.core.ddp_worker RANK WORLD MEETING OUT."""

import sys

import torch
from torch import distributed, nn

from catalyst_core import build_regularizer, find_groups
from tests.core.loops import RATE, RATIO, STEPS, batches, digits, plain, small_cnn

MAGNITUDES = ("response", "folded")


def train(magnitude: str, rank: int) -> dict[str, object]:
    """What this rank has at the end; each rank sees images of its own."""
    model = nn.parallel.DistributedDataParallel(small_cnn())
    groups = find_groups(model, digits().test_x[:2], magnitude=magnitude)
    regularizer = build_regularizer("catalyst", groups, pruning_ratio=RATIO, total_steps=STEPS)
    update = plain(torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9))
    catalysts = []  # D after every step: what differs on the way may agree again once all is decided
    for x, y in batches(seed=rank):
        update(model, x, y)
        running_mean = model.module.bn1.running_mean.clone()  # of this rank's images alone
        regularizer.step(RATE)
        catalysts.append(torch.cat(regularizer.catalysts).clone())
    return {
        "names": [group.name for group in groups],
        "kept": regularizer.decisions().kept,
        "undecided": regularizer.undecided,
        "catalysts": torch.stack(catalysts),  # (STEPS, C)
        "parameters": {name: value.detach() for name, value in model.module.named_parameters()},
        "running_mean": running_mean,
        "labels": y,
        "model": model.module.state_dict(),
    }


def main(rank: int, world: int, meeting: str, out: str) -> None:
    """Meet the other ranks through a file, train once a magnitude, leave."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=world)
    try:
        torch.save({magnitude: train(magnitude, rank) for magnitude in MAGNITUDES}, out)
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
