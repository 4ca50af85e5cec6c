"""The baselines without a regularizer: cut the smallest filters of the dense network, or filters drawn at random."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers.base import Regularizer, Settings


class MagnitudeCut(Regularizer):
    """The contract's own behaviour: no penalty, no step, the smallest magnitudes go."""

    name = "none"


class RandomCut(Regularizer):
    """The channels are drawn once, from `generator_seed`; a larger ratio prunes the same and more. Global: one draw over all."""

    name = "random"

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings) -> None:
        super().__init__(groups, settings)
        self._draw = np.random.default_rng(settings.generator_seed).random(self.bank.total)

    def _kept(self, magnitudes: NDArray[np.float64]) -> NDArray[np.bool_]:
        return super()._kept(self._draw)

    def _standing(self, magnitudes: NDArray[np.float64]) -> NDArray[np.float64]:
        return -self._draw  # draws of all groups compare as they are

    def _thresholds(self, magnitudes: NDArray[np.float64], kept: NDArray[np.bool_]) -> list[float | None]:
        return [None] * len(self.groups)

    def state_dict(self) -> dict[str, Any]:
        """With the draw."""
        return {**super().state_dict(), "draw": torch.from_numpy(self._draw.copy())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Regularizer.load_state_dict`."""
        super().load_state_dict(state)
        self._draw = state["draw"].numpy().copy()
