"""What may be changed while a contender trains, and to which values: checked where a change is asked for and where it acts."""

import math
from typing import get_args

from pydantic import ValidationError

from catalyst_core.catalog import METHODS, WATCHED
from catalyst_core.config import ContenderConfig, Ramp, Schedule, Solver
from catalyst_core.errors import BudgetError, ConfigError, StrengthError, shown
from catalyst_core.events import SettingName, Value

NAMES: tuple[SettingName, ...] = get_args(SettingName)
OF_THE_LOOP: tuple[SettingName, ...] = ("learning_rate", "solver", "schedule")  # what only a loop of ours can change
WORDS = {"solver": get_args(Solver), "schedule": get_args(Ramp)}
MOST_STRENGTH = 1e4


def checked(config: ContenderConfig, name: str, value: Value | None) -> Value:
    """The value that `name` may be given in a run of this configuration.

    Raises `ConfigError` for a setting that is unknown or without effect on the method, or a value outside its range,
    `BudgetError` for a share outside 0..1.
    """
    if name not in NAMES:
        raise ConfigError(f"{shown(name)} cannot be changed while a race runs: one of {', '.join(NAMES)}")
    if config.data.is_own and name in OF_THE_LOOP:
        raise ConfigError(f"{name} cannot be changed from here: {WATCHED}")
    if name in WORDS:
        return _word(config, name, value)
    number = _number(name, value)
    if name == "learning_rate":
        return _rate(number)
    if name == "strength":
        return _strength(config, number)
    return _share(config, name, number)


def check_step(config: ContenderConfig, strength: float, rate: float) -> None:
    """Raises `StrengthError` where a step of Catalyst, learning rate x strength, would reach 1."""
    most = config.method.strength_below(rate)
    if strength >= most:
        raise StrengthError(f"at a learning rate of {rate:g} strength must stay below {most:g}, not {strength:g}")


def _number(name: str, value: Value | None) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{name} needs a finite number, not {shown(str(value))}")
    return number


def _word(config: ContenderConfig, name: str, value: Value | None) -> str:
    if value not in WORDS[name]:
        raise ConfigError(f"{name} must be one of {', '.join(WORDS[name])}, not {shown(str(value))}")
    method = config.method
    if METHODS[method.name].strength is None:
        raise ConfigError(f"{name} has no effect on {method.name}, which has no regularizer")
    if name == "solver" and METHODS[method.name].is_peer:
        raise ConfigError(f"the solver of {method.name} is its own: it adds to the gradients")
    if name == "schedule" and (method.name != "catalyst" or method.start_ratio is not None):
        raise ConfigError(f"schedule has no effect on {method.label}: its strength is constant")
    return str(value)


def _rate(number: float) -> float:
    try:
        return Schedule(learning_rate=number).learning_rate
    except ValidationError:
        raise ConfigError(f"learning_rate must lie between 0 and 10, 0 excluded, not {number:g}") from None


def _strength(config: ContenderConfig, number: float) -> float:
    if METHODS[config.method.name].strength is None:
        raise ConfigError(f"{config.method.name} has no strength")
    if not 0 <= number <= MOST_STRENGTH:
        raise ConfigError(f"strength must lie between 0 and {MOST_STRENGTH:g}, not {number:g}")
    return number


def _share(config: ContenderConfig, name: str, number: float) -> float:
    unit = "pruning_ratio" if config.macs_ratio is None else "macs_ratio"
    if config.method.start_ratio is not None:
        raise ConfigError("a fixed start ratio has no budget")
    if name != unit:
        raise ConfigError(f"the budget of this race is {unit}; {name} cannot be set in it")
    if not 0 < number < 1:
        raise BudgetError(f"{name} must lie between 0 and 1, both excluded, not {number:g}")
    return number
