"""The training loop: batches in, optimizer steps, events out."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from catalyst_core.data import Splits
from catalyst_core.errors import DivergedError
from catalyst_core.events import Evaluated, Event, Stage, StepLogged
from catalyst_core.regularizers import Regularizer
from catalyst_core.training import device
from catalyst_core.training.batches import Batches
from catalyst_core.training.checkpoint import Score
from catalyst_core.training.control import Control
from catalyst_core.training.plan import Plan
from catalyst_core.training.probe import Probe, measured_event

EVALUATION_BATCH = 100  # larger ones cost twice the time: their activations are mapped and unmapped anew for every batch
EXPLODED = 100.0  # times the loss of guessing, log K: a network that is only cut too hard stays far below


def evaluate(model: nn.Module, x: torch.Tensor, y: torch.Tensor, between: Callable[[], object] = lambda: None) -> Score:
    """Accuracy and mean cross-entropy on images x (N, K, S, S) with labels y (N,), in evaluation mode.

    `between` is called after every batch: large test sets take long, and commands should not wait for them.
    """
    was_training = model.training
    model.eval()
    logits = []
    with torch.no_grad():
        for part in x.split(EVALUATION_BATCH):
            logits.append(model(part.to(device.of(model))).cpu())
            between()
    model.train(was_training)
    scores = torch.cat(logits)
    return Score(float((scores.argmax(1) == y).double().mean()), float(functional.cross_entropy(scores, y)))


@dataclass(frozen=True)
class Training:
    """What a stage trains, and with what. The optimizer holds the state that a checkpoint needs beside the network's."""

    model: nn.Module
    probe: Probe
    optimizer: torch.optim.SGD
    regularizer: Regularizer | None = None

    def state(self) -> dict[str, Any]:
        """State dicts, for a checkpoint."""
        states = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return states if self.regularizer is None else states | {"regularizer": self.regularizer.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where the training was that this is the state of. The regularizer's comes last: it looks at the network."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.regularizer is not None:
            self.regularizer.load_state_dict(state["regularizer"])

    @property
    def is_finite(self) -> bool:
        """Whether every parameter is a finite number."""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.model.parameters())


def update(loss: torch.Tensor, optimizer: torch.optim.Optimizer, regularizer: Regularizer | None, rate: float) -> None:
    """One step of the optimizer at learning rate `rate` on a () loss, with whatever the regularizer has to do in it."""
    optimizer.zero_grad()
    if regularizer is not None and regularizer.settings.solver == "subgradient":
        loss = loss + regularizer.current_strength * regularizer.penalty()
    loss.backward()
    if regularizer is not None:
        regularizer.add_gradients()
    optimizer.step()
    if regularizer is not None:
        regularizer.step(rate)


@dataclass
class Tally:
    """Training numbers since the last time they were told."""

    steps: int = 0
    images: int = 0
    loss: float = 0.0
    correct: int = 0


