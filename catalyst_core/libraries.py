"""Which networks torchvision and timm know by name, read from their source: neither is imported, nor is torch.

torchvision:resnet18     timm:resnet18
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from catalyst_core.errors import ConfigError, shown

LIBRARIES = ("torchvision", "timm")
_REGISTERED = re.compile(r"^@register_model(?:\((.*?)\))?\s*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
_NAMED = re.compile(r"name\s*=\s*[\"'](\w+)[\"']")
NOT_CLASSIFIERS = ("detection", "segmentation", "video", "optical_flow", "quantization")  # folders of torchvision.models


@cache
def names(library: str) -> tuple[str, ...]:
    """Sorted names of a library's classifiers; none where it is not installed."""
    found: set[str] = set()
    for file in _sources(library):
        for settings, function in _REGISTERED.findall(file.read_text(encoding="utf-8")):
            given = _NAMED.search(settings)
            found.add(given.group(1) if given else function)
    return tuple(sorted(found))


def split(model: str) -> tuple[str, str] | None:
    """'timm:resnet18' -> ('timm', 'resnet18'); None for a name without a library."""
    library, colon, name = model.partition(":")
    return (library, name) if colon else None


def check(model: str) -> None:
    """Raise `ConfigError` unless a library knows this network: 'library:name'."""
    parts = split(model)
    assert parts is not None, model
    library, name = parts
    if library not in LIBRARIES:
        raise ConfigError(f"model: there is no library {shown(library)}; networks come from {' and '.join(LIBRARIES)}")
    known = names(library)
    if not known:
        raise ConfigError(f"model: {library} is not installed")
    if name not in known:
        raise ConfigError(f"model: {library} has no classifier {shown(name)}{suggestion(name, known)}")


def suggestion(name: str, known: tuple[str, ...]) -> str:
    """'; did you mean resnet18, resnet26 or ...?', or nothing."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _sources(library: str) -> list[Path]:
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "models"
    files = sorted(folder.rglob("*.py"))
    return [file for file in files if not set(file.relative_to(folder).parts) & set(NOT_CLASSIFIERS)]
