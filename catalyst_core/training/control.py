"""Commands from outside: what a contender does about strength, pruning_ratio, pause, resume and stop."""

import time
from collections.abc import Callable

from catalyst_core.catalog import METHODS
from catalyst_core.config import ContenderConfig
from catalyst_core.errors import ConfigError
from catalyst_core.events import Command, Event, Noted, SettingChanged, StateChanged
from catalyst_core.regularizers import Regularizer

PAUSE_SECONDS = 0.1  # between two looks at the commands while nothing is trained


class Control:
    """Carries commands out at step boundaries.

    `regularizers` are the ones in force, the method's own first; empty once the network has been cut.
    """

    def __init__(self, config: ContenderConfig, emit: Callable[[Event], None], commands: Callable[[], list[Command]]) -> None:
        self._config, self._emit, self._commands = config, emit, commands
        self.regularizers: list[Regularizer] = []
        self.stopping = False

    def poll(self, step: int) -> bool:
        """Act on what has come in; stays inside while paused. True: stop at this step boundary."""
        paused = self._act(step, paused=False)
        while paused and not self.stopping:
            time.sleep(PAUSE_SECONDS)
            paused = self._act(step, paused=True)
        return self.stopping

    def _act(self, step: int, paused: bool) -> bool:
        for command in self._commands():
            if command.name == "stop":
                if not self.stopping:
                    self.stopping = True
                    self._emit(StateChanged(step=step, state="stopping"))
            elif command.name in ("pause", "resume"):
                if paused != (command.name == "pause") and not self.stopping:
                    paused = command.name == "pause"
                    self._emit(StateChanged(step=step, state="paused" if paused else "running"))
            else:
                self._set(step, command)
        return paused

    def _set(self, step: int, command: Command) -> None:
        if reason := self._without_effect(command):
            self._emit(Noted(step=step, text=f"{command.name} was left as it is: {reason}"))
            return
        old, new = float(getattr(self.regularizers[0], command.name)), float(command.value)  # type: ignore[arg-type]
        if old == new:
            return
        try:
            # The others watch with the method's budget but have no strength.
            for regularizer in self.regularizers if command.name == "pruning_ratio" else self.regularizers[:1]:
                setattr(regularizer, command.name, new)
        except ConfigError as error:
            self._emit(Noted(step=step, text=str(error)))
        else:
            self._emit(SettingChanged(step=step, name=command.name, old=old, new=new, who=command.who))

    def _without_effect(self, command: Command) -> str:
        method, rate = self._config.method, self._config.schedule.learning_rate
        if command.value is None:
            return "the command has no value"
        if command.name == "strength" and METHODS[method.name].strength is None:
            return f"{method.name} has no strength"
        if command.name == "strength" and command.value >= method.strength_below(rate):
            return f"at a learning rate of {rate:g} it must stay below {method.strength_below(rate):g}, not {command.value:g}"
        if command.name == "pruning_ratio" and method.start_ratio is not None:
            return "a fixed start ratio has no budget"
        if command.name == "pruning_ratio" and self._config.macs_ratio is not None:
            return "the budget of this race is a share of the MACs"
        if not self.regularizers:
            return "the network has been cut"
        return ""
