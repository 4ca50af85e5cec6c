"""Which layers have channels that the surgery can cut, where those lie in their tensors, and which layer owns a parameter."""

from dataclasses import dataclass

from torch import Tensor, nn

Transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
Convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *Transposed)
BatchNorm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Layer = (*Convolution, nn.Linear)  # makes channels of its own


def is_grouped(module: nn.Module) -> bool:
    """A convolution in groups (depthwise: of one channel each): a unit that goes takes a whole group of it, in and out."""
    return isinstance(module, Convolution) and module.groups > 1


def output_dim(module: nn.Module) -> int:
    """The dimension of its weight that counts output channels."""
    return 1 if isinstance(module, Transposed) and module.groups == 1 else 0


def outputs(module: nn.Module) -> int:
    """How many channels a layer makes."""
    return int(module.out_channels if isinstance(module, Convolution) else module.out_features)


@dataclass(frozen=True)
class Owner:
    """The layer, by name, that a parameter belongs to, and what it is called there."""

    name: str
    module: nn.Module
    kind: str

    @property
    def path(self) -> str:
        """Of the parameter in the network."""
        return ".".join(filter(None, (self.name, self.kind)))


class Parameters:
    """Who owns each parameter of a network; a parameter that several layers share belongs to the first, and is `tied`."""

    def __init__(self, model: nn.Module) -> None:
        self._owners: dict[int, Owner] = {}
        self._buffers = {id(one): one for one in model.buffers()}
        self._tied: dict[str, str] = {}  # layer -> one that shares a parameter with it
        for name, module in model.named_modules():
            for kind, parameter in module.named_parameters(recurse=False):
                first = self._owners.setdefault(id(parameter), Owner(name, module, kind))
                if first.name != name:
                    self._tied[first.name], self._tied[name] = name, first.name

    def owner(self, tensor: object) -> Owner | None:
        """Of this very tensor; None: it is no parameter."""
        return self._owners.get(id(tensor)) if isinstance(tensor, Tensor) else None

    def origin(self, tensor: Tensor) -> Owner | None:
        """Of this tensor, or of the one that it is a view of."""
        return self.owner(tensor) or self.owner(tensor._base)

    def holds(self, tensor: Tensor) -> bool:
        """Whether it is a parameter or buffer of the network, or a view of one."""
        return any(id(one) in self._owners or id(one) in self._buffers for one in (tensor, tensor._base))

    def tied(self, layers: set[str]) -> str | None:
        """Why these layers cannot be cut, where one of them shares a parameter with another layer."""
        name = min(layers & self._tied.keys(), default=None)
        return name and f"layers {name!r} and {self._tied[name]!r} share a parameter, so cutting one would cut the other"
