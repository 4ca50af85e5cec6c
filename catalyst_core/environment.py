"""Whole numbers that the environment sets."""

import os

from catalyst_core.errors import ConfigError, shown

LONGEST = 12  # digits


def whole_number(name: str, low: int, high: int) -> int | None:
    """The number in the environment variable `name`; None where it is not set. Raises ConfigError outside low..high."""
    text = os.environ.get(name)
    if not text:
        return None
    if not text.isdecimal() or len(text) > LONGEST or not low <= int(text) <= high:
        raise ConfigError(f"{name} must be a whole number between {low} and {high}, not {shown(text)}")
    return int(text)
