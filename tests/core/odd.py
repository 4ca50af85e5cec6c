"""Networks whose channels go unusual ways, each with the groups that it should have."""

import torch
from torch import nn
from torch.nn import functional


class PaddedShortcut(nn.Module):
    """ResNet's option A: the stream of 8 channels goes on in the middle of 16, the rest is padding."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv1, self.bn1 = nn.Conv2d(8, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12)
        self.conv2, self.bn2 = nn.Conv2d(12, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.classifier = nn.Linear(16, 4)

    def forward(self, x):
        x = self.bn(self.conv(x)).relu()
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return self.classifier((y + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4))).relu().mean((2, 3)))


class SpatialGate(nn.Module):
    """An attention map computed from the mean over channels, which a cut would change."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.map = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)
        self.behind, self.classifier = nn.Conv2d(8, 6, 3), nn.Linear(6, 4)

    def forward(self, x):
        x = self.conv(x).relu()
        return self.classifier(self.behind(x * self.map(x.mean(1, keepdim=True)).sigmoid()).relu().mean((2, 3)))


class AddsItsInput(nn.Module):
    """The image's own channels stay, and so do those that are added to them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.behind, self.classifier = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 9, 3), nn.Linear(9, 4)

    def forward(self, x):
        return self.classifier(self.behind(x + self.conv(x)).relu().mean((2, 3)))


class Gated(nn.Module):
    """Two halves of one layer, multiplied: channel i is row i and row 12 + i."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.fused, self.fc, self.classifier = fused, nn.Linear(192, 24), nn.Linear(12, 4)

    def forward(self, x):
        x = self.fc(x.flatten(1))
        if self.fused:
            return self.classifier(functional.glu(x))
        one, other = x.chunk(2, -1)
        return self.classifier(one * functional.gelu(other))


class Again(nn.Module):
    """One layer, used three times on its own output."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.classifier = nn.Linear(192, 10), nn.Linear(10, 10), nn.Linear(10, 4)

    def forward(self, x):
        x = self.first(x.flatten(1)).tanh()
        for _ in range(3):
            x = self.again(x).tanh()
        return self.classifier(x)


class Halved(nn.Module):
    """The code splits the channels by their number, and only one half goes through a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.branch = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
        self.behind, self.classifier = nn.Conv2d(9, 6, 3), nn.Linear(6, 4)

    def forward(self, x):
        one, other = self.conv(x).relu().chunk(2, 1)
        return self.classifier(self.behind(torch.cat([one, self.branch(other).relu()], 1)).relu().mean((2, 3)))


class UpAndDown(nn.Module):
    """A U-Net's bottom: transposed convolutions and a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.down, self.bn1 = nn.Conv2d(6, 10, 3, 2, 1), nn.BatchNorm2d(10)
        self.up, self.bn2 = nn.ConvTranspose2d(10, 7, 2, 2), nn.BatchNorm2d(7)
        self.slopes, self.head = nn.PReLU(7), nn.Conv2d(13, 2, 3, padding=1)

    def forward(self, x):
        x = self.bn(self.conv(x)).relu()
        return self.head(torch.cat([x, self.slopes(self.bn2(self.up(self.bn1(self.down(x)).relu())))], 1))


class InGroups(nn.Module):
    """A grouped convolution between two others: four groups of 3 channels in and 2 out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12)
        self.grouped, self.bn1 = nn.Conv2d(12, 8, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(8)
        self.classifier = nn.Linear(8, 4)

    def forward(self, x):
        return self.classifier(self.bn1(self.grouped(self.bn(self.conv(x)).relu())).relu().mean((2, 3)))


class Attends(nn.Module):
    """A transformer block on a transposed activation: only the hidden neurons of its MLP can go."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.attention = nn.Conv1d(24, 10, 3, padding=1), nn.MultiheadAttention(10, 2, batch_first=True)
        self.up, self.down, self.classifier = nn.Linear(10, 30), nn.Linear(30, 10), nn.Linear(10, 4)

    def forward(self, x):
        x = self.conv(x.flatten(1).view(len(x), 24, 8)).transpose(1, 2)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.classifier((x + self.down(functional.silu(self.up(x)))).mean(1))


class OnlyInTraining(nn.Module):
    """An auxiliary classifier that evaluation does not show."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.auxiliary, self.classifier = (
            nn.Conv2d(3, 9, 3),
            nn.BatchNorm2d(9),
            nn.Linear(9, 4),
            nn.Linear(9, 4),
        )

    def forward(self, x):
        x = functional.dropout(self.bn(self.conv(x)).relu(), 0.3, self.training).mean((2, 3))
        return (self.classifier(x), self.auxiliary(x)) if self.training else self.classifier(x)


class Rolled(nn.Module):
    """Rolls over positions are harmless, one over channels is not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.behind, self.classifier = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 3), nn.Linear(6, 4)

    def forward(self, x):
        x = torch.roll(self.conv(x).relu(), 3, 1)
        return self.classifier(torch.roll(self.behind(x).relu(), (1, 2), (2, 3)).mean((2, 3)))


class OfItsOwn(nn.Module):
    """What multiplies in no way that can be cut: a weight of the network itself, and a transposed convolution in groups."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.up, self.behind, self.classifier = nn.ConvTranspose2d(8, 6, 2, groups=2), nn.Conv2d(6, 5, 3), nn.Linear(5, 4)

    def forward(self, x):
        return self.classifier(self.behind(self.up(functional.conv2d(x, self.first).relu())).relu().mean((2, 3)))


# Network -> its groups, and a word of the reason for each that is left out beside the outputs.
ODD = {
    "padded shortcut": (PaddedShortcut, {"conv": 8, "conv1": 12}, {}),
    "spatial gate": (SpatialGate, {"behind": 6}, {"conv": "Mean over its channels", "map": "spreads"}),
    "adds its input": (AddsItsInput, {"behind": 9}, {"conv": "combined with channels that cannot be removed"}),
    "gated halves": (lambda: Gated(False), {"fc": 12}, {}),
    "glu": (lambda: Gated(True), {"fc": 12}, {}),
    "a layer again": (Again, {"first": 10}, {}),
    "halved by position": (Halved, {"branch": 5, "behind": 6}, {"conv": "by their position"}),
    "up and down": (UpAndDown, {"conv": 6, "down": 10, "up": 7}, {}),
    "in groups": (InGroups, {"conv": 4}, {}),
    "attention": (
        Attends,
        {"up": 30},
        {"conv": "MultiheadAttention attention mixes channels", "attention": "parameter in_proj_weight of MultiheadAttention"},
    ),
    "rolled": (Rolled, {"behind": 6}, {"conv": "by their position (roll)"}),
    "of its own": (
        OfItsOwn,
        {"behind": 5},
        {"first": "Convolution takes parameter first of OfItsOwn", "up": "grouped transposed"},
    ),
    "only in training": (OnlyInTraining, {"conv": 9}, {}),
}
