"""A user's own training loop on digits, and what has to hold at its end whatever it was made of."""

from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from catalyst_core import build_regularizer, certify, find_groups, remove_filters
from catalyst_core.config import DataConfig
from catalyst_core.data import Splits, load_data
from catalyst_core.decisions import budget
from catalyst_core.models import build_model
from catalyst_core.regularizers import Regularizer

STEPS, BATCH, RATIO, RATE = 60, 64, 0.5, 0.05
Update = Callable[[nn.Module, Tensor, Tensor], None]  # (network, images, labels): zero_grad, backward, optimizer step


@cache
def digits() -> Splits:
    """1,200 training images (N, 1, 8, 8)."""
    return load_data(DataConfig())


def batches(steps: int = STEPS, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (BATCH, 1, 8, 8) with labels, drawn with replacement."""
    generator = torch.Generator().manual_seed(seed)
    x, y = digits().train_x, digits().train_y
    for _ in range(steps):
        drawn = torch.randint(len(x), (BATCH,), generator=generator)
        yield x[drawn], y[drawn]


def small_cnn() -> nn.Module:
    """Three convolutions with BatchNorm."""
    return build_model("cnn", channels=1, size=8, classes=10, seed=0)


def small_mlp() -> nn.Module:
    """Without BatchNorm, so that a batch may be taken in pieces."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 10))


def example(model: nn.Module) -> Tensor:
    """(2, 1, 8, 8) in the network's precision."""
    return digits().test_x[:2].to(next(model.parameters()))


def catalyst(model: nn.Module, **settings: object) -> Regularizer:
    """On what the loop will train, with the loop's number of steps."""
    groups = find_groups(model, example(model))
    return build_regularizer("catalyst", groups, pruning_ratio=RATIO, total_steps=STEPS, **settings)


def plain(optimizer: torch.optim.Optimizer) -> Update:
    """The textbook update."""

    def update(model: nn.Module, x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()

    return update


def run(model: nn.Module, regularizer: Regularizer, update: Update, rate: float = RATE) -> None:
    """The loop."""
    precision = next(model.parameters())
    for x, y in batches():
        update(model, x.to(precision), y)
        regularizer.step(rate)


def assert_settled_within_budget_and_lossless(model: nn.Module, regularizer: Regularizer) -> nn.Module:
    """Every channel is decided, the budget is met to the channel, and the cut changes rounding alone. The smaller network."""
    decisions = regularizer.decisions()
    assert regularizer.undecided == decisions.undecided == 0
    for group, d in zip(regularizer.groups, regularizer.catalysts, strict=True):
        kept = decisions.kept[group.name]
        assert int((~kept).sum()) == budget(group.size, RATIO)
        assert torch.equal(group.magnitudes() > 0, kept)
        assert torch.equal(d == 0, kept)
    small = remove_filters(model, example(model), decisions)
    certificate = certify(model, small, digits().test_x)
    assert certificate.max_abs_logit_change <= 1e-10
    assert certificate.changed_predictions == 0
    assert sum(one.numel() for one in small.parameters()) < 0.6 * sum(one.numel() for one in model.parameters())
    return small
