"""Commands from outside: what a contender does about changed settings, pause, resume and stop."""

import time
from collections.abc import Callable, Sequence

from catalyst_core import changes
from catalyst_core.config import ContenderConfig
from catalyst_core.errors import ConfigError
from catalyst_core.events import AUTOMATIC, Command, Event, Noted, SettingChanged, StateChanged, Value, value_text
from catalyst_core.regularizers import Regularizer

PAUSE_SECONDS = 0.1  # between two looks at the commands while nothing is trained
OF_THE_BUDGET = ("pruning_ratio", "macs_ratio")


class Control:
    """Carries commands out at step boundaries, and after a resume the changes that were carried out before it.

    `regularizers` are the ones in force, the method's own first; empty once the network has been cut. `rate` is the peak
    learning rate that was asked for last. `history` holds every change of the run so far, of which `applied` are in force.
    """

    def __init__(
        self,
        config: ContenderConfig,
        emit: Callable[[Event], None],
        commands: Callable[[], list[Command]],
        history: Sequence[SettingChanged] = (),
    ) -> None:
        self._config, self._emit, self._commands = config, emit, commands
        self.regularizers: list[Regularizer] = []
        self.rate = config.schedule.learning_rate
        self.history = list(history)
        self.applied = 0
        self.stopping = False
        self._unkept: list[str] = []

    @property
    def has_halved(self) -> bool:
        """Whether the learning rate has been halved after a divergence."""
        return any(change.who == AUTOMATIC for change in self.history)

    def poll(self, step: int) -> bool:
        """Act on what has come in; stays inside while paused. True: stop at this step boundary."""
        self._catch_up(step)
        paused = self._act(step, paused=False)
        while paused and not self.stopping:
            time.sleep(PAUSE_SECONDS)
            paused = self._act(step, paused=True)
        return self.stopping

    def news(self) -> str:
        """What was changed since the last call, in a few words; '' for nothing."""
        said, self._unkept = "; ".join(self._unkept), []
        return said

    def halve_rate(self, step: int) -> None:
        """Train on at half the learning rate."""
        self._set(step, Command(name="learning_rate", value=self.rate / 2, who=AUTOMATIC))

    def _catch_up(self, step: int) -> None:
        while self.applied < len(self.history) and self.history[self.applied].step <= step:
            change = self.history[self.applied]
            self._apply(change.name, change.new)
            self.applied += 1

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
        try:
            if not self.regularizers and command.name != "learning_rate":
                raise ConfigError("the network has been cut")
            new = changes.checked(self._config, command.name, command.value)
            old = self._value(command.name)
            if old == new:
                return
            self._apply(command.name, new)
        except ConfigError as error:
            self._emit(Noted(step=step, text=f"{command.name} was left as it is: {error}"))
            return
        change = SettingChanged(step=step, name=command.name, old=old, new=new, who=command.who)
        self.history.append(change)
        self.applied = len(self.history)
        self._unkept.append(f"{change.name} {value_text(old)} to {value_text(new)}")
        self._emit(change)

    def _value(self, name: str) -> Value:
        return self.rate if name == "learning_rate" else getattr(self.regularizers[0], name)

    def _apply(self, name: str, value: Value) -> None:
        if name == "learning_rate":
            if self.regularizers:
                changes.check_step(self._config, self.regularizers[0].strength, float(value))
            self.rate = float(value)
            return
        if name == "strength":
            changes.check_step(self._config, float(value), self.rate)
        # The others watch with the method's budget but have no strength.
        for regularizer in self.regularizers if name in OF_THE_BUDGET else self.regularizers[:1]:
            setattr(regularizer, name, value)
