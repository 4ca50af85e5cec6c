"""What a contender leaves on disk: state dicts and plain data, readable with `torch.load(..., weights_only=True)`."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import nn

from catalyst_core.data import Splits
from catalyst_core.decisions import Decisions
from catalyst_core.filters import find_groups
from catalyst_core.models import build_model
from catalyst_core.surgery import remove_filters


@dataclass(frozen=True)
class Folders:
    """Where a contender writes: its own files, and the dense checkpoints it shares with others."""

    run: Path
    dense: Path


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


def save(path: Path, content: dict[str, Any]) -> None:
    """Write atomically: whoever looks sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            torch.save(content, stream)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def save_dense(path: Path, dense: Dense, splits: Splits) -> None:
    """Write the shared dense checkpoint."""
    save(path, asdict(dense) | {"images": fingerprint(splits)})


def load_dense(path: Path, splits: Splits, model: nn.Module) -> Dense | None:
    """The shared checkpoint; None when there is none, or one that is damaged, of another network or of other images."""
    try:
        content = torch.load(path, weights_only=True)
        shapes = {name: tensor.shape for name, tensor in content["state"].items()}
        if shapes != {name: tensor.shape for name, tensor in model.state_dict().items()}:
            return None
        if content["images"] != fingerprint(splits):
            return None
        return Dense(content["state"], content["seconds"], Score(**content["test"]), Score(**content["validation"]))
    except Exception:  # a truncated or foreign file fails in any way; the network is then trained again
        return None


def fingerprint(splits: Splits) -> str:
    """A hash of the training images and labels: an image folder may change between two races."""
    digest = hashlib.blake2b(splits.train_x.numpy().tobytes(), digest_size=16)
    digest.update(splits.train_y.numpy().tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock file beside `path`, if nobody else does: yields whether it is ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def save_pruned(path: Path, model: nn.Module, decisions: Decisions, recipe: dict[str, Any]) -> None:
    """The smaller network with what `load_pruned` needs to build it again.

    `recipe`: the arguments of `build_model`, and "magnitude" of `find_groups`.
    """
    save(path, {"state": model.state_dict(), "kept": decisions.kept, "recipe": recipe})


def load_pruned(path: Path) -> nn.Module:
    """The smaller network that a run left in `pruned.pt`, in evaluation mode."""
    content = torch.load(path, weights_only=True)
    recipe = content["recipe"]
    dense = build_model(**{key: recipe[key] for key in ("name", "channels", "size", "classes", "seed")})
    example = torch.zeros(1, recipe["channels"], recipe["size"], recipe["size"])
    groups = find_groups(dense, example, magnitude=recipe["magnitude"])
    assert [group.name for group in groups] == list(content["kept"])
    model = remove_filters(dense, example, Decisions(kept=content["kept"], undecided=0))
    model.load_state_dict(content["state"])
    return model.eval()
