"""Networks of a few layers, each with one coupling or one layer that the large ones do not have."""

import torch
from torch import nn
from torch.nn import functional


def conv(inputs: int, outputs: int, size: int = 3, **options: int) -> nn.Sequential:
    """Convolution, BatchNorm, ReLU; the image keeps its size at stride 1."""
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False, **options)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


def head(inputs: int) -> nn.Sequential:
    """The mean over the image and a classifier."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def activated(activation: nn.Module) -> nn.Sequential:
    """The first group is behind `activation`, the second one behind a ReLU."""
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), activation, conv(8, 12), head(12))


def normed(norm: nn.Module) -> nn.Sequential:
    """The first group goes through `norm`, the second one through a BatchNorm."""
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), norm, nn.ReLU(), conv(8, 12), head(12))


def mlp(activation: type[nn.Module], *, norm: bool = False) -> nn.Sequential:
    """Hidden layers of 32 and 20 neurons."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in ((48, 32), (32, 20)):
        layers += [nn.Linear(inputs, outputs), *([nn.BatchNorm1d(outputs)] if norm else []), activation()]
    return nn.Sequential(*layers, nn.Linear(20, 10))


def lenet() -> nn.Sequential:
    """No BatchNorm; a channel of the second convolution is 25 columns of the first linear layer."""
    features = [nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2)]
    return nn.Sequential(
        *features, nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
    )


def line() -> nn.Sequential:
    """One-dimensional convolutions, the second one dilated."""
    first = [nn.Conv1d(3, 8, 5, padding=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2)]
    second = [nn.Conv1d(8, 12, 3, dilation=2), nn.LeakyReLU(0.1), nn.AdaptiveAvgPool1d(3), nn.Flatten()]
    return nn.Sequential(*first, *second, nn.Linear(36, 10))


class Preactivated(nn.Module):
    """x + conv(relu(bn(conv(relu(bn(x)))))): the BatchNorms in front of the readers silence the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(*self._half(8, 12), *self._half(12, 8))  # norm, relu, conv, norm, relu, conv
            for _ in range(2)
        )
        self.last, self.head = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU()), head(8)

    @staticmethod
    def _half(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.last(x))


class Concatenated(nn.Module):
    """Four branches side by side, one of them only a pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8)
        self.one, self.three, self.five = conv(8, 4, 1), conv(8, 6, 3), nn.Sequential(conv(8, 5, 1), conv(5, 7, 5))
        self.pool, self.mix, self.head = nn.MaxPool2d(3, 1, 1), conv(25, 9), head(9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.head(self.mix(torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)))


class Squeezed(nn.Module):
    """Squeeze-and-excitation on the branch of a residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv1 = conv(3, 8), conv(8, 12)
        self.conv2, self.bn2 = nn.Conv2d(12, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.squeeze, self.excite, self.head = nn.Linear(8, 4), nn.Linear(4, 8), head(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.bn2(self.conv2(self.conv1(x)))
        gate = self.excite(self.squeeze(y.mean((2, 3))).relu()).sigmoid()
        return self.head((x + y * gate[:, :, None, None]).relu())


class Depthwise(nn.Module):
    """Depthwise, pointwise, depthwise in a row, as in MobileNetV1."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first, self.mix = conv(3, 8), conv(8, 8, 3, groups=8), conv(8, 12, 1)
        self.second, self.head = conv(12, 12, 5, groups=12, stride=2), head(12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.mix(self.first(self.stem(x)))))


class UNet(nn.Module):
    """Down, up by a transposed convolution, and a skip that is concatenated; one class for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = conv(3, 8), conv(8, 12, stride=2)
        self.up = nn.ConvTranspose2d(12, 6, 2, stride=2, bias=False)
        self.norm, self.mix, self.classifier = nn.BatchNorm2d(6), conv(14, 9), nn.Conv2d(9, 10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = self.down1(x)
        up = self.norm(self.up(self.down2(skip))).relu()
        return self.classifier(self.mix(torch.cat([up, skip], 1)))


class Gated(nn.Module):
    """Feed-forward blocks with a gate: gelu(value) * gate from two layers, and a GLU that halves one layer's outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.value, self.gate = nn.Linear(48, 16), nn.Linear(16, 24), nn.Linear(16, 24)
        self.down, self.both, self.classifier = nn.Linear(24, 14), nn.Linear(14, 20), nn.Linear(10, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x.flatten(1)).relu()
        x = self.down(functional.gelu(self.value(x)) * self.gate(x)).relu()
        return self.classifier(functional.glu(self.both(x), 1))


class Reused(nn.Module):
    """One convolution and one BatchNorm, each used twice in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.twice, self.last, self.head = conv(3, 8), conv(8, 8), conv(8, 12), head(12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.last(self.twice(self.twice(self.stem(x)))))


class Chunked(nn.Module):
    """Half of the channels goes through a block, the other half passes it by."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.inner, self.outer, self.last, self.head = conv(3, 8), conv(4, 10), conv(10, 4), conv(8, 12), head(12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        passing, taken = self.stem(x).chunk(2, 1)
        return self.head(self.last(torch.cat([passing, self.outer(self.inner(taken))], 1)))


class TwoSided(nn.Module):
    """An image and a vector in, a dictionary out."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.vector = nn.Sequential(conv(3, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(5, 8)
        self.joint, self.classes, self.value = nn.Linear(8, 16), nn.Linear(16, 10), nn.Linear(16, 1)

    def forward(self, image: torch.Tensor, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.joint((self.image(image) + self.vector(vector)).relu()).relu()
        return {"classes": self.classes(x), "value": self.value(x)}