@dataclass
class Loop:
    """Takes optimizer steps; `step` and `seconds` (of training alone: no evaluation, no measurement) only grow."""

    plan: Plan
    batches: Batches
    splits: Splits
    momentum: float
    control: Control
    emit: Callable[[Event], None]
    step: int = 0
    seconds: float = 0.0
    scale: float = 1.0  # of the plan's learning rate
    taken: dict[str, int] = field(default_factory=dict)  # steps in each stage
    boundary: Callable[[], None] = lambda: None  # called in front of every step
    _tally: Tally = field(default_factory=Tally)

    def run(self, stage: Stage, training: Training, until: int) -> bool:
        """Train until so many steps have been taken since the run began. True: stopped before that by a command."""
        training.model.train()
        while self.step < until:
            if self.control.poll(self.step):
                return True
            self.boundary()
            rate = self._train_step(stage, training)
            self._tell(stage, training.model, training.probe, rate)
        return False

    def begin_after(self, seconds: float) -> None:
        """Behind the dense stage, which took so many; the same whether it was trained here or elsewhere."""
        self.load_state(
            {"step": self.plan.dense, "seconds": seconds, "scale": 1.0, "taken": {"dense": self.plan.dense}, "tally": {}}
        )

    def follow_rate(self) -> None:
        """Take up the peak learning rate that was asked for last."""
        self.scale = self.control.rate / self.plan.peak

    def state(self) -> dict[str, Any]:
        """Plain data; `load_state` goes on where this loop is."""
        numbers = {name: getattr(self, name) for name in ("step", "seconds", "scale")}
        return {**numbers, "taken": dict(self.taken), "tally": asdict(self._tally)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where the loop was that this is the state of."""
        self.step, self.seconds, self.scale = (state[name] for name in ("step", "seconds", "scale"))
        self.taken, self._tally = dict(state["taken"]), Tally(**state["tally"])

    def _train_step(self, stage: Stage, training: Training) -> float:
        started = time.perf_counter()
        model, optimizer, regularizer = training.model, training.optimizer, training.regularizer
        rate = self.scale * self.plan.learning_rate(self.step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        x, y = (part.to(device.of(model)) for part in self.batches.at(self.step))
        logits = model(x)
        loss = functional.cross_entropy(logits, y)
        value = float(loss.detach())
        if not value <= EXPLODED * math.log(logits.shape[1]):  # NaN too
            raise DivergedError(
                f"the loss became {value:.3g} at step {self.step} of the {stage} stage, at learning rate {rate:.3g}: "
                "choose a lower learning rate or a lower strength"
            )
        update(loss, optimizer, regularizer, rate)
        self.step += 1
        self.taken[stage] = self.taken.get(stage, 0) + 1
        self.seconds += time.perf_counter() - started
        self._count(value, logits, y)
        return rate

    def _count(self, loss: float, logits: torch.Tensor, y: torch.Tensor) -> None:
        tally = self._tally
        tally.steps += 1
        tally.images += len(y)
        tally.loss += loss
        tally.correct += int((logits.argmax(1) == y).sum())

    def _tell(self, stage: Stage, model: nn.Module, probe: Probe, rate: float) -> None:
        plan, step = self.plan, self.step
        logged, measured = plan.is_logged(step), plan.is_measured(step)
        if logged or measured:
            measurement = probe.measure()
        if logged:
            tally, self._tally = self._tally, Tally()
            self.emit(
                StepLogged(
                    step=step,
                    stage=stage,
                    epoch=step / plan.per_epoch,
                    seconds=self.seconds,
                    loss=tally.loss / tally.steps,
                    accuracy=tally.correct / tally.images,
                    penalty=probe.penalty(),
                    strength=probe.strength(),
                    learning_rate=rate,
                    share_pruned=measurement.share_pruned,
                )
            )
        if measured:
            self.emit(measured_event(measurement, step, stage))
        if plan.is_evaluated(step):
            self.tell_score(stage, "validation", self._evaluate(model, self.splits.val_x, self.splits.val_y))

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.SGD:
        """A new one on these parameter groups."""
        return torch.optim.SGD(groups, lr=self.plan.peak, momentum=self.momentum)

    def scores(self, model: nn.Module) -> tuple[Score, Score]:
        """On the test and the validation images."""
        test = self._evaluate(model, self.splits.test_x, self.splits.test_y)
        return test, self._evaluate(model, self.splits.val_x, self.splits.val_y)

    def _evaluate(self, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Score:
        """`evaluate`, answering commands meanwhile."""
        return evaluate(model, x, y, lambda: self.control.poll(self.step))

    def tell_score(self, stage: Stage, split: str, score: Score) -> None:
        """Emit an accuracy."""
        self.emit(Evaluated(step=self.step, stage=stage, split=split, accuracy=score.accuracy, loss=score.loss))


def recalibrate(model: nn.Module, batches: Batches, count: int, between: Callable[[], object] = lambda: None) -> None:
    """Re-estimate every BatchNorm's mean and variance (plain averages) on the first `count` batches, in place."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
    model.train()
    with torch.no_grad():
        for step in range(count):
            model(batches.at(step)[0].to(device.of(model)))
            between()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
