"""The stages of a contender: dense -> sparse -> prune -> recalibrate -> finetune.

All contenders fork from one dense checkpoint, see the same batches in the same order and take the same number of steps.
A method without a strength (`none`, `random`, `depth`) is cut at once and takes its sparse steps as fine-tuning.

A contender that ended anywhere goes on from its last checkpoint: what it does then, and says, is what it would have done.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from catalyst_core.canonical import canonicalize
from catalyst_core.certificate import certify
from catalyst_core.config import ContenderConfig
from catalyst_core.data import load_data
from catalyst_core.decisions import Decisions
from catalyst_core.depth import DepthCut, shortened
from catalyst_core.events import (
    BEFORE_THE_CUT,
    STOPPED,
    Command,
    Event,
    Finished,
    GroupsFound,
    Noted,
    SettingChanged,
    Stage,
    StageStarted,
)
from catalyst_core.filters import find_groups
from catalyst_core.peers import Network
from catalyst_core.regularizers import Regularizer
from catalyst_core.surgery import remove_filters
from catalyst_core.training import device, methods, recovery
from catalyst_core.training.batches import Batches
from catalyst_core.training.checkpoint import Dense, save_pruned
from catalyst_core.training.control import Control
from catalyst_core.training.dense import DenseStage
from catalyst_core.training.files import Folders
from catalyst_core.training.guard import Guard, Point, Unguarded
from catalyst_core.training.keeper import Keeper
from catalyst_core.training.ledger import Ledger, Scores
from catalyst_core.training.loop import Loop, Training, recalibrate
from catalyst_core.training.network import build_network
from catalyst_core.training.plan import RECALIBRATION_BATCHES, Plan
from catalyst_core.training.probe import CutProbe, RegularizerProbe, measured_event, pruned_event
from catalyst_core.training.teller import Teller

CPU = torch.device("cpu")
CERTIFICATE_IMAGES = 1000  # of the test set, at most


def train(
    config: ContenderConfig,
    emit: Callable[[Event], None],
    commands: Callable[[], list[Command]],
    folders: Folders,
    history: Sequence[SettingChanged] = (),
    committed: Callable[[], None] = lambda: None,
) -> None:
    """Run one contender to its end, from its last checkpoint if it has one, and emit `Finished`.

    `commands` is asked at every step boundary and hands each command over once. A 'stop' during dense training ends
    the run without a cut; during sparse training it settles, cuts and certifies; later it ends with what there is.
    `history`: the changes that were carried out before. `committed()` returns once everything emitted so far is safe.
    A loss that explodes goes back to the last checkpoint and on at half the learning rate, once.
    Writes <run>/checkpoints (see `Keeper`), <run>/pruned.pt (see `load_pruned`) and, unless another contender has,
    <dense>/<key>.pt.
    Trains on the device that $CATALYST_DEVICE names.
    Raises `ConfigError` where there is no such device, `DataError` for images that cannot be read and `DivergedError` when
    the loss explodes again.
    """
    Contender(config, emit, commands, folders, device=device.chosen(), history=history, committed=committed).run()


class Contender:
    """One run, and the state that its stages hand on.

    `before_sparse` is called with this object when it holds the dense network, before anything is done to it.
    """

    def __init__(
        self,
        config: ContenderConfig,
        emit: Callable[[Event], None],
        commands: Callable[[], list[Command]],
        folders: Folders,
        before_sparse: "Callable[[Contender], None]" = lambda contender: None,
        *,
        device: torch.device = CPU,
        history: Sequence[SettingChanged] = (),
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self.before_sparse, self.device = before_sparse, device
        self.config, self.folders, self.committed = config, folders, committed
        self.tell = Teller(emit)
        self.splits = load_data(config.data)
        built = build_network(config, self.splits)
        self.recipe, self._images, self._notes = built.recipe, built.images, built.notes
        # Convolutions on a CPU take a quarter to a half less time in this layout, and mean the same.
        self.model = built.model.to(memory_format=torch.channels_last)
        self.example = self.splits.test_x[:1]
        self.groups = find_groups(self.model, self.example, magnitude=config.method.magnitude)
        self.control = Control(config, emit, commands, history)
        batches = Batches(self.splits, config.data.batch_size, config.seed, config.data.augment)
        self.network = Network(self.model, self.example, batches.per_epoch)
        self.plan = Plan.of(config, batches.per_epoch, len(self.splits.val_y))
        self.loop = Loop(self.plan, batches, self.splits, config.schedule.momentum, self.control, self.tell)
        self.ledger = Ledger(config)
        self.decisions: Decisions | None = None
        self.after: int | None = None  # blocks that a depth cut keeps
        self.guard: Guard | Unguarded = Unguarded(self.loop)

    def run(self) -> None:
        """All stages; see `train`."""
        keeper = Keeper(self.folders.run / "checkpoints", self.folders.no_room)
        self.guard = guard = Guard(keeper, self.loop, self.tell, self.committed, self._own_state, self._identity)
        point = guard.latest()
        if point is None or point.stage != "finetune":
            regularizer = self.decide(point)
            if regularizer is None:
                self._finished({})
                return
            self._prune(regularizer)
            self._recalibrate()
            point = None
        self._finetune(point)
        trained = self.loop.seconds - self.dense_seconds
        self._finished(self.ledger.row(trained, self.loop.taken, self.control.stopping))
        if not self.control.stopping:
            guard.forget()

    def decide(self, point: Point | None = None) -> Regularizer | None:
        """Everything in front of the cut, from a checkpoint if there is one: the regularizer that knows what goes.

        `self.initial` are the (C,) magnitudes then that sparse training began with. None: stopped before there was a
        dense network.
        """
        # The settings in force, and what a plain magnitude cut would do: the second is what dense training is watched with.
        names = (self.config.method.name, "none")
        settings, watcher = (methods.watching(self.config, self.groups, name, self.network) for name in names)
        self.control.regularizers = [settings, watcher]
        self.model.to(self.device)
        if point is None:
            self._introduce()
            stage = DenseStage(self.config, self.folders, self._images, self.loop, self.tell, self.committed)
            dense = stage.get(self.model, watcher)
            if dense is None or self.control.stopping:
                return None
            self._adopt(dense)
            self.before_sparse(self)
            self.initial = watcher.measure().magnitudes
        return self._sparse(settings, point)

    def _introduce(self) -> None:
        for note in (*self.splits.notes, *self._notes):
            self.tell(Noted(step=0, text=note))
        sizes = tuple(group.size for group in self.groups)
        self.tell(GroupsFound(step=0, names=tuple(g.name for g in self.groups), sizes=sizes, skipped=self.groups.skipped))

    def _adopt(self, dense: Dense) -> None:
        self.model.load_state_dict(dense.state)
        self.loop.begin_after(dense.seconds)
        self.dense_seconds = dense.seconds
        self.tell.begin("adopted")
        if dense.note:
            self.tell(Noted(step=self.loop.step, text=dense.note))
        self._tell_scores("dense", Scores(dense.test, dense.validation))

    def _sparse(self, settings: Regularizer, point: Point | None) -> Regularizer:
        """Train with the regularizer."""
        if not self.plan.sparse:
            if self.config.method.canonicalize:
                text = f"the canonical form has no effect on {self.config.method.name}, which is cut at once"
                self.tell(Noted(step=self.loop.step, text=text))
            return settings
        if point is None:
            regularizer = self._begin_sparse(settings)
        else:
            self._load_own_state(point.state["own"])
            self.model.load_state_dict(point.state["model"])
            regularizer = methods.training(self.config, self.groups, settings, self.plan.sparse, self.network)
        self.control.regularizers = [regularizer]
        parameters = regularizer.parameter_groups(self.model, self.config.schedule.weight_decay)
        training = Training(self.model, RegularizerProbe(regularizer), self.loop.optimizer(parameters), regularizer)
        self._train("sparse", training, self.plan.dense + self.plan.sparse, point)
        self.guard.keep("sparse", training, STOPPED if self.control.stopping else BEFORE_THE_CUT)
        return regularizer

    def _begin_sparse(self, settings: Regularizer) -> Regularizer:
        self._stage("sparse", self.plan.sparse)
        if self.config.method.canonicalize:
            # What it was before: decisions are judged by these magnitudes.
            self.tell(measured_event(self.control.regularizers[1].measure(), self.loop.step, "sparse"))
            report = canonicalize(self.model, self.groups)
            self.tell(Noted(step=self.loop.step, text=f"canonical form: {report}"))
        regularizer = methods.training(self.config, self.groups, settings, self.plan.sparse, self.network)
        self.tell(measured_event(regularizer.measure(), self.loop.step, "sparse"))
        return regularizer

    def _prune(self, regularizer: Regularizer) -> None:
        """Decide, cut, certify; `self.model` is the smaller network afterwards."""
        self.tell.begin("cut")
        self._tell_scores("sparse" if self.plan.sparse else "dense", Scores(*self.loop.scores(self.model)), column="sparse")
        self.control.regularizers = []
        self._stage("prune", 0)
        self.model.to(CPU)
        measurement, undecided = regularizer.measure(), regularizer.undecided
        self.tell(measured_event(measurement, self.loop.step, "prune", decided=True))
        if undecided:
            text = f"{undecided} undecided channels were settled by the sign of their margin"
            self.tell(Noted(step=self.loop.step, text=text))
        regularizer.settle()
        self.decisions = regularizer.decisions()
        if isinstance(regularizer, DepthCut):
            self.after = regularizer.after
            self.tell(Noted(step=self.loop.step, text=regularizer.said))
        smaller = self._smaller()
        certificate = certify(self.model, smaller, self.splits.test_x[:CERTIFICATE_IMAGES])
        self.tell(pruned_event(self.decisions, certificate, self.loop.step))
        self.ledger.cut(self.model, smaller, self.example, certificate)
        self.ledger.decided(self.groups, regularizer, self.initial, measurement, undecided)
        self.model, self.magnitudes = smaller.to(self.device), measurement.magnitudes
        self._tell_scores("prune", Scores(*self.loop.scores(self.model)), column="post_prune")
        self._save_pruned()

    def _smaller(self) -> nn.Module:
        """The network that the cut leaves of `self.model`."""
        if self.after is not None:
            return shortened(self.model, self.example, after=self.after, seed=self.config.seed)
        assert self.decisions is not None
        return remove_filters(self.model, self.example, self.decisions)

    def _recalibrate(self) -> None:
        if not self.config.schedule.recalibrate or self.control.poll(self.loop.step):
            return
        self._stage("recalibrate", 0)
        count = min(RECALIBRATION_BATCHES, self.plan.per_epoch)
        recalibrate(self.model, self.loop.batches, count, lambda: self.control.poll(self.loop.step))
        self._tell_scores("recalibrate", Scores(*self.loop.scores(self.model)), column="recalibrated")
        self._save_pruned()

    def _finetune(self, point: Point | None) -> None:
        """The last column is the final network's accuracy, also where fine-tuning has no steps."""
        if point is not None:
            self._load_own_state(point.state["own"])
            self.model = self._smaller()
        elif self.control.poll(self.loop.step):
            return
        elif self.plan.finetune:
            self._stage("finetune", self.plan.finetune)
        before = self.loop.taken.get("finetune", 0)
        if self.plan.finetune:
            groups = find_groups(self.model.to(CPU), self.example, magnitude=self.config.method.magnitude)
            self.model.to(self.device)
            trained = recovery.prepared(self.model, self.config.method.recovery, self.config.seed)
            probe = CutProbe(groups, self.decisions, self.magnitudes, lambda: recovery.bring_home(trained, self.model))
            parameters = recovery.parameters(trained)
            self.ledger.tuned(parameters)
            decayed = [{"params": parameters, "weight_decay": self.config.schedule.weight_decay}]
            training = Training(trained, probe, self.loop.optimizer(decayed))
            self._train("finetune", training, self.plan.total, point)
            recovery.bring_home(trained, self.model)
            if self.control.stopping:
                self.guard.keep("finetune", training, STOPPED)
        if self.loop.taken.get("finetune", 0) > before or not self.plan.finetune:
            self._tell_scores("finetune", Scores(*self.loop.scores(self.model)), column="finetuned")
            self._save_pruned()

    def _train(self, stage: Stage, training: Training, until: int, point: Point | None) -> None:
        if point is not None:
            assert isinstance(self.guard, Guard)
            self.guard.go_on(point, training)
        self.guard.train(stage, training, until)

    # checkpoints

    @property
    def _identity(self) -> str:
        """A fork differs from its origin in nothing but its name."""
        method = self.config.method.model_copy(update={"variant": ""})
        return self.config.model_copy(update={"method": method}).model_dump_json()

    def _own_state(self) -> dict[str, Any]:
        """What a checkpoint has to hold of this object itself."""
        own = {"ledger": self.ledger.state(), "dense_seconds": self.dense_seconds, "initial": torch.from_numpy(self.initial)}
        if self.decisions is not None:
            own |= {"kept": self.decisions.kept, "magnitudes": torch.from_numpy(self.magnitudes), "after": self.after}
        return own

    def _load_own_state(self, own: dict[str, Any]) -> None:
        self.ledger.load_state(own["ledger"])
        self.dense_seconds, self.initial = own["dense_seconds"], own["initial"].numpy()
        if "kept" in own:
            self.decisions, self.magnitudes = Decisions(kept=own["kept"], undecided=0), own["magnitudes"].numpy()
            self.after = own.get("after")

    # small things

    def _stage(self, stage: Stage, steps: int) -> None:
        self.tell.begin(stage)
        self.tell(StageStarted(step=self.loop.step, stage=stage, steps=steps, total_steps=self.plan.total))

    def _tell_scores(self, stage: Stage, scores: Scores, column: str = "dense") -> None:
        self.loop.tell_score(stage, "test", scores.test)
        self.loop.tell_score(stage, "validation", scores.validation)
        self.ledger.scores[column] = scores

    def _save_pruned(self) -> None:
        recipe = self.recipe | {"magnitude": self.config.method.magnitude, "after": self.after}
        if self.splits.seen is not None:
            recipe["images"] = asdict(self.splits.seen)
        save_pruned(self.folders.run / "pruned.pt", self.model, self.decisions, recipe, self.folders.no_room)

    def _finished(self, ledger: dict[str, Any]) -> None:
        self.tell.aside(Finished(step=self.loop.step, ledger=ledger, stopped=self.control.stopping))
        self.committed()
