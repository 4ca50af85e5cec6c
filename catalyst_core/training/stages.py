"""The stages of a contender: dense -> sparse -> prune -> recalibrate -> finetune.

All contenders fork from one dense checkpoint, see the same batches in the same order and take the same number of steps.
A method without a strength (`none`, `random`) is cut at once and takes its sparse steps as fine-tuning.
"""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catalyst_core.canonical import canonicalize
from catalyst_core.certificate import certify
from catalyst_core.config import ContenderConfig
from catalyst_core.data import load_data
from catalyst_core.events import Command, Event, Finished, GroupsFound, Noted, Pruned, Stage, StageStarted
from catalyst_core.filters import find_groups
from catalyst_core.groups import decay_groups
from catalyst_core.models import build_model
from catalyst_core.regularizers import Measurement, Regularizer, build_regularizer
from catalyst_core.surgery import remove_filters
from catalyst_core.training.batches import Batches
from catalyst_core.training.checkpoint import Dense, Folders, Score, load_dense, save, save_dense, save_pruned, try_lock
from catalyst_core.training.control import PAUSE_SECONDS, Control
from catalyst_core.training.ledger import Ledger, Scores
from catalyst_core.training.loop import Loop, recalibrate
from catalyst_core.training.plan import RECALIBRATION_BATCHES, Plan
from catalyst_core.training.probe import CutProbe, RegularizerProbe, measured_event

CERTIFICATE_IMAGES = 1000  # of the test set, at most


