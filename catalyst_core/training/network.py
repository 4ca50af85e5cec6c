"""The network of a contender: built for its images, with given weights where there are some, and checked to classify."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from catalyst_core.config import ContenderConfig
from catalyst_core.data import Splits
from catalyst_core.errors import ExampleInputError, NetworkError, shown
from catalyst_core.models import build_model
from catalyst_core.models.weights import digest, load_weights
from catalyst_core.shelf import find_weights
from catalyst_core.training.checkpoint import fingerprint


@dataclass(frozen=True)
class Built:
    """A dense network as training begins with it."""

    model: nn.Module
    recipe: dict[str, Any]  # arguments of `build_model`
    images: str  # fingerprint of what its dense stage sees
    notes: tuple[str, ...]  # sentences about its weights


def build_network(config: ContenderConfig, splits: Splits) -> Built:
    """Raises `ConfigError` and `NetworkError` where it cannot be built, loaded, or does not classify these images."""
    classes = len(splits.classes)
    recipe = {"name": config.model, "channels": splits.channels, "size": splits.size, "classes": classes, "seed": config.seed}
    model, notes, known = build_model(**recipe), (), ""
    if config.weights:
        file = find_weights(config.weights)
        head = _head(model, recipe) if config.fresh_head else ()
        notes, known = load_weights(model, file, classes, head), digest(file)
    check_outputs(model, config.model, splits.test_x[:2], classes)
    return Built(model, recipe, fingerprint(splits, known), notes)


def _head(model: nn.Module, recipe: dict[str, Any]) -> tuple[str, ...]:
    """Names of the tensors whose shapes depend on the number of classes. Raises `NetworkError` where none does."""
    other = build_model(**recipe | {"classes": recipe["classes"] + 1}).state_dict()
    found = tuple(name for name, value in model.state_dict().items() if name in other and other[name].shape != value.shape)
    if not found:
        raise NetworkError(f"model {recipe['name']} has no layer that depends on the number of classes: leave fresh_head out")
    return found


@torch.no_grad()
def check_outputs(model: nn.Module, name: str, images: torch.Tensor, classes: int) -> None:
    """Raises `ExampleInputError` where it does not run on images (N, K, S, S), `NetworkError` unless it answers (N, classes)."""
    was_training = model.training
    model.eval()
    try:
        found = model(images)
    except Exception as error:  # whatever a network's own code raises
        said = shown(str(error).partition("\n")[0])
        sizes = " x ".join(str(size) for size in images.shape[1:])
        raise ExampleInputError(f"model {name} does not run on images of {sizes} ({type(error).__name__}: {said})") from error
    finally:
        model.train(was_training)
    if not isinstance(found, torch.Tensor) or found.shape != (len(images), classes):
        answer = f"shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else f"a {type(found).__name__}"
        raise NetworkError(
            f"model {name} answers {len(images)} images with {answer}, not with scores of {len(images)} x {classes}"
        )
