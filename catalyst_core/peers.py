"""Torch-Pruning's pruners as contenders: its public API regularizes and chooses, the engine does everything else.

    tp_group_norm     GroupNormPruner(reg), GroupMagnitudeImportance(p=2, normalizer="max")
    tp_bn_scale       BNScalePruner(reg), BNScaleImportance()
    tp_growing_reg    GrowingRegPruner(reg, delta_reg = reg / 5), GroupMagnitudeImportance(p=2), update_reg() every epoch
    tp_magnitude      MagnitudePruner, GroupMagnitudeImportance(p=2), no sparse stage

Settings, the order of the calls and "no weight decay while it regularizes" are those of its authors' script for CIFAR
(VainF/Torch-Pruning, reproduce/main.py: reg 5e-4, delta_reg 1e-4); `strength` is reg. What differs here: each group is
cut once, to exactly as many channels as every other contender keeps (`pruning_ratio_dict`), instead of in 400 steps until
a speed-up is reached, and the schedule is the race's.

G. Fang, X. Ma, M. Song, M. Bi Mi, X. Wang, "DepGraph: Towards Any Structural Pruning", 2023, and the sources named there.
"""

# C = channels of a group

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.conv import _ConvNd

from catalyst_core.catalog import METHODS
from catalyst_core.decisions import Decisions, spare_layers
from catalyst_core.errors import NetworkError, told
from catalyst_core.groups import FilterGroup, all_decayed
from catalyst_core.regularizers import Regularizer, Settings, refuse_no_groups
from catalyst_core.regularizers.bank import Vector

GROWTH = 0.2  # delta_reg / reg of the authors' script
TINY = 0.5  # of a channel: keeps C * (1 - k / C) from being rounded down to C - k - 1


@dataclass(frozen=True)
class Network:
    """What a pruner is built on."""

    model: nn.Module
    example: torch.Tensor  # one image, (1, K, S, S)
    per_epoch: int = 1  # optimizer steps


