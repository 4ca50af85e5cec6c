"""What the owner of this machine added: networks and regularizers of their own, named in one file.

    # catalyst.toml in the home, or where $CATALYST_CONFIG says
    path = ["research"]                                # folders to import from, relative to this file

    [models]
    wide = "nets.wide:build"                           # package.module:function, called with channels, size and classes

    [regularizers.ridge]
    class = "regularizers:Ridge"                       # package.module:Class
    title = "Ridge"                                    # the rest may be left out
    formula = 'R=\\tfrac12\\sum_i \\lVert F_i\\rVert_2^2'
    sentence = "Shrinks every filter by the same factor."
    strength = 1.0
    strength_range = [0.1, 10.0]

The file decides which code runs: it is written by whoever owns the server, never from a browser. No torch is imported here.
"""

import importlib
import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalyst_core.errors import ConfigError, shown, told
from catalyst_core.places import owner_file

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
ABOUT = {"class", "title", "formula", "sentence", "strength", "strength_range"}
STRENGTH, RANGE = 0.1, (0.001, 10.0)


@dataclass(frozen=True)
class Own:
    """A regularizer of the owner's: where its class is, and what forms and figures say of it."""

    reference: str
    title: str
    formula: str
    sentence: str
    strength: float
    strength_range: tuple[float, float]


@dataclass(frozen=True)
class Owner:
    """The file's content."""

    models: dict[str, str] = field(default_factory=dict)  # name -> package.module:function
    regularizers: dict[str, Own] = field(default_factory=dict)
    path: tuple[str, ...] = ()  # folders to import from, absolute


_read: dict[tuple[str, int, int], Owner] = {}  # by file, time of change and size


def owner() -> Owner:
    """What is registered now; nothing where there is no file. Raises `ConfigError`: one sentence on what is wrong in it."""
    file = owner_file()
    try:
        known = file.stat()
    except OSError:
        return Owner()
    key = (str(file), known.st_mtime_ns, known.st_size)
    if key not in _read:
        found = _parse(file)
        _read.clear()
        _read[key] = found
    return _read[key]


def load(reference: str, what: str) -> Any:
    """The object behind 'package.module:name'. Raises `ConfigError` where it cannot be imported."""
    for folder in reversed(owner().path):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    module, _, name = reference.partition(":")
    try:
        imported = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # the owner's code may raise anything
        raise ConfigError(f"{what}: {module} cannot be imported ({told(error)})") from error
    if not hasattr(imported, name):
        raise ConfigError(f"{what}: the module {module} has no {name}")
    return getattr(imported, name)


def _parse(file: Path) -> Owner:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    unknown = sorted(set(content) - {"path", "models", "regularizers"})
    if unknown:
        raise ConfigError(f"{file}: there is no setting {shown(unknown[0])}; it may hold path, models and regularizers")
    models = {name: _reference(file, f"models.{name}", value) for name, value in _table(file, content, "models").items()}
    own = {name: _own(file, name, value) for name, value in _table(file, content, "regularizers").items()}
    path = content.get("path", [])
    if not isinstance(path, list) or not all(isinstance(one, str) for one in path):
        raise ConfigError(f"{file}: path must be a list of folders, not {shown(path)}")
    return Owner(models, own, tuple(str((file.parent / Path(one).expanduser()).resolve()) for one in path))


def _table(file: Path, content: dict[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: {name} must be a table, not {shown(table)}")
    for one in table:
        if not NAME.fullmatch(one):
            raise ConfigError(f"{file}: {name}.{one[:60]}: names have up to 40 of a to z, 0 to 9 and _, a letter first")
    return table


def _reference(file: Path, where: str, value: Any) -> str:
    if not isinstance(value, str) or not REFERENCE.fullmatch(value):
        raise ConfigError(f"{file}: {where} must be of the form package.module:name, not {shown(value)}")
    return value


def _own(file: Path, name: str, value: Any) -> Own:
    where = f"regularizers.{name}"
    if not isinstance(value, dict) or "class" not in value:
        raise ConfigError(f"{file}: {where} needs class = 'package.module:Class'")
    if unknown := sorted(set(value) - ABOUT):
        raise ConfigError(f"{file}: {where} has no setting {shown(unknown[0])}; it may have {', '.join(sorted(ABOUT))}")
    texts = {key: value.get(key, usual) for key, usual in (("title", name), ("formula", r"R(F)"), ("sentence", "The owner's."))}
    if wrong := next((key for key, text in texts.items() if not isinstance(text, str) or not text.isprintable()), None):
        raise ConfigError(f"{file}: {where}.{wrong} must be one line of text, not {shown(texts[wrong])}")
    strength, limits = value.get("strength", STRENGTH), value.get("strength_range", RANGE)
    if not _is_number(strength) or not 0 < strength <= 1e4:
        raise ConfigError(f"{file}: {where}.strength must lie between 0 and 10000, 0 excluded, not {shown(strength)}")
    good = isinstance(limits, list | tuple) and len(limits) == 2 and all(_is_number(one) for one in limits)
    if not good or not 0 < limits[0] < limits[1] <= 1e4:
        raise ConfigError(f"{file}: {where}.strength_range must be two rising numbers from 0 to 10000, not {shown(limits)}")
    reference = _reference(file, f"{where}.class", value["class"])
    return Own(reference, **texts, strength=float(strength), strength_range=(float(limits[0]), float(limits[1])))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
