"""The dense network that all contenders of a race fork from: loaded, waited for, or trained here.

Whoever trains it leaves checkpoints beside it; when that process dies, the next contender goes on from the last one.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

from torch import nn

from catalyst_core.config import ContenderConfig
from catalyst_core.errors import DivergedError
from catalyst_core.events import Noted, RolledBack, StageStarted
from catalyst_core.groups import all_decayed
from catalyst_core.regularizers import Regularizer
from catalyst_core.training.checkpoint import Dense, load_dense, save_dense
from catalyst_core.training.control import PAUSE_SECONDS
from catalyst_core.training.files import Folders, try_lock
from catalyst_core.training.keeper import Keeper
from catalyst_core.training.loop import Loop, Training
from catalyst_core.training.probe import RegularizerProbe, measured_event
from catalyst_core.training.teller import Teller

AGAIN = 0.5  # of the learning rate, where the loss diverged


class DenseStage:
    """How a contender comes by its dense network; `model` is what gets trained, or says which shapes are wanted."""

    def __init__(
        self, config: ContenderConfig, folders: Folders, images: str, loop: Loop, tell: Teller, committed: Callable[[], None]
    ) -> None:
        self._config, self._folders, self._images, self._loop, self._tell = config, folders, images, loop, tell
        self._committed = committed
        self._path = folders.dense / f"{config.dense_key()}.pt"
        self._keeper = Keeper(folders.dense / config.dense_key(), folders.no_room)

    def get(self, model: nn.Module, watcher: Regularizer) -> Dense | None:
        """The network; None: stopped before there was one. Raises `DivergedError`."""
        waiting = False
        while not self._loop.control.poll(self._loop.step):
            with try_lock(self._path) as ours:
                dense = load_dense(self._path, self._images, model)
                if waiting and (dense or ours):
                    self._tell.aside(Noted(step=0, text=f"dense network: {'loaded' if dense else 'trained here'}"))
                elif not waiting:
                    unfinished = "" if ours else "waiting for the dense network that another contender is training"
                    self._begin("loaded from the cache" if dense else unfinished)
                    if not dense:
                        self._tell(measured_event(watcher.measure(), 0, "dense"))
                if dense or ours:
                    return dense or self._train(model, watcher)
            waiting = True
            time.sleep(PAUSE_SECONDS)
        return None

    def _begin(self, note: str) -> None:
        plan = self._loop.plan
        self._tell(StageStarted(step=0, stage="dense", steps=plan.dense, total_steps=plan.total, note=note))

    def _train(self, model: nn.Module, watcher: Regularizer) -> Dense | None:
        beginning = copy.deepcopy(model.state_dict())
        self._tell.begin("dense")
        training = self._training(model, watcher)
        self._go_on(training)
        stopped = None
        while stopped is None:
            try:
                stopped = self._run(training)
            except DivergedError as error:
                model.load_state_dict(beginning)
                self._start_again(error)
                training = self._training(model, watcher)
        if stopped:
            return None
        note = "" if self._loop.scale == 1 else "the dense network diverged and was trained anew at half the learning rate"
        dense = Dense(copy.deepcopy(model.state_dict()), self._loop.seconds, *self._loop.scores(model), note)
        self._committed()  # whoever finds the file says nothing of how it came about
        save_dense(self._path, dense, self._images, self._folders.no_room)
        self._keeper.clear()
        return dense

    def _training(self, model: nn.Module, watcher: Regularizer) -> Training:
        decayed = all_decayed(model, self._config.schedule.weight_decay)
        return Training(model, RegularizerProbe(watcher), self._loop.optimizer(decayed))

    def _run(self, training: Training) -> bool:
        def boundary() -> None:
            if self._keeper.is_due:
                self._save(training)

        before, self._loop.boundary = self._loop.boundary, boundary
        try:
            stopped = self._loop.run("dense", training, self._loop.plan.dense)
            if stopped:
                self._save(training)
            return stopped
        finally:
            self._loop.boundary = before

    def _save(self, training: Training) -> None:
        self._committed()
        states: dict[str, Any] = {"loop": self._loop.state(), "told": self._tell.state(), "images": self._images}
        self._keeper.save(states | training.state())

    def _go_on(self, training: Training) -> None:
        """From the last checkpoint, whoever left it."""
        found = self._keeper.latest()
        if found is None or found[1]["images"] != self._images:
            return
        point = found[1]
        training.load_state(point)
        self._loop.load_state(point["loop"])
        self._tell.load_state(point["told"])

    def _start_again(self, error: DivergedError) -> None:
        """At half the learning rate, from the beginning: what comes out depends on the configuration alone."""
        if self._loop.scale < 1:
            raise DivergedError(f"{error} (it had been tried again at half the learning rate)")
        self._tell.aside(RolledBack(step=0, stage="dense", from_step=self._loop.step, reason=str(error)))
        self._keeper.clear()
        self._loop.load_state({"step": 0, "seconds": self._loop.seconds, "scale": AGAIN, "taken": {}, "tally": {}})
        self._tell.begin("dense")
