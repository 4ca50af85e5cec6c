"""How many steps each stage takes, at which learning rate, and how often a run speaks."""

import math
from dataclasses import dataclass

from catalyst_core.catalog import METHODS
from catalyst_core.config import ContenderConfig

WARMUP = 0.05  # of a cosine: a linear rise to the peak
LOGGED, MEASURED, EVALUATED = 200, 100, 60  # times a run, roughly
VALIDATION_SHARE = 0.1  # of the time of training, at most, for curves of validation accuracy
BACKWARD = 3  # times a forward pass: what a training step takes
RECALIBRATION_BATCHES = 50  # at most


@dataclass(frozen=True)
class Plan:
    """Optimizer steps of the stages. Methods without a strength are cut at once and fine-tune instead of sparse training."""

    dense: int
    sparse: int
    finetune: int
    per_epoch: int
    peak: float  # learning rate
    pause: int = 1  # steps, at least, between two looks at the validation images

    @classmethod
    def of(cls, config: ContenderConfig, per_epoch: int, validation: int = 0) -> "Plan":
        """The plan of a contender whose epochs have `per_epoch` steps, with so many `validation` images."""
        schedule = config.schedule
        assert schedule.dense_epochs is not None
        assert schedule.sparse_epochs is not None
        assert schedule.finetune_epochs is not None
        dense, sparse, finetune = (
            epochs * per_epoch for epochs in (schedule.dense_epochs, schedule.sparse_epochs, schedule.finetune_epochs)
        )
        if METHODS[config.method.name].strength is None:
            sparse, finetune = 0, sparse + finetune
        pause = math.ceil(validation / (BACKWARD * VALIDATION_SHARE * config.data.batch_size))
        return cls(dense, sparse, finetune, per_epoch, schedule.learning_rate, max(1, pause))

    @property
    def total(self) -> int:
        """Steps of the whole run; the same for all contenders of a race."""
        return self.dense + self.sparse + self.finetune

    def learning_rate(self, step: int) -> float:
        """Of the step that follows `step` others: one cosine over dense, one over sparse + finetune, both from the peak."""
        first, length = (0, self.dense) if step < self.dense else (self.dense, self.total - self.dense)
        done, warmup = step - first, max(1, round(WARMUP * length))
        if done < warmup:
            return self.peak * (done + 1) / warmup
        return self.peak * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (length - warmup)))

    def is_logged(self, step: int) -> bool:
        """Whether training numbers are due after `step` steps."""
        return step % max(1, self.total // LOGGED) == 0

    def is_measured(self, step: int) -> bool:
        """Whether a look at every filter is due."""
        return step % max(1, self.total // MEASURED) == 0

    def is_evaluated(self, step: int) -> bool:
        """Whether validation is due: twice an epoch, less often in long runs and where it would take a tenth of the time."""
        return step % max(self.pause, self.per_epoch // 2, self.total // EVALUATED) == 0
