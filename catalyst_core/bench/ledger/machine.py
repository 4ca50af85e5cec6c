"""What a ledger was measured on, in words that do not name the machine."""

import platform
from pathlib import Path
from typing import Any

import psutil

from catalyst_core.engine.slots import cores, slots, threads


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory in GiB, operating system, contenders at once and threads of each."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "accelerator": _accelerator(),
        "workers": slots(),
        "threads": threads(slots()),
    }


def has_accelerator() -> bool:
    """Whether torch finds a CUDA device. Imports torch."""
    return _accelerator() is not None


def _accelerator() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
