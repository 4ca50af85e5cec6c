"""How a smaller network is fine-tuned: what of it is trained, and how that comes back into it.

    full       all weights of the network
    adapters   low-rank matrices beside its frozen weights, biases and normalisations (catalyst_core.adapters)
    head       the new head behind a depth cut alone (catalyst_core.depth)

What is trained comes back into a network of plain layers.
"""

from collections.abc import Callable

from torch import nn

from catalyst_core.config import Recovery
from catalyst_core.depth import freeze_blocks


def prepared(model: nn.Module, kind: Recovery, seed: int) -> nn.Module:
    """What is trained for `model`: itself, or a copy with adapters, which are drawn from `seed`."""
    return PREPARED[kind](model, seed)


def parameters(trained: nn.Module) -> list[nn.Parameter]:
    """What the optimizer gets."""
    return [parameter for parameter in trained.parameters() if parameter.requires_grad]


def bring_home(trained: nn.Module, model: nn.Module) -> None:
    """Write into `model`, in place, what `trained` computes by now; nothing to do where they are one."""
    if trained is not model:
        from catalyst_core.adapters import fused

        model.load_state_dict(fused(trained).state_dict())


def _with_adapters(model: nn.Module, seed: int) -> nn.Module:
    from catalyst_core.adapters import with_adapters  # its package brings Torch-Pruning, which takes seconds to import

    return with_adapters(model, seed=seed)


PREPARED: dict[Recovery, Callable[[nn.Module, int], nn.Module]] = {
    "full": lambda model, seed: model,
    "adapters": _with_adapters,
    "head": lambda model, seed: freeze_blocks(model),
}
