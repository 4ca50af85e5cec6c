"""Weights on their way into an operation: which are a layer's own, and which are told by name because no cut reaches them."""

from typing import Any

from torch import Tensor

from catalyst_core.coupling.layers import Layer, Owner, Parameters, Transposed, is_grouped
from catalyst_core.coupling.operations import tensors

TURNS = frozenset("t transpose permute expand view".split())


class Weights:
    """Kept over all forward passes that are followed; `outside` is the outcome."""

    def __init__(self, parameters: Parameters) -> None:
        self.outside: dict[str, str] = {}  # layer or parameter that multiplies, but in no way that could be cut -> why
        self._parameters = parameters
        self._turned: dict[int, tuple[Tensor, Owner]] = {}  # transposed linear weights
        self._computed: dict[int, tuple[Tensor, Owner | None]] = {}  # from parameters, buffers and constants alone

    def layer(self, weight: Any) -> Owner | None:
        """The layer that has this very weight."""
        owner = self._parameters.owner(weight)
        return owner if owner and owner.kind == "weight" and isinstance(owner.module, Layer) else None

    def turned(self, weight: Any) -> Owner | None:
        """The linear layer that has the weight which this one is the transposed form of."""
        return self._turned.get(id(weight), (None, None))[1]

    def turn(self, name: str, args: tuple[Any, ...], out: Any) -> bool:
        """Remember the transposed weight of a linear layer, repeated perhaps: that is how it comes into a product."""
        if name not in TURNS or not isinstance(out, Tensor) or out.ndim < 2:
            return False
        owner = self.layer(args[0]) or self.turned(args[0])
        if owner is not None and out.shape[-2:] == owner.module.weight.shape[::-1]:
            self._turned[id(out)] = (out, owner)
        return owner is not None

    def compute(self, given: Any, out: Any) -> None:
        """Remember what is computed without any activation, and whose parameter it comes from."""
        operands = [one for one in tensors(given) if one.ndim]
        if all(id(one) in self._computed or self._parameters.holds(one) for one in operands):
            owner = next((owner for one in operands if (owner := self._origin(one)) is not None), None)
            self._computed |= {id(one): (one, owner) for one in tensors(out)}

    def tell(self, given: Any, out: Any, user: str) -> None:
        """An operation, `user`, takes these: name those that come from parameters, unless that only computes another weight."""
        if any(id(one) in self._computed for one in tensors(out)):
            return
        for one in tensors(given):
            if one.ndim > 1 and (owner := self._origin(one)) is not None:
                self._put_outside(owner, user)

    def end(self) -> None:
        """Forget the tensors of this pass."""
        self._turned.clear()
        self._computed.clear()

    def _origin(self, one: Tensor) -> Owner | None:
        return self._parameters.origin(one) or self._computed.get(id(one), (None, None))[1]

    def _put_outside(self, owner: Owner, user: str) -> None:
        name, parametrized, _ = f".{owner.name}".partition(".parametrizations.")
        if is_grouped(owner.module) and isinstance(owner.module, Transposed):
            why = "it is a grouped transposed convolution, which no cut reaches"
        elif parametrized or isinstance(owner.module, Layer):
            why = f"{user} takes a weight that is computed from its parameters, which no cut reaches"
        else:
            why = f"{user} takes parameter {owner.kind} of {type(owner.module).__name__}, which is no layer that can be cut"
        self.outside.setdefault(name.lstrip(".") or owner.kind, why)
