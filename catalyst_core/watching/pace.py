"""How often a watched loop is looked at, and the training numbers in between."""

import math
import time
from dataclasses import dataclass, field

from torch import Tensor

from catalyst_core.errors import ConfigError, shown

EVERY_SECONDS = 1.0  # between two looks ...
COST = 100  # ... and this many times what the last one took: at most 1 % of the time


class Pace:
    """When the next look is due, on the monotonic clock."""

    def __init__(self) -> None:
        self._due = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._due

    def took(self, seconds: float) -> None:
        """A look has been taken, just now."""
        self._due = time.monotonic() + max(EVERY_SECONDS, COST * seconds)


@dataclass
class Mean:
    """Of one number over several steps. What is on an accelerator stays there until somebody asks for the mean."""

    name: str
    total: float | Tensor = 0.0
    count: int = 0

    def add(self, value: float | Tensor | None) -> None:
        """One more, or none. Raises `ConfigError` for what is not one number."""
        if value is None:
            return
        if isinstance(value, Tensor):
            if value.numel() != 1:
                raise ConfigError(f"{self.name} must be one number, not a tensor of {value.numel()}")
            number: float | Tensor = value.detach().reshape(()).float()
        else:
            number = as_float(self.name, value)
        self.total = self.total + number
        self.count += 1

    def take(self) -> float:
        """The mean since the last time; NaN of nothing."""
        mean = float(self.total) / self.count if self.count else math.nan
        self.total, self.count = 0.0, 0
        return mean


@dataclass
class Tally:
    """Training numbers since they were told last."""

    loss: Mean = field(default_factory=lambda: Mean("loss"))
    accuracy: Mean = field(default_factory=lambda: Mean("accuracy"))
    steps: int = 0


def as_float(name: str, value: object) -> float:
    """Raises `ConfigError` for what is no number."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ConfigError(f"{name} must be a number, not {shown(value)}") from None


def as_share(name: str, value: object) -> float:
    """Raises `ConfigError` for what does not lie between 0 and 1."""
    number = as_float(name, value)
    if not 0 <= number <= 1:
        raise ConfigError(f"{name} must lie between 0 and 1, not {shown(value)}: it is a share, not a percentage")
    return number
