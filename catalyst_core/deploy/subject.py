"""The networks of an export side by side: dense (before the cut), pruned, and rounded; the last of them is what is written."""

# C = channels of a group, K = classes

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from catalyst_core.certificate import certify
from catalyst_core.config import Magnitude
from catalyst_core.coupling import trace
from catalyst_core.deploy.rounding import check_multiple, pad
from catalyst_core.errors import ConfigError, ExampleInputError, NetworkError, said_by
from catalyst_core.wrappers import unwrap

Widths = dict[str, dict[str, int]]  # group -> network -> channels


@dataclass(frozen=True)
class Cut:
    """Where a pruned network comes from, as far as that is known."""

    dense: nn.Module | None = None  # before the cut
    kept: Mapping[str, Tensor] | None = None  # group name -> (C,) bool
    standing: Mapping[str, Tensor] | None = None  # group name -> (C,), the larger the sooner a channel comes back
    magnitude: Magnitude = "response"  # of `find_groups`


@dataclass(frozen=True)
class Networks:
    """Copies on the CPU, in evaluation mode, their tensors contiguous."""

    models: dict[str, nn.Module]  # "dense", "pruned", "rounded": those that there are, in this order
    widths: Widths
    multiple: int | None  # that widths were rounded up to
    classes: int

    @property
    def final(self) -> nn.Module:
        """What is written."""
        return list(self.models.values())[-1]

    def rounding(self, images: Tensor) -> dict[str, Any] | None:
        """What rounding did, as plain data; compared on `images`."""
        if self.multiple is None:
            return None
        change = certify(self.models["pruned"], self.models["rounded"], images)
        return {
            "multiple": self.multiple,
            "channels_back": sum(one["rounded"] - one["pruned"] for one in self.widths.values()),
            "max_abs_logit_change": change.max_abs_logit_change,
            "max_abs_logit_change_float32": change.max_abs_logit_change_float32,
            "images": change.images,
        }


def networks(model: nn.Module, example: Tensor, cut: Cut, round_to: int | None) -> Networks:
    """Raises `ConfigError` where widths cannot be rounded, `ExampleInputError` and `NetworkError` for no classifier."""
    models = {} if cut.dense is None else {"dense": _prepared(cut.dense)}
    models["pruned"] = _prepared(model)
    classes = _classes(models["pruned"], example)
    if cut.kept is None:
        widths = _sizes(models, example)
    else:
        widths = {name: {"dense": len(mask), "pruned": int(mask.sum())} for name, mask in cut.kept.items()}
    if round_to is not None:
        check_multiple(round_to)
        if cut.dense is None or not cut.kept:
            raise ConfigError("round_to needs the dense network and the channels that the cut kept of it")
        how = {"standing": cut.standing, "magnitude": cut.magnitude}
        rounded = pad(models["dense"], example, models["pruned"], cut.kept, round_to, **how)
        models["rounded"] = _prepared(rounded.model)
        for name, mask in rounded.kept.items():
            widths[name]["rounded"] = int(mask.sum())
    return Networks(models, widths, round_to, classes)


def _prepared(model: nn.Module) -> nn.Module:
    return copy.deepcopy(unwrap(model)).cpu().eval().to(memory_format=torch.contiguous_format)


def _classes(model: nn.Module, example: Tensor) -> int:
    """How many logits it gives."""
    if not example.is_floating_point() or not example.ndim:
        raise ExampleInputError(
            f"the example is {example.dtype} and of {example.ndim} dimensions: give a batch of floating-point images"
        )
    try:
        with torch.no_grad():
            found = model(example)
    except Exception as error:  # whatever a model's own code raises
        shape = " x ".join(str(size) for size in example.shape)
        raise ExampleInputError(f"{type(model).__name__} does not run on images of shape {shape} ({said_by(error)})") from error
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(example):
        given = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise NetworkError(f"{type(model).__name__} answers {len(example)} images with {given}, not with a row of logits each")
    if not bool(found.isfinite().all()):
        raise NetworkError(f"{type(model).__name__} answers the example with numbers that are not finite")
    return found.shape[1]


def _sizes(models: Mapping[str, nn.Module], example: Tensor) -> Widths:
    """What can be told without the masks of the cut: the groups of each network by their names; none if untold."""
    widths: Widths = {}
    for kind, model in models.items():
        try:
            couplings = trace(model, example).couplings
        except NetworkError:  # a network may be exported that could not be pruned
            return {}
        for one in couplings:
            widths.setdefault(one.name, {})[kind] = one.size
    return widths
