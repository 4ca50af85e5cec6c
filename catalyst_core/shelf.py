"""The models folder: files with the weights of trained networks. Nothing is read from anywhere else; no torch is imported."""

import os
import re
from pathlib import Path
from typing import BinaryIO

from catalyst_core.errors import NetworkError, shown
from catalyst_core.places import confined, models_root
from catalyst_core.whole import writing

SUFFIXES = (".safetensors", ".pt", ".pth")
MIB = 2**20
LARGEST = 500 * MIB  # bytes of an upload, which the server holds in memory; server.maxUploadSize of the dashboard says the same
CHUNK = MIB
NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,99}")


def find_weights(name: str) -> Path:
    """The file of that name below the models folder. Raises `NetworkError`: outside it, missing, of another kind."""
    root = models_root().resolve()
    outside = f"leads out of the models folder {root}; only files below it are read"
    file = confined(root / name, root, lambda why: NetworkError(f"weights: {shown(name)} {why}"), outside)
    if file.suffix.lower() not in SUFFIXES:
        raise NetworkError(f"weights: {shown(name)} must end in {', '.join(SUFFIXES)}")
    if not os.path.isfile(file):  # a name that is too long is none either, not an error
        raise NetworkError(f"weights: there is no file {shown(name)} in the models folder {root}")
    return file


def listed() -> tuple[str, ...]:
    """Names of the files that are there, sorted, for forms."""
    root = models_root()
    if not root.is_dir():
        return ()
    found = (file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return tuple(sorted(file.relative_to(root).as_posix() for file in found if not file.name.startswith(".")))


def put(name: str, content: BinaryIO, size: int) -> Path:
    """Add an uploaded file of `size` bytes, whole or not at all; an equal name is not overwritten.

    Raises `NetworkError`: a name with anything but letters, digits and . _ + -, another kind of file, taken, too large, no room.
    """
    if not NAMED.fullmatch(name) or not name.lower().endswith(SUFFIXES):
        allowed = f"letters, digits and . _ + - only, and ends in {', '.join(SUFFIXES)}"
        raise NetworkError(f"weights: a file's name has {allowed}, not {shown(name)}")
    if size > LARGEST:
        most = f"at most {LARGEST // MIB} are taken here; put it into {models_root()} by hand"
        raise NetworkError(f"weights: {shown(name)} has {-(-size // MIB)} MiB, {most}")
    file = models_root() / name
    if file.exists():
        raise NetworkError(f"weights: there is a file {shown(name)} already; give this one another name")
    try:
        with writing(file) as stream:
            while chunk := content.read(CHUNK):
                stream.write(chunk)
    except OSError as error:
        raise NetworkError(f"weights: {shown(name)} cannot be written to {models_root()} ({error.strerror or error})") from None
    return file
