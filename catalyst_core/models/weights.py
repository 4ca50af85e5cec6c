"""Weights of a trained network from a file. What does not fit is named, with what comes closest to it."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from torch import Tensor, nn

from catalyst_core.errors import NetworkError, shown
from catalyst_core.models.files import read_state
from catalyst_core.models.numbers import FLOATS, converted, flaw, kind
from catalyst_core.models.tables import Table, fitting, is_count, listed
from catalyst_core.wrappers import unwrap


def load_weights(model: nn.Module, file: Path, classes: int, head: Collection[str] = ()) -> tuple[str, ...]:
    """Load a file into a classifier of so many classes, in place; returns sentences about what was out of the ordinary.

    `head`: names of tensors that stay as they are, whether the file has them for as many classes, for others, or not at all.
    Raises `NetworkError`: unreadable, code in it, names or shapes that do not fit (named), another number of classes, tensors
    that are not plain numbers, numbers that no network computes with.
    """
    model = unwrap(model)
    ours = model.state_dict()
    state, notes = fitting(read_state(file), ours, head, file.name)
    if head:
        notes.append(_with_own_head(ours, state, head, classes, file.name))
    _check_fit(ours, state, classes, file.name)
    notes += _conversions(ours, state, file.name)
    model.load_state_dict(_checked(model, ours, state, file.name))
    return tuple(notes)


def _conversions(ours: Table, state: Table, file: str) -> list[str]:
    """A sentence where the file has another precision."""
    kinds = {kind(value) for name, value in state.items() if kind(ours[name]) in FLOATS and kind(value) != kind(ours[name])}
    return [f"the weights of {file} are in {' and '.join(sorted(kinds))}; they were converted to float32"] if kinds else []


def _checked(model: nn.Module, ours: Table, state: Table, file: str) -> Table:
    """Every tensor in the network's precision. Raises `NetworkError` for one that no network computes with."""
    trained = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    ready = {name: converted(name, value, ours[name], file) for name, value in state.items()}
    for name, value in ready.items():
        if wrong := flaw(name, value, trained=name in trained):
            raise NetworkError(f"weights: {shown(name)} in {file} {wrong}")
    return ready


def _with_own_head(ours: Table, state: Table, head: Collection[str], classes: int, file: str) -> str:
    """Put the network's own head into `state`; what differs in more than the number of classes stays, to be refused."""
    theirs = [state[name] for name in head if name in state and _differ_in_classes(state[name], ours[name])]
    state |= {name: ours[name] for name in head if name not in state or _differ_in_classes(state[name], ours[name])}
    began = f"{listed(list(head))} for {classes} classes begin at random"
    if not theirs:
        return f"fresh head: {file} has no last layer; {began}"
    fits = ", which would fit," if len(theirs[0]) == classes else ""
    return f"fresh head: the last layer of {file} for {len(theirs[0])} classes{fits} is left out; {began}"


def _differ_in_classes(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of a last layer differ in nothing but the number of classes, if in that."""
    return one.dim() == other.dim() and one.shape[1:] == other.shape[1:]


def _check_fit(wanted: Table, state: Table, classes: int, file: str) -> None:
    for name in wanted:
        if is_count(name):
            state.setdefault(name, wanted[name])
    missing = [name for name in wanted if name not in state]
    unexpected = [name for name in state if name not in wanted]
    if missing or unexpected:
        raise NetworkError(f"weights: {file} does not fit the network: {_named(missing, unexpected)}")
    wrong = [name for name in wanted if wanted[name].shape != state[name].shape]
    if not wrong:
        return
    name = wrong[-1]
    theirs, ours = state[name], wanted[name]
    if _differ_in_classes(theirs, ours) and ours.shape[:1] == (classes,) and len(wrong) <= 2:
        raise NetworkError(
            f"weights: {file} is of a network with {len(theirs)} classes, these images have {classes}; with fresh_head all but "
            "its last layer is loaded"
        )
    raise NetworkError(
        f"weights: {shown(wrong[0])} in {file} has the shape {_shape(state[wrong[0]])}, {_shape(wanted[wrong[0]])} fits"
    )


def _named(missing: list[str], unexpected: list[str]) -> str:
    said = []
    if missing:
        near = get_close_matches(missing[0], unexpected, n=1, cutoff=0.6)
        hint = f" (the nearest in the file is {shown(near[0])})" if near else ""
        said.append(f"{len(missing)} missing, such as {listed(missing)}{hint}")
    if unexpected:
        said.append(f"{len(unexpected)} unexpected, such as {listed(unexpected)}")
    return "; ".join(said)


def _shape(tensor: Tensor) -> str:
    return " x ".join(str(size) for size in tensor.shape) or "()"
