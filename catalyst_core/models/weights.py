"""Weights of a trained network from a file: safetensors, or a state dict that `torch.load(weights_only=True)` reads.

No code in a file is ever run. What does not fit is named, with what comes closest to it.
"""

import hashlib
import warnings
import zipfile
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from catalyst_core.errors import NetworkError, shown

WRAPPED = ("state_dict", "model_state_dict", "model", "net", "network", "weights")  # keys under which trainers keep a state dict
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")  # of wrappers around a network
INFLATES = 1.5  # an archive of tensors may hold more bytes than the file has, but not much: they are not compressed
COUNTED = 3  # names that a sentence lists


def digest(file: Path) -> str:
    """A hash of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()[:32]


def load_weights(model: nn.Module, file: Path, classes: int, head: Collection[str] = ()) -> tuple[str, ...]:
    """Load a file into a classifier of so many classes, in place; returns sentences about what was out of the ordinary.

    `head`: names of tensors that stay as they are, whether the file has them for as many classes, for others, or not at all.
    Raises `NetworkError`: unreadable, code in it, names or shapes that do not fit (named), another number of classes, numbers
    that are not finite.
    """
    state, notes = _unwrapped(read_state(file)), []
    if head:
        notes.append(_with_own_head(model, state, head, classes, file.name))
    _check_fit(model, state, classes, file.name)
    half = sorted({str(value.dtype).removeprefix("torch.") for value in state.values() if value.dtype in HALF})
    if half:
        notes.append(f"the weights of {file.name} are in {' and '.join(half)}; they were converted to float32")
    if bad := next((name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()), None):
        raise NetworkError(f"weights: {shown(bad)} in {file.name} holds NaN or infinite numbers")
    model.load_state_dict(state)
    return tuple(notes)


HALF = (torch.float16, torch.bfloat16)


def read_state(file: Path) -> dict[str, Any]:
    """Name -> tensor, or what else is in there. Raises `NetworkError`."""
    if file.suffix.lower() == ".safetensors":
        return _safetensors(file)
    _check_archive(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickles: what matters is whether it is read
            content = torch.load(file, weights_only=True, map_location="cpu")
    except Exception as error:  # a torn or foreign file fails in any way
        kind = type(error).__name__
        if kind == "UnpicklingError":
            why = "holds more than tensors (a pickled object), which could run code, so it is not read"
            raise NetworkError(f"weights: {file.name} {why}: save model.state_dict(), best as safetensors") from None
        raise NetworkError(f"weights: {file.name} cannot be read as a state dict ({kind})") from None
    if not isinstance(content, Mapping):
        raise NetworkError(f"weights: {file.name} holds a {type(content).__name__}, not a state dict")
    return dict(content)


def _safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise NetworkError(f"weights: {file.name} cannot be read as safetensors ({shown(str(error))})") from None


def _check_archive(file: Path) -> None:
    """torch.save writes a zip without compression: one that swells is no such file."""
    if not zipfile.is_zipfile(file):
        return  # the format of before 2020, or nothing that torch reads
    with zipfile.ZipFile(file) as archive:
        swollen = sum(entry.file_size for entry in archive.infolist())
    if swollen > INFLATES * file.stat().st_size + 2**20:
        raise NetworkError(f"weights: {file.name} would unpack to {swollen / 2**20:.0f} MiB, which no file of torch.save does")


def _unwrapped(content: dict[str, Any]) -> dict[str, Tensor]:
    """Without what trainers put around a state dict."""
    for key in WRAPPED:
        if isinstance(content.get(key), Mapping) and not isinstance(content[key], Tensor):
            content = dict(content[key])
            break
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _with_own_head(model: nn.Module, state: dict[str, Tensor], head: Collection[str], classes: int, file: str) -> str:
    """Put the network's own head into `state`; what differs in more than the number of classes stays, to be refused."""
    ours = model.state_dict()
    theirs = [state[name] for name in head if name in state and _differ_in_classes(state[name], ours[name])]
    state |= {name: ours[name] for name in head if name not in state or _differ_in_classes(state[name], ours[name])}
    began = f"{_listed(list(head))} for {classes} classes begin at random"
    if not theirs:
        return f"fresh head: {file} has no last layer; {began}"
    fits = ", which would fit," if len(theirs[0]) == classes else ""
    return f"fresh head: the last layer of {file} for {len(theirs[0])} classes{fits} is left out; {began}"


def _differ_in_classes(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of a last layer differ in nothing but the number of classes, if in that."""
    return one.dim() == other.dim() and one.shape[1:] == other.shape[1:]


def _check_fit(model: nn.Module, state: dict[str, Tensor], classes: int, file: str) -> None:
    wanted = model.state_dict()
    for name in wanted:  # a count that files of before 2018 lack
        if name.endswith("num_batches_tracked"):
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
        said.append(f"{len(missing)} missing, such as {_listed(missing)}{hint}")
    if unexpected:
        said.append(f"{len(unexpected)} unexpected, such as {_listed(unexpected)}")
    return "; ".join(said)


def _listed(names: list[str]) -> str:
    return ", ".join(shown(name) for name in names[:COUNTED]) + (", ..." if len(names) > COUNTED else "")


def _shape(tensor: Tensor) -> str:
    return " x ".join(str(size) for size in tensor.shape) or "()"
