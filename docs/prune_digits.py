"""Half of a network's channels, pruned in an ordinary training loop on scikit-learn's digits: python -m docs.prune_digits

Prints what the network scores and costs before training with Catalyst, after it, and after the cut, and the certificate
that the cut changed nothing but rounding.
"""

import math
from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.optim import SGD

from catalyst_core import build_regularizer, certify, decay_groups, find_groups, remove_filters
from catalyst_core.cost import count

DENSE_STEPS, SPARSE_STEPS, BATCH, PEAK = 200, 400, 64, 0.1
TEST = 397  # of 1,797 images

torch.manual_seed(0)
torch.set_num_threads(1)  # a network this small trains fastest on one
pixels, digits = load_digits(return_X_y=True)
order = torch.randperm(len(digits))
images, labels = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8)[order], torch.tensor(digits)[order]
images = (images - images[TEST:].mean()) / images[TEST:].std()

layers: list[nn.Module] = []
for width, after in ((1, 32), (32, 64), (64, 64)):
    layers += [nn.Conv2d(width, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
layers.insert(3, nn.MaxPool2d(2))
model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
loss = nn.CrossEntropyLoss()


def batches(steps: int, optimizer: SGD) -> Iterator[tuple[Tensor, Tensor]]:
    """Random training images with their labels, while the learning rate falls along a cosine."""
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = PEAK * (1 + math.cos(math.pi * step / steps)) / 2
        drawn = torch.randint(TEST, len(images), (BATCH,))
        yield images[drawn], labels[drawn]


def report(name: str, network: nn.Module) -> None:
    """Accuracy on the test images, and cost."""
    with torch.no_grad():
        accuracy = float((network.eval()(images[:TEST]).argmax(1) == labels[:TEST]).double().mean())
    cost = count(network, images[:1])
    print(f"{name:7}{100 * accuracy:6.1f} %{cost.params:10,} parameters{cost.macs:10,} MACs")


optimizer = SGD(model.parameters(), lr=PEAK, momentum=0.9, weight_decay=5e-4)
for x, y in batches(DENSE_STEPS, optimizer):
    optimizer.zero_grad()
    loss(model(x), y).backward()
    optimizer.step()
report("dense", model)

groups = find_groups(model, images[:2])  # channels that the network couples live and die together
regularizer = build_regularizer("catalyst", groups, pruning_ratio=0.5, total_steps=SPARSE_STEPS)
optimizer = SGD(decay_groups(model, groups, weight_decay=5e-4), lr=PEAK, momentum=0.9)
for x, y in batches(SPARSE_STEPS, optimizer):
    optimizer.zero_grad()
    loss(model(x), y).backward()
    optimizer.step()
    regularizer.step(lr=optimizer.param_groups[0]["lr"])  # exact zeros by proximal steps; no autograd
regularizer.settle()  # decides what is left: nothing, unless training stops before total_steps
small = remove_filters(model, images[:2], regularizer.decisions())
certificate = certify(model, small, images)  # the largest change of a logit, in float64

report("sparse", model)
report("pruned", small)
print("channels kept:", ", ".join(f"{after} of {before}" for before, after in regularizer.decisions().widths.values()))
verdict = "lossless" if certificate.lossless else "NOT lossless"
print(f"{verdict}: the cut changed logits by {certificate.max_abs_logit_change:.1e} at most, on {certificate.images} images")
