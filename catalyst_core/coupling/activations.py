"""The table of activations: for each tensor that a network makes, whose channel each of its entries is, and its story."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from catalyst_core.coupling.classes import FIXED, ZERO
from catalyst_core.coupling.operations import tensors
from catalyst_core.coupling.story import Story, merge


@dataclass
class Flow:
    """What is known of an activation. Views of one share their story, and their labels share memory as they do."""

    labels: Tensor  # of the activation's shape: a channel, FIXED or ZERO
    story: Story = field(default_factory=dict)
    reason: str | None = None  # why its fixed channels are fixed

    @property
    def has_channels(self) -> bool:
        """Whether any entry is of a channel that might be cut."""
        return bool((self.labels >= 0).any())

    @property
    def has_fixed(self) -> bool:
        """Whether any entry is of a channel that stays."""
        return bool((self.labels == FIXED).any())


class Activations:
    """Tensor -> flow. Tensors that are not in it (inputs, parameters, constants) have channels that stay."""

    def __init__(self) -> None:
        self._flows: dict[int, tuple[Tensor, Flow]] = {}  # keeps the tensors alive, so that no id comes back

    def get(self, tensor: Any) -> Flow | None:
        """What is known of it."""
        found = self._flows.get(id(tensor))
        return found[1] if found else None

    def known(self, values: Any) -> list[Flow]:
        """Of all tensors among the values that anything is known of."""
        return [flow for one in tensors(values) if (flow := self.get(one)) is not None]

    def put(self, tensor: Tensor, flow: Flow) -> None:
        """A new activation."""
        self._flows[id(tensor)] = (tensor, flow)

    def rewrite(self, tensor: Tensor, labels: Tensor, story: Story) -> None:
        """Something was written into `tensor`: whatever shares its memory shares the news."""
        flow = self.get(tensor)
        assert flow is not None
        if flow.labels is not labels:
            flow.labels.copy_(labels)
        renewed = dict(story if tensor._base is None else merge(flow.story, story))
        flow.story.clear()
        flow.story.update(renewed)

    def fix(self, out: Any, reason: str | None) -> None:
        """What comes out has channels that stay, for this reason."""
        for tensor in tensors(out):
            if reason and tensor.is_floating_point():
                self.put(tensor, Flow(torch.full(tensor.shape, FIXED), {}, reason))

    def blank(self, out: Any) -> None:
        """What comes out has no content of any channel."""
        for tensor in tensors(out):
            self.put(tensor, Flow(torch.full(tensor.shape, ZERO)))

    def labels(self) -> Callable[[Tensor], Tensor]:
        """Tensor -> its labels; integers, which are indices, stay themselves."""

        def labels(one: Tensor) -> Tensor:
            flow = self.get(one)
            if flow is not None:
                return flow.labels
            return torch.full(one.shape, FIXED) if one.is_floating_point() else one

        return labels

    def clear(self) -> None:
        """Forget everything."""
        self._flows.clear()
