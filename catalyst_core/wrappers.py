"""The user's own network inside what training wraps around it: unwrap(compile(M)) = unwrap(DataParallel(M)) = M.

Wrappers share their parameters with the network but put a prefix before every name (`module.`, `_orig_mod.`), and some
cannot be copied. What looks for groups, cuts or compares works on the network inside, whose names are the user's.
"""

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel


def unwrap(model: nn.Module) -> nn.Module:
    """The module inside any nesting of `torch.compile`, `DataParallel` and `DistributedDataParallel`; else `model` itself."""
    while True:
        if isinstance(model, (DataParallel, DistributedDataParallel)):
            model = model.module
        elif isinstance(compiled := getattr(model, "_orig_mod", None), nn.Module):  # torch.compile's: importing its class is slow
            model = compiled
        else:
            return model
