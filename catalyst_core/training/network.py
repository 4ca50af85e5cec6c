"""The network of a contender: built for its images, with given weights where there are some, and checked to classify."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from catalyst_core.config import ContenderConfig
from catalyst_core.data import Splits
from catalyst_core.errors import NetworkError
from catalyst_core.models import build_model
from catalyst_core.models.files import digest
from catalyst_core.models.weights import load_weights
from catalyst_core.shelf import find_weights
from catalyst_core.training.checkpoint import fingerprint
from catalyst_core.training.checks import check_network
from catalyst_core.wrappers import unwrap


@dataclass(frozen=True)
class Built:
    """A dense network as training begins with it."""

    model: nn.Module
    recipe: dict[str, Any]  # arguments of `build_model`
    images: str  # fingerprint of what its dense stage sees
    notes: tuple[str, ...]  # sentences about its weights


def build_network(config: ContenderConfig, splits: Splits) -> Built:
    """Raises `ConfigError` and `NetworkError` where it cannot be built, loaded or trained, or does not classify these images."""
    classes = len(splits.classes)
    recipe = {"name": config.model, "channels": splits.channels, "size": splits.size, "classes": classes, "seed": config.seed}
    model, notes, known = build_model(**recipe), (), ""
    if config.weights:
        file = find_weights(config.weights)
        head = _head(model, recipe) if config.fresh_head else ()
        notes, known = load_weights(model, file, classes, head), digest(file)
    check_network(model, config.model, splits.test_x[:2], classes)
    return Built(model, recipe, fingerprint(splits, known), notes)


def _head(model: nn.Module, recipe: dict[str, Any]) -> tuple[str, ...]:
    """Names of the tensors whose shapes depend on the number of classes. Raises `NetworkError` where none does."""
    ours, other = (unwrap(one).state_dict() for one in (model, build_model(**recipe | {"classes": recipe["classes"] + 1})))
    found = tuple(name for name, value in ours.items() if name in other and other[name].shape != value.shape)
    if not found:
        raise NetworkError(f"model {recipe['name']} has no layer that depends on the number of classes: leave fresh_head out")
    return found
