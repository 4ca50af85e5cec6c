"""Where Catalyst reads and writes: its home, and the roots below which a user's images and weights are read."""

import os
from collections.abc import Callable
from pathlib import Path

from catalyst_core.errors import CatalystError


def home() -> Path:
    """Where stores, checkpoints and downloads go unless told otherwise: $CATALYST_HOME or ~/.catalyst."""
    return Path(os.environ.get("CATALYST_HOME") or "~/.catalyst").expanduser()


def data_root() -> Path:
    """The only place that image folders are read from, and downloads written to: $CATALYST_DATA or <home>/data."""
    return Path(os.environ.get("CATALYST_DATA") or home() / "data").expanduser()


def models_root() -> Path:
    """The only place that weights of trained networks are read from: $CATALYST_MODELS or <home>/models."""
    return Path(os.environ.get("CATALYST_MODELS") or home() / "models").expanduser()


def owner_file() -> Path:
    """What the owner registered: $CATALYST_CONFIG or <home>/catalyst.toml, which may be missing."""
    return Path(os.environ.get("CATALYST_CONFIG") or home() / "catalyst.toml").expanduser()


def confined(path: Path, root: Path | None, refusal: Callable[[str], CatalystError], outside: str) -> Path:
    """`path` with its symbolic links followed, which has to lie below the resolved `root`, where there is one.

    Raises `refusal(why)`: it cannot be followed, or it lies `outside`.
    """
    try:
        resolved = path.resolve()
    except (OSError, ValueError, RuntimeError):  # a zero byte, a loop of links
        raise refusal("is not a path that can be followed") from None
    if root is not None and not resolved.is_relative_to(root):
        raise refusal(outside)
    return resolved
