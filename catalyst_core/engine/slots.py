"""How many contenders train at once on this machine, and with how many threads each, so that they do not fight."""

import psutil

from catalyst_core.environment import whole_number

MOST = 256


def cores() -> int:
    """Cores this process may use."""
    return len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count() or 1


def slots() -> int:
    """How many contenders train at once: $CATALYST_WORKERS, else the cores. Raises ConfigError."""
    return whole_number("CATALYST_WORKERS", 1, MOST) or cores()


def threads(contenders: int) -> int:
    """Threads of each worker in a race of so many contenders: $CATALYST_THREADS, else its share. Raises ConfigError."""
    return whole_number("CATALYST_THREADS", 1, MOST) or max(1, cores() // min(slots(), contenders))