def train(
    config: ContenderConfig, emit: Callable[[Event], None], commands: Callable[[], list[Command]], folders: Folders
) -> None:
    """Run one contender to its end and emit `Finished`.

    `commands` is asked at every step boundary and hands each command over once. A 'stop' during dense training ends
    the run without a cut; during sparse training it settles, cuts and certifies; later it ends with what there is.
    Writes <run>/sparse.pt (the network that was cut), <run>/pruned.pt (see `load_pruned`) and, unless another
    contender has, <dense>/<key>.pt.
    Raises `DataError` for images that cannot be read and `DivergedError` when the loss is no longer finite.
    """
    Contender(config, emit, commands, folders).run()


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
    ) -> None:
        self.before_sparse = before_sparse
        self.config, self.emit, self.folders = config, emit, folders
        self.splits = load_data(config.data)
        self.recipe = {
            "name": config.model,
            "channels": self.splits.channels,
            "size": self.splits.size,
            "classes": len(self.splits.classes),
            "seed": config.seed,
        }
        self.model = build_model(**self.recipe)
        self.example = self.splits.test_x[:1]
        self.groups = find_groups(self.model, self.example, magnitude=config.method.magnitude)
        self.control = Control(config, emit, commands)
        batches = Batches(self.splits, config.data.batch_size, config.seed, config.data.augment)
        self.plan = Plan.of(config, batches.per_epoch)
        validation = (self.splits.val_x, self.splits.val_y)
        self.loop = Loop(self.plan, batches, validation, config.schedule.momentum, self.control, emit)
        self.ledger = Ledger(config)

    def run(self) -> None:
        """All stages; see `train`."""
        decided = self.decide()
        if decided is None:
            self._finished({})
            return
        self._prune(*decided)
        self._recalibrate()
        self._finetune()
        trained = self.loop.seconds - self.dense_seconds
        self._finished(self.ledger.row(trained, self.loop.taken, self.control.stopping))

    def decide(self) -> tuple[Regularizer, Measurement] | None:
        """Everything in front of the cut: the regularizer that knows what goes, and the filters as sparse training found them.

        None: stopped before there was a dense network.
        """
        for note in self.splits.notes:
            self.emit(Noted(step=0, text=note))
        sizes = tuple(group.size for group in self.groups)
        self.emit(GroupsFound(step=0, names=tuple(g.name for g in self.groups), sizes=sizes, skipped=self.groups.skipped))
        # The settings in force, and what a plain magnitude cut would do: the second is what dense training is watched with.
        settings, watcher = self._regularizer(self.config.method.name), self._regularizer("none")
        self.control.regularizers = [settings, watcher]
        dense = self._dense(watcher)
        if dense is None or self.control.stopping:
            return None
        self._adopt(dense)
        self.before_sparse(self)
        return self._sparse(settings, watcher)

    def _dense(self, watcher: Regularizer) -> Dense | None:
        """The shared dense network, loaded or trained; None: stopped before there was one."""
        path = self.folders.dense / f"{self.config.dense_key()}.pt"
        waiting = False
        while not self.control.poll(0):
            with try_lock(path) as ours:
                dense = load_dense(path, self.splits, self.model)
                if waiting and (dense or ours):
                    self.emit(Noted(step=0, text=f"dense network: {'loaded' if dense else 'trained here'}"))
                elif not waiting:
                    unfinished = "" if ours else "waiting for the dense network that another contender is training"
                    self._stage("dense", self.plan.dense, "loaded from the cache" if dense else unfinished)
                    if not dense:
                        self.emit(measured_event(watcher.measure(), 0, "dense"))
                if dense or ours:
                    return dense or self._train_dense(path, watcher)
            waiting = True
            time.sleep(PAUSE_SECONDS)
        return None

    def _train_dense(self, path: Path, watcher: Regularizer) -> Dense | None:
        decayed = [{"params": list(self.model.parameters()), "weight_decay": self.config.schedule.weight_decay}]
        if self.loop.run("dense", self.model, RegularizerProbe(watcher), self.plan.dense, decayed):
            return None
        dense = Dense(copy.deepcopy(self.model.state_dict()), self.loop.seconds, *self._scores())
        save_dense(path, dense, self.splits)
        return dense

    def _adopt(self, dense: Dense) -> None:
        self.model.load_state_dict(dense.state)
        self.loop.step = self.loop.taken["dense"] = self.plan.dense
        self.loop.seconds = self.dense_seconds = dense.seconds
        self._tell("dense", Scores(dense.test, dense.validation))

    def _sparse(self, settings: Regularizer, watcher: Regularizer) -> tuple[Regularizer, Measurement]:
        """Train with the regularizer. Returns it with the first measurement: the magnitudes that decisions are judged by."""
        initial = watcher.measure()
        if not self.plan.sparse:
            if self.config.method.canonicalize:
                text = f"the canonical form has no effect on {self.config.method.name}, which is cut at once"
                self.emit(Noted(step=self.loop.step, text=text))
            return settings, initial
        self._stage("sparse", self.plan.sparse)
        if self.config.method.canonicalize:
            self.emit(measured_event(initial, self.loop.step, "sparse"))
            report = canonicalize(self.model, self.groups)
            self.emit(Noted(step=self.loop.step, text=f"canonical form: {report}"))
        regularizer = self._regularizer(self.config.method.name, settings)
        self.control.regularizers = [regularizer]
        self.emit(measured_event(regularizer.measure(), self.loop.step, "sparse"))
        parameters = decay_groups(self.model, self.groups, self.config.schedule.weight_decay)
        self.loop.run("sparse", self.model, RegularizerProbe(regularizer), self.plan.sparse, parameters, regularizer)
        return regularizer, initial

    def _prune(self, regularizer: Regularizer, initial: Measurement) -> None:
        """Decide, cut, certify; `self.model` is the smaller network afterwards."""
        self._tell("sparse" if self.plan.sparse else "dense", Scores(*self._scores()), column="sparse")
        self.control.regularizers = []
        self._stage("prune", 0)
        measurement, undecided = regularizer.measure(), regularizer.undecided
        self.emit(measured_event(measurement, self.loop.step, "prune", decided=True))
        if undecided:
            text = f"{undecided} undecided channels were settled by the sign of their margin"
            self.emit(Noted(step=self.loop.step, text=text))
        regularizer.settle()
        decisions = regularizer.decisions()
        save(self.folders.run / "sparse.pt", {"state": self.model.state_dict()})
        smaller = remove_filters(self.model, self.example, decisions)
        certificate = certify(self.model, smaller, self.splits.test_x[:CERTIFICATE_IMAGES])
        self.emit(
            Pruned(
                step=self.loop.step,
                widths=decisions.widths,
                max_abs_logit_change=certificate.max_abs_logit_change,
                max_abs_logit_change_float32=certificate.max_abs_logit_change_float32,
                changed_predictions=certificate.changed_predictions,
                images=certificate.images,
            )
        )
        self.ledger.cut(self.model, smaller, self.example, certificate)
        self.ledger.decided(self.groups, regularizer, initial, measurement, undecided)
        self.model, self.decisions, self.magnitudes = smaller, decisions, measurement.magnitudes
        self._tell("prune", Scores(*self._scores()), column="post_prune")
        self._save_pruned()

    def _recalibrate(self) -> None:
        if not self.config.schedule.recalibrate or self.control.poll(self.loop.step):
            return
        self._stage("recalibrate", 0)
        count = min(RECALIBRATION_BATCHES, self.plan.per_epoch)
        recalibrate(self.model, self.loop.batches, count, lambda: self.control.poll(self.loop.step))
        self._tell("recalibrate", Scores(*self._scores()), column="recalibrated")
        self._save_pruned()

    def _finetune(self) -> None:
        """The last column is the final network's accuracy, also where fine-tuning has no steps."""
        if self.control.poll(self.loop.step):
            return
        first = self.loop.step
        if self.plan.finetune:
            self._stage("finetune", self.plan.finetune)
            groups = find_groups(self.model, self.example, magnitude=self.config.method.magnitude)
            probe = CutProbe(groups, self.decisions, self.magnitudes)
            decayed = [{"params": list(self.model.parameters()), "weight_decay": self.config.schedule.weight_decay}]
            self.loop.run("finetune", self.model, probe, self.plan.finetune, decayed)
        if self.loop.step > first or not self.plan.finetune:
            self._tell("finetune", Scores(*self._scores()), column="finetuned")
            self._save_pruned()

    def _regularizer(self, name: str, settings: Regularizer | None = None) -> Regularizer:
        """A regularizer of these groups; with `settings`, the one for sparse training, with the settings now in force."""
        method = self.config.method
        strength = settings.strength if settings else method.strength if name == method.name else None
        if method.start_ratio is not None and name == method.name:
            budget: dict[str, Any] = {"start_ratio": method.start_ratio}
        else:
            unit = "pruning_ratio" if self.config.macs_ratio is None else "macs_ratio"
            budget = {unit: getattr(settings or self.config, unit)}
            budget |= {"allocation": method.allocation, "keep_at_least": method.keep_at_least}
        return build_regularizer(
            name,
            self.groups,
            **budget,
            strength=strength,
            solver=method.solver,
            total_steps=self.plan.sparse if settings else None,
            generator_seed=self.config.seed,
        )

    def _stage(self, stage: Stage, steps: int, note: str = "") -> None:
        total = self.plan.total
        self.emit(StageStarted(step=self.loop.step, stage=stage, steps=steps, total_steps=total, note=note))

    def _scores(self) -> tuple[Score, Score]:
        splits, loop = self.splits, self.loop
        test = loop.evaluate(self.model, splits.test_x, splits.test_y)
        return test, loop.evaluate(self.model, splits.val_x, splits.val_y)

    def _tell(self, stage: Stage, scores: Scores, column: str = "dense") -> None:
        self.loop.tell_score(stage, "test", scores.test)
        self.loop.tell_score(stage, "validation", scores.validation)
        self.ledger.scores[column] = scores

    def _save_pruned(self) -> None:
        recipe = self.recipe | {"magnitude": self.config.method.magnitude}
        save_pruned(self.folders.run / "pruned.pt", self.model, self.decisions, recipe)

    def _finished(self, ledger: dict[str, Any]) -> None:
        self.emit(Finished(step=self.loop.step, ledger=ledger, stopped=self.control.stopping))
