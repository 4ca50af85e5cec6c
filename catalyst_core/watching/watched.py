"""What a loop of somebody's own says of itself, as the events of a run.

Watching never ends a training and never holds it up: the store is waited for by a thread, a look at the filters that fails
is the last one, and only wrong arguments raise.
"""

import logging
import math
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from catalyst_core.certificate import Certificate, certify
from catalyst_core.decisions import Decisions
from catalyst_core.engine.channel import Guest
from catalyst_core.engine.heartbeat import LOG_LINES
from catalyst_core.engine.worker import failure_reason
from catalyst_core.errors import ConfigError, shown
from catalyst_core.events import Evaluated, Failed, Finished, GroupsFound, Noted, Stage, StageStarted, StepLogged
from catalyst_core.filters import find_groups
from catalyst_core.finite import finite
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers import Measurement, Regularizer
from catalyst_core.store import RunInfo
from catalyst_core.training.checkpoint import Score
from catalyst_core.training.ledger import COLUMNS, SPLITS, Ledger, Scores
from catalyst_core.training.probe import CutProbe, Probe, RegularizerProbe, measured_event, pruned_event
from catalyst_core.watching.pace import Pace, Tally, as_float, as_share
from catalyst_core.watching.steered import Steered
from catalyst_core.watching.unwatched import on_cpu
from catalyst_core.watching.voice import Voice

SCORED: dict[str, str] = {  # stage -> column of the ledger that an accuracy in it is of
    "dense": "dense",
    "sparse": "sparse",
    "prune": "post_prune",
    "recalibrate": "recalibrated",
    "finetune": "finetuned",
}
UNCUT: tuple[Stage, ...] = ("dense", "sparse")  # what a loop may call its stages before the cut ...
CUT: tuple[Stage, ...] = ("recalibrate", "finetune")  # ... and after it
UNKNOWN = Scores(Score(math.nan, math.nan), Score(math.nan, math.nan))
NO_LEDGER = "nothing was cut (Watched.pruned), so there is no ledger"
LONGEST = 300  # characters of a reason

log = logging.getLogger(__name__)


