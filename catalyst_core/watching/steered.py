"""What a watched loop does about commands from the dashboard: strength and budget act on its regularizer, no more."""

import torch

from catalyst_core.catalog import WATCHED
from catalyst_core.changes import NAMES
from catalyst_core.config import ContenderConfig
from catalyst_core.events import Command, Noted
from catalyst_core.regularizers import Regularizer
from catalyst_core.training.control import Control
from catalyst_core.watching.voice import Voice

NO_RATE = "a step of Catalyst has to stay below 1, and watch(learning_rate=...) was not told how large its learning rates get"
SEVERAL = "several processes train this network, and it would reach one of them"


class Steered:
    """Carries out what is possible at a step boundary, and says why the rest is not."""

    def __init__(self, voice: Voice, config: ContenderConfig, reg: Regularizer, learning_rate: float | None) -> None:
        self._voice, self._config = voice, config
        self._knows_the_rate = learning_rate is not None
        self._control = Control(config, voice.say, self._possible)
        self._control.regularizers = [reg]
        self._control.rate = learning_rate or 0.0  # the largest that is known of
        self._step = 0

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked the loop to stop."""
        return self._control.stopping

    def act(self, step: int, learning_rate: float) -> None:
        """Carry out what has come in. A rate above the one that was announced counts from now on."""
        self._step = step
        if learning_rate > self._control.rate:
            self._control.rate = learning_rate
        self._control.poll(step)

    def cut(self) -> None:
        """There is nothing left to regularize."""
        self._control.regularizers = []

    def _possible(self) -> list[Command]:
        found = []
        for command in self._voice.commands():
            if reason := self._obstacle(command):
                self._voice.say(Noted(step=self._step, text=f"{command.name} was left as it is: {reason}"))
            else:
                found.append(command)
        return found

    def _obstacle(self, command: Command) -> str:
        """Why it cannot be done; '' where it can be tried."""
        if command.name in ("pause", "resume"):
            return WATCHED
        if command.name in NAMES and _processes() > 1:
            return SEVERAL
        if command.name == "strength" and self._config.method.name == "catalyst" and not self._knows_the_rate:
            return NO_RATE
        return ""


def _processes() -> int:
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
