"""Files of weights, told apart by what is in them: safetensors, and what `torch.load(weights_only=True)` reads of `torch.save`.

No code in a file is ever run.
"""

import hashlib
import warnings
import zipfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catalyst_core.errors import NetworkError, told

INFLATES = 1.5  # an archive of tensors may hold more bytes than the file has, but not much: they are not compressed
ZIP, PICKLE = b"PK", b"\x80"  # how archives of torch.save begin, and its files of before 2020
JSON = b"{"  # and the header of safetensors
HEADER = 8  # bytes in front of that header: its size
PLAIN = (Namespace,)  # classes that only hold values: torchvision's and timm's scripts put their options beside the weights
SAVE = "save model.state_dict(), best as safetensors"


def digest(file: Path) -> str:
    """A hash of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()[:32]


def read_state(file: Path) -> dict[str, Any]:
    """Name -> tensor, or what else is in there. Raises `NetworkError`: unreadable, code in it, no state dict."""
    try:
        with file.open("rb") as stream:
            start = stream.read(HEADER + 1)
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from None
    if _is_safetensors(file, start):
        return _safetensors(file)
    if start.startswith(ZIP):
        _check_archive(file)
    elif not start.startswith(PICKLE):
        raise _unreadable(file, "it is empty" if not start else "it is neither a file of torch.save nor safetensors")
    return _torch(file)


def _is_safetensors(file: Path, start: bytes) -> bool:
    """By content, and by name where the content is nothing else."""
    size = int.from_bytes(start[:HEADER], "little")
    if start[HEADER:] == JSON and size <= file.stat().st_size:
        return True
    return file.suffix.lower() == ".safetensors" and not start.startswith((ZIP, PICKLE))


def _safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise NetworkError(f"weights: {file.name} cannot be read as safetensors ({told(error)})") from None


def _torch(file: Path) -> dict[str, Any]:
    try:
        # Of a path, torch would believe the name.
        with warnings.catch_warnings(), torch.serialization.safe_globals([*PLAIN]), file.open("rb") as stream:
            warnings.simplefilter("ignore")  # of odd pickles: what matters is whether it is read
            content = torch.load(stream, weights_only=True, map_location="cpu")
    except Exception as error:  # a torn or foreign file fails in any way
        kind = type(error).__name__
        if kind == "UnpicklingError":
            why = "holds more than tensors (a pickled object), which could run code, so it is not read"
            raise NetworkError(f"weights: {file.name} {why}: {SAVE}") from None
        raise _unreadable(file, f"it is damaged or cut off; {kind}") from None
    if not isinstance(content, Mapping):
        raise NetworkError(f"weights: {file.name} holds a {type(content).__name__}, not a state dict")
    return dict(content)


def _check_archive(file: Path) -> None:
    """torch.save writes a zip without compression: one that swells is no such file, and one with constants is TorchScript's."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except Exception:  # a torn archive fails in any way
        raise _unreadable(file, "it is a damaged archive, or only a part of one") from None
    if (swollen := sum(entry.file_size for entry in entries)) > INFLATES * file.stat().st_size + 2**20:
        raise NetworkError(f"weights: {file.name} would unpack to {swollen / 2**20:.0f} MiB, which no file of torch.save does")
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise NetworkError(f"weights: {file.name} is a TorchScript archive, which holds code, so it is not read: {SAVE}")


def _unreadable(file: Path, why: str) -> NetworkError:
    return NetworkError(f"weights: {file.name} cannot be read as a state dict ({why})")
