"""Decide first, cut second: a new, smaller module without the pruned channels; the input is left alone.

`masked(model)(x) == remove_filters(model, ...)(x)` where masked means F_i = 0 for every pruned channel (`zero_pruned`).
"""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import nn

from catalyst_core.coupling import Coupling, trace
from catalyst_core.decisions import Decisions
from catalyst_core.errors import BudgetError, ConfigError, LossyGroupError, TiedParametersError
from catalyst_core.groups import FilterGroup
from catalyst_core.lossless import lossy_groups
from catalyst_core.slicing import slice_channels
from catalyst_core.wrappers import unwrap

UNTIE = "give each its own (module.weight = nn.Parameter(module.weight.detach().clone())) or leave the group out of the decisions"


def zero_pruned(groups: Iterable[FilterGroup], decisions: Decisions) -> None:
    """Set F_i = 0 exactly for the pruned channels, in place. With "weight" magnitudes the BatchNorm pair behind it too."""
    for group in groups:
        if group.name in decisions.kept:
            group.zero_(~decisions.kept[group.name])


def remove_filters(model: nn.Module, example_inputs: Any, decisions: Decisions) -> nn.Module:
    """A copy of `model` (of the network inside, where `model` is a wrapper) without the channels that `decisions` prunes.

    Warns when some channels were undecided (D_i n_i > 0) as the decisions were taken: that cut is not lossless.
    Raises `ConfigError` when a decision names a group that the model does not have or has another number of channels,
    `BudgetError` when it would leave a group or a layer without any, `LossyGroupError` when its channels cannot be removed
    without changing the function (see `find_groups(...).skipped`; `TiedParametersError` where layers share a parameter), and
    what `find_groups` raises.
    """
    model = unwrap(model)
    couplings = {one.name: one for one in trace(model, example_inputs).couplings}
    _check(couplings, decisions)
    cut = {name: couplings[name] for name, kept in decisions.kept.items() if not bool(kept.all())}
    lossy = {name: one.refused for name, one in cut.items() if one.refused}
    lossy |= lossy_groups(model, example_inputs, [one for one in cut.values() if one.suspects and not one.refused])
    for name, reason in lossy.items():
        kind, advice = (TiedParametersError, UNTIE) if cut[name].tied else (LossyGroupError, "leave it out of the decisions")
        raise kind(f"group {name!r} cannot be cut losslessly: {reason}; {advice}")
    if decisions.undecided:
        count = f"{decisions.undecided} channel{'s are' if decisions.undecided > 1 else ' is'} undecided"
        warnings.warn(f"{count}: call settle() first, or give total_steps", UserWarning, stacklevel=2)
    return slice_channels(model, couplings, {name: np.asarray(mask.cpu()) for name, mask in decisions.kept.items()})


def _check(couplings: dict[str, Coupling], decisions: Decisions) -> None:
    for name, kept in decisions.kept.items():
        if name not in couplings or couplings[name].size != len(kept):
            raise ConfigError(f"the decisions hold a group {name!r} of {len(kept)} channels, the model does not")
        if not bool(kept.any()):
            raise BudgetError(f"group {name!r}: a cut has to keep at least one channel, these decisions keep none of {len(kept)}")
