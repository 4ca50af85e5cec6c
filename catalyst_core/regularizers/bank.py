"""All filter groups at once as flat vectors, so that a regularizer's step costs a fixed number of small operations.

    n_i^2 = sum of the squares of every parameter entry that belongs to channel i        F_i <- k_i F_i

Squares are float64: of float32 entries none underflows or overflows; of float64 ones those that do are computed again, scaled.
What a step computes with, a few numbers a channel, is numpy: on vectors this short its calls cost a fifth of torch's.
Parameters on the CPU are read and written through numpy views of their memory; others are copied over and back.
"""

# C = channels of all groups, P = entries of all 1-D parameters, M = rows of one matrix

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from catalyst_core.errors import NonFiniteError
from catalyst_core.groups import FilterGroup

Vector = NDArray[np.float64]
VIEWABLE = (torch.float32, torch.float64)
SMALLEST_SQUARE = 1e-290  # below it a float64 square may have lost digits
NAMED = 3  # parameters that a message names


class FilterBank:
    """The measured parameters of all groups, each known once, with the channel that owns every slice.

    Slices that belong to no group are owned by one channel more, number C, which nothing ever changes.
    """

    def __init__(self, groups: Sequence[FilterGroup]) -> None:
        self.groups = tuple(groups)
        self.sizes = [group.size for group in groups]
        self.total = sum(self.sizes)
        self.group_of = np.repeat(np.arange(len(groups)), self.sizes)  # (C,)
        self._owned = owners = _owners(groups)
        flat = [(parameter, owner) for parameter, owner in owners if parameter.ndim == 1]
        self._vectors = [parameter for parameter, _ in flat]
        self._matrices = [(parameter, owner) for parameter, owner in owners if parameter.ndim > 1]
        self._owner = np.concatenate([owner for _, owner in flat] or [np.zeros(0, np.int64)])  # (P,)
        bounds = np.cumsum([0, *(len(owner) for _, owner in flat)]).tolist()
        self._slices = [slice(*ends) for ends in pairwise(bounds)]
        self._folded = any(group.folds for group in groups)
        exact = all(parameter.dtype == torch.float64 for parameter, _ in owners)
        self._factors = np.ones(self.total + 1, dtype=np.float64 if exact else np.float32)
        self._may_underflow = any(parameter.dtype == torch.float64 for parameter, _ in owners)
        self._addresses: list[int] = []
        self._views: list[NDArray[np.floating]] = []

    def split(self, values: NDArray) -> list[NDArray]:
        """(C,) -> one view a group."""
        return np.split(values, np.cumsum(self.sizes)[:-1])

    def magnitudes(self) -> Vector:
        """(C,) n_i. Raises `NonFiniteError` naming the parameters of which an F_i holds NaN or infinity."""
        if self._folded:
            return self._checked(np.concatenate([group.squares().detach().sqrt().cpu().numpy() for group in self.groups]))
        if not self._may_underflow:
            return np.sqrt(self._checked(self._squares()[:-1]))
        with np.errstate(over="ignore"):
            squares = self._squares()
        if squares.min() > SMALLEST_SQUARE and np.isfinite(squares).all():
            return np.sqrt(squares[:-1])
        return self._checked(self._rescaled()[:-1])

    def check_finite(self) -> None:
        """Raises `NonFiniteError` as `magnitudes` does, for less."""
        if self._folded:
            self.magnitudes()
        flat = np.concatenate(self._views) if self._viewable() else self._read() if self._vectors else np.zeros(1)
        if not (np.isfinite(flat).all() and all(math.isfinite(float(matrix.detach().sum())) for matrix, _ in self._matrices)):
            self._refuse_non_finite()

    def agree(self) -> None:
        """In distributed training every rank takes rank 0's running statistics where n_i depends on them: "folded" magnitudes.

        They differ from one forward pass to the next; DistributedDataParallel's default is to do the same before each.
        """
        if not (self._folded and torch.distributed.is_available() and torch.distributed.is_initialized()):
            return
        norms = {id(fold.norm): fold.norm for group in self.groups for fold in group.folds}.values()
        statistics = [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var)]
        flat = torch.cat(statistics)
        torch.distributed.broadcast(flat, src=0)
        for tensor, agreed in zip(statistics, flat.split([len(one) for one in statistics]), strict=True):
            tensor.copy_(agreed)

    def scale_(self, factors: Vector) -> None:
        """F_i <- factors[i] F_i, in place. `factors` is (C,)."""
        self._factors[:-1] = factors
        if self._vectors:
            spread = self._factors.take(self._owner)
            if self._viewable():
                for view, part in zip(self._views, self._slices, strict=True):
                    view *= spread[part]
            else:
                self._write(self._read() * spread)
        for matrix, owner in self._matrices:
            matrix.detach().mul_(_column(self._factors[owner], matrix))

    def soft_threshold_(self, amount: float) -> None:
        """Move every entry of every F_i towards zero by `amount`, in place."""
        if self._vectors:
            flat = self._read()
            shrunk = np.copysign(np.maximum(np.abs(flat) - amount, 0), flat)
            self._write(np.where(self._owner < self.total, shrunk, flat))
        for matrix, owner in self._matrices:
            values = matrix.detach()
            values.copy_(values.sign() * (values.abs() - amount * _column(owner < self.total, matrix)).clamp_(min=0))

    # differentiable, for penalties

    def norms(self) -> Tensor:
        """(C,) n_i as a differentiable tensor, with gradient 0 where n_i = 0."""
        squares = torch.cat([group.squares() for group in self.groups])
        positive = squares > 0
        return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)

    def absolute_sum(self) -> Tensor:
        """() sum of the absolute values of every entry of every F_i, differentiable."""
        total: Tensor = torch.zeros(())
        for parameter, owner in [*zip(self._vectors, map(self._owner.__getitem__, self._slices), strict=True), *self._matrices]:
            total = total.to(parameter) + (parameter.abs() * _column(owner < self.total, parameter)).sum()
        return total

    # evidence

    def relative_gradients(self) -> Vector:
        """(C,) <F_i, dL/dF_i>: dL / dlog k of F_i <- k F_i, from the gradients that the backward pass left; 0 without any.

        It does not change when F_i is multiplied by a factor and its readers are divided by it.
        """
        found = np.zeros(self.total + 1)
        for parameter, owner in self._owned:
            if parameter.grad is not None:
                products = (parameter.detach() * parameter.grad).reshape(len(parameter), -1).sum(1)
                found += np.bincount(owner, products.double().cpu().numpy(), self.total + 1)
        return found[:-1]

    # magnitudes

    def _squares(self) -> Vector:
        """(C + 1,) n_i^2."""
        squares = np.zeros(self.total + 1)
        if self._vectors:
            flat = self._read()
            squares += np.bincount(self._owner, flat * flat, self.total + 1)
        for matrix, owner in self._matrices:
            rows = torch.linalg.vector_norm(matrix.detach().flatten(1), dim=1, dtype=torch.float64).square().cpu().numpy()
            squares += np.bincount(owner, rows, self.total + 1)
        return squares

    def _rescaled(self) -> Vector:
        """(C + 1,) n_i, each computed with its largest entry divided out."""
        parts = [(self._read()[:, None], self._owner)] if self._vectors else []
        parts += [(matrix.detach().flatten(1).double().cpu().numpy(), owner) for matrix, owner in self._matrices]
        largest, squares = np.zeros(self.total + 1), np.zeros(self.total + 1)
        with np.errstate(over="ignore", invalid="ignore"):  # NaN and infinity are found afterwards
            for values, owner in parts:
                np.maximum.at(largest, owner, np.abs(values).max(1))
            unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
            for values, owner in parts:
                squares += np.bincount(owner, np.square(values / unit[owner, None]).sum(1), self.total + 1)
            return unit * np.sqrt(squares)

    def _checked(self, values: Vector) -> Vector:
        if not np.isfinite(values).all():
            self._refuse_non_finite()
        return values

    def _refuse_non_finite(self) -> None:
        """Raises when it finds one: a sum may also have overflowed, and slices that belong to nobody may hold anything."""
        found: dict[str, int] = {}
        for group in self.groups:
            for part in group.measured:
                values = part.parameter.detach().flatten(1) if part.parameter.ndim > 1 else part.parameter.detach()[:, None]
                wrong = int((~torch.isfinite(values[part.rows.to(values.device)])).any(1).sum())
                if wrong:
                    found[part.name or group.name] = wrong
            wrong = int((~torch.isfinite(group.squares())).sum()) if group.folds else 0
            if wrong:
                found.setdefault(f"{group.name} or the BatchNorm behind it", wrong)
        if found:
            named = ", ".join(f"{name} ({count} of its filters)" for name, count in list(found.items())[:NAMED])
            more = f" and {len(found) - NAMED} more parameters" if len(found) > NAMED else ""
            raise NonFiniteError(f"NaN or infinity in {named}{more}; nothing was changed; try a lower learning rate or strength")

    # memory

    def _viewable(self) -> bool:
        """Whether numpy can look into the parameters; renews its views when they have moved."""
        addresses = [parameter.data_ptr() for parameter in self._vectors]
        if addresses != self._addresses:
            self._addresses = addresses
            seen = all(parameter.device.type == "cpu" and parameter.dtype in VIEWABLE for parameter in self._vectors)
            self._views = [parameter.detach().numpy() for parameter in self._vectors] if seen else []
        return bool(self._views)

    def _read(self) -> Vector:
        """(P,) a copy."""
        if self._viewable():
            return np.concatenate(self._views, dtype=np.float64)
        return torch.cat([parameter.detach() for parameter in self._vectors]).double().cpu().numpy()

    def _write(self, flat: NDArray[np.floating]) -> None:
        """(P,) back into the parameters."""
        if self._viewable():
            for view, part in zip(self._views, self._slices, strict=True):
                view[...] = flat[part]
            return
        values = torch.from_numpy(flat).to(self._vectors[0])
        for parameter, part in zip(self._vectors, self._slices, strict=True):
            parameter.detach().copy_(values[part])


def _column(values: NDArray, parameter: Tensor) -> Tensor:
    """(M,) -> a tensor that broadcasts over the rows of `parameter`."""
    return torch.from_numpy(values).to(parameter.device, parameter.dtype).view(-1, *[1] * (parameter.ndim - 1))


def _owners(groups: Sequence[FilterGroup]) -> list[tuple[nn.Parameter, NDArray[np.int64]]]:
    """Each measured parameter with the channel that owns each of its slices along dimension 0."""
    total = sum(group.size for group in groups)
    owners: dict[int, tuple[nn.Parameter, NDArray[np.int64]]] = {}
    start = 0
    for group in groups:
        for part in group.measured:
            nobody = np.full(len(part.parameter), total)
            _, owner = owners.setdefault(id(part.parameter), (part.parameter, nobody))
            owner[part.rows.numpy()] = part.channels.numpy() + start
        start += group.size
    return list(owners.values())
