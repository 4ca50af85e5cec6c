"""The honest row at the end of a run: accuracies around the cut, what the network costs, what the cut changed."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from catalyst_core import audits, cost
from catalyst_core.catalog import METHODS
from catalyst_core.certificate import Certificate
from catalyst_core.config import ContenderConfig
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers import Measurement, Regularizer
from catalyst_core.regularizers.bank import Vector
from catalyst_core.training.checkpoint import Score

COLUMNS = ("dense", "sparse", "post_prune", "recalibrated", "finetuned")
SPLITS = ("test", "validation")  # the fields of Scores
BIAS_DRAWS = 500  # bootstrap draws of the magnitude bias


@dataclass(frozen=True)
class Scores:
    """What one network reached."""

    test: Score
    validation: Score


@dataclass
class Ledger:
    """Collects a run's row; `scores` maps a column to what was measured, and lacks what a stopped run did not reach."""

    config: ContenderConfig
    scores: dict[str, Scores] = field(default_factory=dict)
    _facts: dict[str, Any] = field(default_factory=dict)

    def cut(self, before: nn.Module, after: nn.Module, example: torch.Tensor, certificate: Certificate) -> None:
        """Note what both networks cost (one image a batch) and how far their functions are apart."""
        old, new = cost.count(before, example), cost.count(after, example)
        self._facts |= {
            "macs": new.macs,
            "macs_dense": old.macs,
            "params": new.params,
            "params_dense": old.params,
            "bytes": new.bytes,
            "bytes_dense": old.bytes,
            "latency_ms": 1000 * cost.latency(after, example),
            "latency_ms_dense": 1000 * cost.latency(before, example),
            "max_abs_logit_change": certificate.max_abs_logit_change,
            "max_abs_logit_change_float32": certificate.max_abs_logit_change_float32,
            "changed_predictions": certificate.changed_predictions,
        }

    def decided(
        self, groups: list[FilterGroup], regularizer: Regularizer, initial: Vector, final: Measurement, undecided: int
    ) -> None:
        """Note how clear the decision was, and whether it depends on the (C,) magnitudes that sparse training began with."""
        index = np.repeat(np.arange(len(groups)), [group.size for group in groups])
        bias = audits.magnitude_bias(initial, final.kept, index, draws=BIAS_DRAWS, seed=self.config.seed)
        method = self.config.method
        self._facts |= {
            "channels_pruned": int((~final.kept).sum()),
            "channels_total": len(final.kept),
            "undecided": undecided,
            "decision_gap": audits.decision_gap(final.magnitudes, final.kept, index),
            "magnitude_bias": bias.correlation,
            "magnitude_bias_low": bias.low,
            "magnitude_bias_high": bias.high,
            "strength": None if METHODS[method.name].strength is None else regularizer.strength,
            "pruning_ratio": None if method.start_ratio is not None else regularizer.pruning_ratio,
            "regularizer_seconds": regularizer.seconds,
        }

    def tuned(self, parameters: Sequence[nn.Parameter]) -> None:
        """Note how many numbers fine-tuning trains."""
        self._facts["trained_params"] = sum(parameter.numel() for parameter in parameters)

    def state(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        return {"scores": {column: asdict(scores) for column, scores in self.scores.items()}, "facts": dict(self._facts)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where the ledger was that this is the state of."""
        self.scores = {column: Scores(*(Score(**one[split]) for split in SPLITS)) for column, one in state["scores"].items()}
        self._facts = dict(state["facts"])

    def row(self, train_seconds: float, steps: dict[str, int], stopped: bool) -> dict[str, Any]:
        """The row; None where nothing was measured or the number does not exist. `steps`: taken in each stage."""
        method = self.config.method
        row = {"method": method.name, "label": method.label, "seed": self.config.seed, "solver": method.solver}
        for column in COLUMNS:
            row[f"{column}_accuracy"] = self.scores[column].test.accuracy if column in self.scores else None
        row |= {"recovery": method.recovery, "trained_params": 0}
        row |= self._facts | {"train_seconds": train_seconds, "stopped": stopped}
        row |= {f"{stage}_steps": steps.get(stage, 0) for stage in ("dense", "sparse", "finetune")}
        row["validation"] = {column: scores.validation.accuracy for column, scores in self.scores.items()}
        return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