class Peer(Regularizer):
    """The contract over one of Torch-Pruning's pruners. The magnitude of a channel is the importance that it is judged by.

    `seconds` counts the pruner's own `regularize` and `update_reg`. Raises `NetworkError` where Torch-Pruning does not find
    one of the groups, or fails on the network.
    """

    def __init__(self, groups: Sequence[FilterGroup], settings: Settings, network: Network) -> None:
        self._network = network
        self._rows = _rows(groups)
        self._pruner = None
        super().__init__(groups, settings)
        with self._asking():
            self._pruner = self._build()
            self._pruner.update_regularizer()
            self._scores()

    # while training runs

    def add_gradients(self) -> None:
        """The pruner's `regularize`, between the backward pass and the optimizer's step; nothing where it has no coefficient."""
        if METHODS[self.name].strength is None:
            return
        start = time.perf_counter()
        with self._asking():
            self._pruner.regularize(self._network.model)
        self.seconds += time.perf_counter() - start

    def step(self, lr: float) -> None:
        """Nothing to F; every epoch the growing regularization grows."""
        self.steps += 1
        if self.name == "tp_growing_reg" and self.steps % self._network.per_epoch == 0:
            start = time.perf_counter()
            self._pruner.update_reg()
            self.seconds += time.perf_counter() - start

    def parameter_groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        """Nothing decays while the pruner regularizes, as in its authors' script."""
        return all_decayed(model, 0.0)

    # what it says

    def decisions(self) -> Decisions:
        """What a pruner of the same kind, told how many channels of each group go, would cut now; nothing is cut."""
        kept = [np.ones(size, dtype=bool) for size in self.bank.sizes]
        with self._asking():
            pruner = self._build(self._ratios())
            for group in pruner.step(interactive=True):
                if (found := self._placed(pruner, group)) is not None:  # else one that `find_groups` left out, which stays
                    place, channels, _ = found
                    kept[place][channels] = False
        return Decisions.of(self.groups, spare_layers(np.concatenate(kept), self._magnitudes(), self.groups))

    def state_dict(self) -> dict[str, Any]:
        """With the coefficients that have grown."""
        grown = getattr(self._pruner, "group_reg", {})
        return {**super().state_dict(), "grown": [reg.clone() for reg in grown.values()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Regularizer.load_state_dict`."""
        super().load_state_dict(state)
        if grown := getattr(self._pruner, "group_reg", None):
            self._pruner.group_reg = {group: reg.clone() for group, reg in zip(grown, state["grown"], strict=True)}

    def _adopt(self, settings: Settings) -> None:
        super()._adopt(settings)
        if self._pruner is not None:
            self._pruner.reg = settings.strength  # of the growing one only the growth is left to change
            self._pruner.delta_reg = GROWTH * settings.strength

    def _magnitudes(self) -> Vector:
        return self._scores()

    # Torch-Pruning

    def _build(self, ratios: dict[nn.Module, float] | None = None) -> Any:
        """A pruner on the network as it is; tracing leaves its mode and its running statistics alone."""
        model = self._network.model
        example = self._network.example.to(next(model.parameters()).device)
        was_training = model.training
        kind, importance, options = _kind(self.name, self.settings.strength)
        model.eval()
        try:
            return kind(
                model,
                example,
                importance=importance,
                pruning_ratio_dict=ratios,
                ignored_layers=_outputs(model, example),
                in_channel_groups={},  # these three: their defaults are shared by all pruners, and written to
                out_channel_groups={},
                num_heads={},
                **options,
            )
        finally:
            model.train(was_training)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Raises `NetworkError` for whatever Torch-Pruning raises on a network that it does not expect."""
        try:
            yield
        except (NetworkError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            why = _why(self._network.model, error)
            raise NetworkError(f"{METHODS[self.name].source} cannot take this network: {why}") from error

    def _groups_of(self, pruner: Any) -> Iterator[Any]:
        return pruner.DG.get_all_groups(root_module_types=pruner.root_module_types, ignored_layers=pruner.ignored_layers)

    def _scores(self) -> Vector:
        """(C,) the importance of every channel of all groups. Raises `NetworkError` where one has none."""
        scores = [np.full(size, np.nan) for size in self.bank.sizes]
        with torch.no_grad():
            for group in self._groups_of(self._pruner):
                found = self._placed(self._pruner, group)
                importance = None if found is None else self._pruner.estimate_importance(group)
                if importance is not None:
                    place, channels, roots = found
                    scores[place][channels] = importance.double().cpu().numpy()[roots]
        for group, one in zip(self.groups, scores, strict=True):
            if np.isnan(one).any():
                raise NetworkError(f"{METHODS[self.name].source} gives no importance to the channels of group {group.name!r}")
        return np.concatenate(scores)

    def _ratios(self) -> dict[nn.Module, float]:
        """For every layer of a group the ratio at which exactly the budget's number of its channels goes."""
        found = {}
        for group in self._groups_of(self._pruner):
            placed = self._placed(self._pruner, group)
            if placed is not None:
                size, gone = self.bank.sizes[placed[0]], self.targets[placed[0]]
                layers = [dep.target.module for dep, _ in group if self._pruner.DG.is_out_channel_pruning_fn(dep.handler)]
                found |= {layer: max(gone - TINY, 0) / size for layer in layers if isinstance(layer, nn.Module)}
        return found

    def _placed(self, pruner: Any, group: Any) -> tuple[int, NDArray[np.int64], list[int]] | None:
        """A group of Torch-Pruning's -> which of ours it is, the channels it names, and their places in its importance."""
        for dep, rows in group:
            layer = dep.target.module
            known = self._rows.get(id(getattr(layer, "weight", None)))
            if known is not None and pruner.DG.is_out_channel_pruning_fn(dep.handler):
                place, channel_of = known
                roots = next(one.root_idxs for one in group if one.dep is dep)
                return place, channel_of[np.asarray(rows)], list(roots)
        return None


def build_peer(name: str, groups: Sequence[FilterGroup], network: Network, **settings: Any) -> Peer:
    """One of the peers of `catalog.METHODS`. Raises as `build_regularizer`, and `NetworkError` as `Peer`."""
    refuse_no_groups(groups)
    kind = type(name, (Peer,), {"name": name})
    return kind(groups, Settings.build(name, **settings), network)


def _rows(groups: Sequence[FilterGroup]) -> dict[int, tuple[int, NDArray[np.int64]]]:
    """Parameter -> the group that it belongs to, and the (rows,) channel of each of its rows; -1: of no channel."""
    found: dict[int, tuple[int, NDArray[np.int64]]] = {}
    for place, group in enumerate(groups):
        for part in group.cut:
            channel_of = np.full(len(part.parameter), -1)
            channel_of[part.rows.numpy()] = part.channels.numpy()
            found[id(part.parameter)] = place, channel_of
    return found


def _outputs(model: nn.Module, example: torch.Tensor) -> list[nn.Module]:
    """The layer that makes the classes: of the linear and convolutional ones, the last that runs."""
    ran: list[nn.Module] = []
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | _ConvNd)]
    hooks = [layer.register_forward_hook(lambda layer, *_: ran.append(layer)) for layer in layers]
    with torch.no_grad():
        model(example)
    for hook in hooks:
        hook.remove()
    return ran[-1:]


def _why(model: nn.Module, error: Exception) -> str:
    """The layer that Torch-Pruning fails on where its weight is no parameter; else what it said."""
    layers = ((name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | _ConvNd))
    name = next((name for name, layer in layers if "weight" not in dict(layer.named_parameters(recurse=False))), None)
    return told(error) if name is None else f"the weight of layer {name!r} is computed from other parameters"


def _kind(name: str, strength: float) -> tuple[Any, Any, dict[str, float]]:
    """A peer's pruner, its importance and its coefficients."""
    from torch_pruning import importance, pruner

    l2 = importance.GroupMagnitudeImportance
    return {
        "tp_group_norm": (pruner.GroupNormPruner, l2(p=2, normalizer="max"), {"reg": strength}),
        "tp_bn_scale": (pruner.BNScalePruner, importance.BNScaleImportance(), {"reg": strength}),
        "tp_growing_reg": (pruner.GrowingRegPruner, l2(p=2), {"reg": strength, "delta_reg": GROWTH * strength}),
        "tp_magnitude": (pruner.MagnitudePruner, l2(p=2), {}),
    }[name]
