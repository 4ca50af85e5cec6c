"""How many contenders train at once on this machine, and with how many threads each, so that they do not fight."""

import os

import psutil

from catalyst_core.errors import ConfigError, shown

MOST = 256


def cores() -> int:
    """Cores this process may use."""
    return len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count() or 1


def slots() -> int:
    """How many contenders train at once: $CATALYST_WORKERS, else the cores. Raises ConfigError."""
    return _setting("CATALYST_WORKERS") or cores()


def threads(contenders: int) -> int:
    """Threads of each worker in a race of so many contenders: $CATALYST_THREADS, else its share. Raises ConfigError."""
    return _setting("CATALYST_THREADS") or max(1, cores() // min(slots(), contenders))


def _setting(name: str) -> int | None:
    text = os.environ.get(name)
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise ConfigError(f"{name} must be a whole number between 1 and {MOST}, not {shown(text)}")
    return int(text)
