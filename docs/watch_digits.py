"""A training loop of your own, live in the dashboard: python -m docs.watch_digits, while streamlit run app/main.py runs.

The loop is that of docs/prune_digits.py, with fine-tuning behind the cut; the lines with `watched` are what was added. The
sliders of the race's page act on the regularizer here, and its stop button ends the training early.
"""

import math
from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.optim import SGD

from catalyst_core import build_regularizer, decay_groups, find_groups, remove_filters, watch

DENSE_STEPS, SPARSE_STEPS, FINETUNE_STEPS, BATCH, PEAK, EVERY = 200, 400, 100, 64, 0.1, 50
TEST, HELD_OUT = 397, 600  # of 1,797 images: for the ledger, and with those for the curve on the way

torch.manual_seed(0)
torch.set_num_threads(1)  # a network this small trains fastest on one
pixels, digits = load_digits(return_X_y=True)
order = torch.randperm(len(digits))
images, labels = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8)[order], torch.tensor(digits)[order]
images = (images - images[HELD_OUT:].mean()) / images[HELD_OUT:].std()

layers: list[nn.Module] = []
for width, after in ((1, 32), (32, 64), (64, 64)):
    layers += [nn.Conv2d(width, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
layers.insert(3, nn.MaxPool2d(2))
model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
loss = nn.CrossEntropyLoss()


def batches(network: nn.Module, steps: int, optimizer: SGD) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Random training images with their labels, while the learning rate falls along a cosine."""
    for step in range(steps):
        network.train()
        for group in optimizer.param_groups:
            group["lr"] = PEAK * (1 + math.cos(math.pi * step / steps)) / 2
        drawn = torch.randint(HELD_OUT, len(images), (BATCH,))
        yield step, images[drawn], labels[drawn]


def accuracy(network: nn.Module, part: slice) -> float:
    """On some of the images, 0..1."""
    with torch.no_grad():
        return float((network.eval()(images[part]).argmax(1) == labels[part]).double().mean())


test, validation = slice(TEST), slice(TEST, HELD_OUT)
optimizer = SGD(model.parameters(), lr=PEAK, momentum=0.9, weight_decay=5e-4)
for _, x, y in batches(model, DENSE_STEPS, optimizer):
    optimizer.zero_grad()
    loss(model(x), y).backward()
    optimizer.step()

groups = find_groups(model, images[:2])
regularizer = build_regularizer("catalyst", groups, pruning_ratio=0.5, total_steps=SPARSE_STEPS)
optimizer = SGD(decay_groups(model, groups, weight_decay=5e-4), lr=PEAK, momentum=0.9)
with watch(model, groups, regularizer, title="digits, a loop of my own", learning_rate=PEAK) as watched:
    watched.evaluated(accuracy(model, test), split="test")  # before the first step: the dense network's
    for step, x, y in batches(model, SPARSE_STEPS, optimizer):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        rate = optimizer.param_groups[0]["lr"]
        regularizer.step(lr=rate)
        watched.step(loss=value, learning_rate=rate)
        if step % EVERY == 0:
            watched.evaluated(accuracy(model, validation))
        if watched.stopping:
            break
    regularizer.settle()
    watched.evaluated(accuracy(model, test), split="test")
    small = remove_filters(model, images[:2], regularizer.decisions())
    certificate = watched.pruned(model, small, images)
    watched.evaluated(accuracy(small, test), split="test")
    optimizer = SGD(small.parameters(), lr=PEAK, momentum=0.9, weight_decay=5e-4)
    for _, x, y in batches(small, FINETUNE_STEPS, optimizer):
        if watched.stopping:
            break
        optimizer.zero_grad()
        value = loss(small(x), y)
        value.backward()
        optimizer.step()
        watched.step(loss=value, learning_rate=optimizer.param_groups[0]["lr"])
    watched.evaluated(accuracy(small, test), split="test")

verdict = "lossless" if certificate.lossless else "NOT lossless"
print(f"{verdict}: the cut changed logits by {certificate.max_abs_logit_change:.1e} at most")
print(f"in the dashboard: http://localhost:8501/?race={watched.race_id}")
