"""Catalyst: structured (filter) pruning by a regularizer that gives every filter a fair chance.

Public names resolve on first use, so `import catalyst_core` costs no torch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "FilterGroup": "groups",
    "find_groups": "filters",
    "build_regularizer": "regularizers",
    "decay_groups": "groups",
    "canonicalize": "canonical",
    "plant_rescale": "canonical",
    "Decisions": "decisions",
    "remove_filters": "surgery",
    "zero_pruned": "surgery",
    "certify": "certificate",
    "Certificate": "certificate",
    "RaceConfig": "config",
    "open_store": "store",
    "train": "training",
    "watch": "watching",
    "audit_run": "frames",
    "rescale_audit": "training.rescale",
    "write_bundle": "export",
    "write_model": "deploy",
}

__version__ = "0.1.0"
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
