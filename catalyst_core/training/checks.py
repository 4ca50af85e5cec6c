"""Whether a network classifies the images of a race and can be trained on them: tried on two, before anything begins."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from catalyst_core.errors import ExampleInputError, NetworkError, told
from catalyst_core.models.numbers import flaw
from catalyst_core.wrappers import unwrap

SAME = 1e-4  # of the largest score: two answers that differ by less are one, rounded otherwise


def check_network(model: nn.Module, name: str, images: Tensor, classes: int) -> None:
    """Two forward passes in eval mode, and one step back and forth in training mode on a copy; neither the model nor the
    global random state is changed.

    Raises `ExampleInputError` where it does not run on images (N, K, S, S), `NetworkError` unless it answers (N, classes), the
    same each time, and has a gradient.
    """
    with torch.random.fork_rng(devices=[]):
        _check_answers(model, name, images, classes)
        _check_gradient(model, name, images, classes)


@torch.no_grad()
def _check_answers(model: nn.Module, name: str, images: Tensor, classes: int) -> None:
    was_training = model.training
    model.eval()
    try:
        once, again = (_scores(model, name, images, classes).double() for _ in range(2))
    finally:
        model.train(was_training)
    for part, value, trained in _tensors(model):
        if wrong := flaw(part, value, trained=trained):
            raise NetworkError(f"model {name}: {part!r} {wrong}")
    if not once.isfinite().all():
        raise NetworkError(f"model {name} answers with NaN or infinite scores")
    if (once - again).abs().max() > SAME * once.abs().max():
        why = "something in it is random, or counts, in eval mode too"
        raise NetworkError(f"model {name} does not answer the same images with the same scores each time: {why}")


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    """Name, value, and whether it is a parameter."""
    for trained, named in ((True, model.named_parameters()), (False, model.named_buffers())):
        yield from ((name, value, trained) for name, value in named)


def _check_gradient(model: nn.Module, name: str, images: Tensor, classes: int) -> None:
    with _telling(NetworkError, f"model {name} cannot be copied"):
        twin = copy.deepcopy(unwrap(model)).train()
    if not any(parameter.requires_grad for parameter in twin.parameters()):
        raise NetworkError(f"model {name} cannot be trained: none of its parameters requires a gradient")
    scores = _scores(twin, name, images, classes, " in training mode")
    if not scores.requires_grad:
        why = "its scores have no gradient (is there a detach or no_grad in its forward?)"
        raise NetworkError(f"model {name} cannot be trained: {why}")
    with _telling(NetworkError, f"model {name} cannot be trained: its gradient cannot be computed"):
        F.cross_entropy(scores, torch.zeros(len(images), dtype=torch.int64)).backward()


def _scores(model: nn.Module, name: str, images: Tensor, classes: int, mode: str = "") -> Tensor:
    """(N, classes), as the network answers in the mode that it is in."""
    with _telling(ExampleInputError, f"model {name} does not run{mode} on images of {_sizes(images.shape[1:])}"):
        found = model(images)
    if not isinstance(found, Tensor) or found.shape != (len(images), classes):
        answer = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        wanted = f"not with scores of {len(images)} x {classes}"
        raise NetworkError(f"model {name} answers {len(images)} images{mode} with {answer}, {wanted}")
    return found


def _sizes(shape: torch.Size) -> str:
    return " x ".join(str(size) for size in shape)


@contextmanager
def _telling(kind: type[NetworkError], what: str) -> Iterator[None]:
    """What others' code raises inside is raised as `kind`, in one sentence."""
    try:
        yield
    except (Exception, SystemExit) as error:  # a network's own code may raise anything
        raise kind(f"{what} ({told(error)})") from error
