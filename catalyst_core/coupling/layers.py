"""Which layers have channels that the surgery can cut, where those lie in their tensors, and which layer owns a parameter."""

from dataclasses import dataclass

from torch import Tensor, nn

from catalyst_core.errors import TiedParametersError

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


class Parameters:
    """Who owns each parameter of a network; a parameter that several layers share belongs to the first, and is `tied`."""

    def __init__(self, model: nn.Module) -> None:
        self._owners: dict[int, Owner] = {}
        self.tied: dict[str, str] = {}  # layer -> one that shares a parameter with it
        for name, module in model.named_modules():
            for kind, parameter in module.named_parameters(recurse=False):
                first = self._owners.setdefault(id(parameter), Owner(name, module, kind))
                if first.name != name:
                    self.tied[first.name], self.tied[name] = name, first.name

    def owner(self, tensor: object) -> Owner | None:
        """Of this very tensor; None: it is no parameter."""
        return self._owners.get(id(tensor)) if isinstance(tensor, Tensor) else None

    def origin(self, tensor: Tensor) -> Owner | None:
        """Of this tensor, or of the one that it is a view of."""
        return self.owner(tensor) or self.owner(tensor._base)

    def check_untied(self, layers: set[str]) -> None:
        """Raises `TiedParametersError` when one of the `layers` shares a parameter with another layer."""
        for name in sorted(layers & self.tied.keys()):
            raise TiedParametersError(
                f"layers {name!r} and {self.tied[name]!r} share a parameter, so cutting one would cut the other: give each its "
                f"own (module.weight = nn.Parameter(module.weight.detach().clone())) or list both in ignored_layers"
            )
