"""Regularizers that the owner of this machine registered: one class with `penalty` and `step`.

    class Ridge:                                  # R = 1/2 sum_i n_i^2
        def __init__(self, groups): ...           # what find_groups returns
        def penalty(self): ...                    # () R, differentiable in the filters, without strength
        def step(self, t): ...                    # F <- prox_{tR}(F) in place, t = learning rate x strength

Budget, allocation, decisions by magnitude, settings and states are ours. A subclass of `Regularizer` is used as it is.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from catalyst_core.errors import ConfigError, shown, told
from catalyst_core.groups import FilterGroup
from catalyst_core.owner import load, owner
from catalyst_core.regularizers.base import Regularizer
from catalyst_core.regularizers.settings import Settings

CONTRACT = ("penalty", "step")


def owned(name: str) -> type[Regularizer] | None:
    """The class of a registered name; None where there is none. Raises `ConfigError` for one that lacks part of the contract."""
    known = owner().regularizers.get(name)
    if known is None:
        return None
    theirs = load(known.reference, f"regularizer {name}")
    if not isinstance(theirs, type):
        raise ConfigError(f"regularizer {name}: {known.reference} is a {type(theirs).__name__}, not a class")
    if issubclass(theirs, Regularizer):
        return type(theirs.__name__, (theirs,), {"name": name})
    if lacking := [part for part in CONTRACT if not callable(getattr(theirs, part, None))]:
        raise ConfigError(f"regularizer {name}: {known.reference} has no method {lacking[0]}; it needs {' and '.join(CONTRACT)}")
    return type(theirs.__name__, (Owned,), {"name": name, "theirs": theirs})


class Owned(Regularizer):
    """Hands the groups to the owner's class, and its methods what they need."""

    theirs: type

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings) -> None:
        self._own = self._said("__init__", lambda: self.theirs(groups))
        super().__init__(groups, settings)

    def state_dict(self) -> dict[str, Any]:
        """With the owner's own, where the class has `state_dict`."""
        own = {"own": self._own.state_dict()} if hasattr(self._own, "state_dict") else {}
        return super().state_dict() | own

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises as ours."""
        super().load_state_dict(state)
        if "own" in state and hasattr(self._own, "load_state_dict"):
            self._own.load_state_dict(state["own"])

    def _penalty(self) -> Tensor:
        value = self._said("penalty", self._own.penalty)
        if not isinstance(value, Tensor) or value.ndim:
            raise ConfigError(f"regularizer {self.name}: penalty() must return a () tensor, not {shown(value)}")
        return value

    def _step(self, size: float) -> None:
        if self.settings.solver == "proximal" and size > 0:
            with torch.no_grad():
                self._said("step", lambda: self._own.step(size))

    def _said(self, part: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except (Exception, SystemExit) as error:  # the owner's code may raise anything: whose it was must be told
            raise ConfigError(f"regularizer {self.name}: {part} of {self.theirs.__name__} failed ({told(error)})") from error