class Watched:
    """One run of the store, for as long as the block of `watch` takes."""

    def __init__(
        self, line: Guest, run: RunInfo, groups: Sequence[FilterGroup], reg: Regularizer, learning_rate: float | None
    ) -> None:
        self.race_id = run.race_id
        self._groups, self._reg = list(groups), reg
        self._voice = Voice(line)
        self._steered = Steered(self._voice, run.config, reg, learning_rate)
        self._ledger = Ledger(run.config)
        self._probe: Probe | None = RegularizerProbe(reg)  # None: a look has failed
        self._pace, self._tally = Pace(), Tally()
        self._step = self._regularized = reg.steps  # the second: as of the last step that was told
        self._total = 0  # not known
        self._stage: Stage | None = None
        self._taken: dict[str, int] = {}  # steps in each stage
        self._rate, self._epoch, self._began = 0.0, 0.0, time.perf_counter()
        self._initial = reg.measure()
        sizes, skipped = tuple(group.size for group in groups), getattr(groups, "skipped", {})
        self._voice.say(GroupsFound(step=self._step, names=tuple(one.name for one in groups), sizes=sizes, skipped=skipped))

    # for the loop

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked the loop to stop, which is up to it; in distributed training only rank 0 knows."""
        return self._steered.stopping

    def step(
        self,
        loss: float | Tensor | None = None,
        accuracy: float | Tensor | None = None,
        learning_rate: float | None = None,
        epoch: float | None = None,
    ) -> None:
        """Once after every optimizer step, the regularizer's included: what came of the batch, and where training is.

        `accuracy` 0..1 of the batch; `epoch`: passes over the training data so far. What is left out is not shown. Looks at
        the filters and writes once a second at most, and for a hundredth of the time. Strength and budget that were set in the
        dashboard act on the regularizer from here on. Raises `ConfigError` for a loss or an accuracy that is not one number.
        """
        if self._stage is None:
            self._begin("sparse", self._planned)
            self._voice.say(measured_event(self._initial, self._step, "sparse"))
        elif self._stage in ("prune", "recalibrate"):
            self.stage("finetune")
        self._tally.loss.add(loss)
        self._tally.accuracy.add(accuracy)
        self._tally.steps += 1
        self._step += 1
        self._regularized = self._reg.steps
        self._taken[str(self._stage)] = self._taken.get(str(self._stage), 0) + 1
        if learning_rate is not None:
            self._rate = as_float("learning_rate", learning_rate)
        if epoch is not None:
            self._epoch = as_float("epoch", epoch)
        if self._voice.has_news:
            self._safely(lambda: self._steered.act(self._step, self._rate))
        if self._pace.is_due:
            self._safely(self._tell)

    def stage(self, name: str, steps: int | None = None) -> None:
        """A stage begins: dense or sparse, and behind the cut recalibrate or finetune, of so many steps if that is known.

        Sparse, and fine-tuning behind the cut, begin by themselves with the next step. Catalyst is to be built when sparse
        training begins, so watching it begins there, too. Raises `ConfigError` for another name.
        """
        allowed = CUT if self._is_cut else UNCUT
        if name not in allowed:
            when = "behind" if self._is_cut else "in front of"
            raise ConfigError(f"stage {shown(name)}: {when} the cut it is one of {', '.join(allowed)}")
        self._safely(self._tell)
        found = next(one for one in allowed if one == name)
        usual = self._planned if found == "sparse" else 0
        self._begin(found, usual if steps is None else steps)
        if found == "sparse":
            self._safely(self._look_anew)

    def evaluated(self, accuracy: float, loss: float = math.nan, split: str = "validation") -> None:
        """What the network scores (0..1) on "validation" images, for the curves, or on "test" images, for the ledger.

        The last score of each stage stands in the ledger; before the first step it is the dense network's. Raises
        `ConfigError` for an accuracy outside 0..1 or another split.
        """
        if split not in SPLITS:
            raise ConfigError(f"split must be one of {', '.join(SPLITS)}, not {shown(split)}")
        stage = self._stage or "dense"
        score = Score(as_share("accuracy", accuracy), as_float("loss", loss))
        self._score(SCORED[stage], split, score)
        self._voice.say(Evaluated(step=self._step, stage=stage, split=split, accuracy=score.accuracy, loss=score.loss))

    def pruned(self, before: nn.Module, after: nn.Module, inputs: Tensor) -> Certificate:
        """The network was cut by `reg.decisions()`: certifies that on `inputs` (N, ...) and counts what both networks cost.

        On copies on the CPU, where their latency is measured, too; that takes seconds for a large network. Raises `ConfigError`
        where `after` is not what these decisions leave of `before`, and where there was a cut already.
        """
        if self._is_cut:
            raise ConfigError("the network has been cut already: a run has one cut")
        old, new, images = on_cpu(before, after, inputs)
        self._safely(self._tell)
        measurement, decisions, undecided = self._reg.measure(), self._reg.decisions(), self._reg.undecided
        left = self._left(after, inputs, decisions)
        self._begin("prune", 0)
        self._voice.say(measured_event(measurement, self._step, "prune", decided=True))
        certificate = certify(old, new, images)
        self._voice.say(pruned_event(decisions, certificate, self._step))
        self._ledger.cut(old, new, images[:1], certificate)
        self._ledger.decided(self._groups, self._reg, self._initial.magnitudes, measurement, undecided)
        self._probe = CutProbe(left, decisions, measurement.magnitudes)
        self._steered.cut()
        return certificate

    def finish(self, **scores: float) -> None:
        """The run is at its end; leaving the block does the same. `scores`: test accuracies for the ledger, by their column.

        Columns: dense, sparse, post_prune, recalibrated, finetuned. Raises `ConfigError` for another one, or what is no share.
        """
        for name, accuracy in scores.items():
            if name not in COLUMNS:
                raise ConfigError(f"{shown(name)} is no column of the ledger: one of {', '.join(COLUMNS)}")
            self._score(name, "test", Score(as_share(name, accuracy), math.nan))
        if not self._voice.is_over:
            self._safely(self._tell)
            self._finished(self.stopping)

    def end(self, error: BaseException) -> None:
        """The block was left by an exception: Ctrl-C is a stop, anything else a failure. Raises nothing."""
        if self._voice.is_over:
            return
        self._safely(self._tell)
        if isinstance(error, KeyboardInterrupt | GeneratorExit) or (isinstance(error, SystemExit) and not error.code):
            self._safely(lambda: self._finished(True))
            return
        lines = "".join(traceback.format_exception(error)).splitlines()[-LOG_LINES:]
        self._voice.say(Failed(step=self._step, reason=_one_line(error), log_tail="\n".join(lines)))
        self._voice.is_over = True

    # what it says

    @property
    def _is_cut(self) -> bool:
        return isinstance(self._probe, CutProbe) or self._stage in ("prune", *CUT)

    def _begin(self, stage: Stage, steps: int) -> None:
        if steps:
            self._total = self._step + steps + (self._planned if stage == "dense" else 0)
        self._stage = stage
        self._voice.say(StageStarted(step=self._step, stage=stage, steps=steps, total_steps=self._total))

    @property
    def _planned(self) -> int:
        """The steps that the regularizer will still take; 0: not known."""
        total = getattr(getattr(self._reg, "settings", None), "total_steps", None)
        return max(0, total - self._regularized) if total else 0

    def _look_anew(self) -> None:
        """What sparse training begins with: decisions are judged by these magnitudes."""
        self._initial = self._reg.measure()
        self._voice.say(measured_event(self._initial, self._step, "sparse"))

    def _tell(self) -> None:
        """The numbers since the last time, and a look at every filter."""
        if self._voice.is_over or self._voice.is_behind or self._probe is None:
            return
        start = time.perf_counter()
        self._steered.act(self._step, self._rate)
        if self._tally.steps and self._stage is not None:
            with torch.no_grad():
                measurement = self._probe.measure()
                self._voice.say(self._logged(self._stage, self._probe, measurement))
            self._voice.say(measured_event(measurement, self._step, self._stage))
        self._pace.took(time.perf_counter() - start)

    def _logged(self, stage: Stage, probe: Probe, measurement: Measurement) -> StepLogged:
        tally, self._tally = self._tally, Tally()
        return StepLogged(
            step=self._step,
            stage=stage,
            epoch=self._epoch,
            seconds=time.perf_counter() - self._began,
            loss=tally.loss.take(),
            accuracy=tally.accuracy.take(),
            penalty=probe.penalty(),
            strength=probe.strength(),
            learning_rate=self._rate,
            share_pruned=measurement.share_pruned,
        )

    def _score(self, column: str, split: str, score: Score) -> None:
        scores = self._ledger.scores
        scores[column] = replace(scores.get(column, UNKNOWN), **{split: score})

    def _left(self, after: nn.Module, inputs: Tensor, decisions: Decisions) -> list[FilterGroup]:
        """The groups of the smaller network. Raises `ConfigError` where it does not have the channels that were to stay."""
        example = inputs[:2].to(next(after.parameters()).device)
        found = find_groups(after, example, magnitude=self._groups[0].kind)
        for group in found:
            if group.name in decisions.kept and (kept := int(decisions.kept[group.name].sum())) != group.size:
                raise ConfigError(
                    f"after has {group.size} channels in group {group.name!r}, and reg.decisions() keeps {kept}: "
                    "give what remove_filters(before, example_inputs, reg.decisions()) returns"
                )
        return list(found)

    def _finished(self, stopped: bool) -> None:
        if self._stage is not None and self._total < self._step:  # it was not known, or longer than planned
            self._total = self._step
            taken = self._taken.get(self._stage, 0)
            self._voice.say(StageStarted(step=self._step, stage=self._stage, steps=taken, total_steps=self._total))
        row = finite(self._ledger.row(time.perf_counter() - self._began, self._taken, stopped)) if self._is_cut else {}
        if not row:
            self._voice.say(Noted(step=self._step, text=NO_LEDGER))
        self._voice.say(Finished(step=self._step, ledger=row, stopped=stopped))
        self._voice.is_over = True

    def _safely(self, act: Callable[[], None]) -> None:
        """Whatever goes wrong in there, the training goes on; nothing more is measured of it."""
        try:
            act()
        except Exception as error:
            log.warning("nothing more is measured of this training", exc_info=error)
            self._probe = None
            self._voice.say(Noted(step=self._step, text=f"nothing more is measured: {_one_line(error)}"))


def _one_line(error: BaseException) -> str:
    """Why something failed, in one line."""
    text = failure_reason(error) if str(error) else type(error).__name__
    return " ".join(text.split())[:LONGEST]
