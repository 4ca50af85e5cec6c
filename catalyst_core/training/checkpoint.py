"""Networks that a contender leaves on disk: the shared dense one and the pruned one, and their scores."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from catalyst_core.data import Splits
from catalyst_core.decisions import Decisions
from catalyst_core.depth import shortened
from catalyst_core.models import build_model
from catalyst_core.surgery import remove_filters
from catalyst_core.training.files import give_up, packed, write_whole


@dataclass(frozen=True)
class Score:
    """Accuracy (0..1) and mean cross-entropy on one split."""

    accuracy: float
    loss: float


@dataclass(frozen=True)
class Dense:
    """The dense network as all contenders fork from it."""

    state: dict[str, torch.Tensor]
    seconds: float  # of training
    test: Score
    validation: Score
    note: str = ""  # what was out of the ordinary


def save_dense(path: Path, dense: Dense, images: str, no_room: Callable[[OSError], None] = give_up) -> None:
    """Write the shared dense checkpoint; `images`: the `fingerprint` of what it was trained on."""
    write_whole(path, packed(asdict(dense) | {"images": images}), no_room)


def load_dense(path: Path, images: str, model: nn.Module) -> Dense | None:
    """The shared checkpoint; None when there is none, or one that is damaged, of another network or of other `images`."""
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        shapes = {name: tensor.shape for name, tensor in content["state"].items()}
        if shapes != {name: tensor.shape for name, tensor in model.state_dict().items()}:
            return None
        if content.pop("images") != images:
            return None
        return Dense(**content | {"test": Score(**content["test"]), "validation": Score(**content["validation"])})
    except Exception:  # a truncated or foreign file fails in any way; the network is then trained again
        return None


def fingerprint(splits: Splits, weights: str = "") -> str:
    """A hash of the training images and labels, and of the given weights: a folder or a file may change between two races."""
    digest = hashlib.blake2b(splits.train_x.numpy(), digest_size=16)
    digest.update(splits.train_y.numpy())
    digest.update(weights.encode())
    return digest.hexdigest()


def save_pruned(
    path: Path, model: nn.Module, decisions: Decisions, recipe: dict[str, Any], no_room: Callable[[OSError], None] = give_up
) -> None:
    """The smaller network with what `load_pruned` needs to build it again.

    `recipe`: the arguments of `build_model`, "magnitude" of `find_groups`, "after" of `shortened` or None, and "images", a
    `Seen` as plain data, for whoever uses it.
    """
    write_whole(path, packed({"state": model.state_dict(), "kept": decisions.kept, "recipe": recipe}), no_room)


def load_pruned(path: Path) -> nn.Module:
    """The smaller network that a run left in `pruned.pt`, in evaluation mode."""
    return restored(torch.load(path, weights_only=True, map_location="cpu"))[0]


def restored(content: dict[str, Any]) -> tuple[nn.Module, nn.Module]:
    """What `pruned.pt` holds -> the smaller network, and that before the cut with fresh weights, both in evaluation mode."""
    recipe = content["recipe"]
    dense = build_model(**{key: recipe[key] for key in ("name", "channels", "size", "classes", "seed")}).eval()
    example = torch.zeros(1, recipe["channels"], recipe["size"], recipe["size"])
    with torch.no_grad():
        dense(example)  # weights that are made of others are there then, and can be copied
    if (after := recipe.get("after")) is not None:
        model = shortened(dense, example, after=after)
    else:
        model = remove_filters(dense, example, Decisions(kept=content["kept"], undecided=0))
    model.load_state_dict(content["state"])
    return model.eval(), dense
