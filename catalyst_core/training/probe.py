"""One look at every filter, before and after the cut, as an event of constant length."""

# C = channels of all groups, concatenated in the order of `GroupsFound`

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from catalyst_core.certificate import Certificate
from catalyst_core.decisions import Decisions
from catalyst_core.events import HISTOGRAM_BINS, HISTOGRAM_DECADES, FiltersMeasured, Pruned, Stage, pack
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers import Measurement, Regularizer

_EDGES = np.logspace(*HISTOGRAM_DECADES, HISTOGRAM_BINS + 1)


@dataclass(frozen=True)
class RegularizerProbe:
    """Looks at a network whose channels are all there."""

    regularizer: Regularizer

    def penalty(self) -> float:
        """The regularizer's R."""
        return float(self.regularizer.penalty().detach())

    def strength(self) -> float:
        """lambda in force."""
        return self.regularizer.current_strength

    def measure(self) -> Measurement:
        """What the regularizer sees now."""
        return self.regularizer.measure()


@dataclass(frozen=True)
class CutProbe:
    """Looks at the smaller network and puts its channels back into their old places; removed ones have magnitude 0.

    A group that cannot be found again, as one of a single channel may not be, keeps its magnitudes at the cut. `refresh` is
    called in front of every look: it brings the network that the groups belong to up to date, where another one is trained.
    """

    groups: list[FilterGroup]  # of the smaller network
    decisions: Decisions
    at_the_cut: np.ndarray  # (C,) magnitudes
    refresh: Callable[[], None] = lambda: None

    def penalty(self) -> float:
        """Nothing is regularized any more."""
        return 0.0

    def strength(self) -> float:
        """Nothing is regularized any more."""
        return 0.0

    def measure(self) -> Measurement:
        """Magnitudes now; every margin is infinite, as every channel is decided."""
        self.refresh()
        masks = [mask.numpy() for mask in self.decisions.kept.values()]
        kept = np.concatenate(masks)
        magnitudes = np.where(kept, self.at_the_cut, 0.0)
        now = {group.name: group.magnitudes().cpu().numpy() for group in self.groups}
        starts = np.cumsum([0, *map(len, masks)])
        for name, start, mask in zip(self.decisions.kept, starts, masks, strict=False):
            if name in now and len(now[name]) == mask.sum():
                magnitudes[start + np.flatnonzero(mask)] = now[name]
        return Measurement(
            magnitudes=magnitudes,
            catalysts=None,
            margins=np.where(kept, np.inf, -np.inf),
            thresholds=(None,) * len(masks),
            kept=kept,
            share_pruned=float(1 - kept.mean()),
        )


Probe = RegularizerProbe | CutProbe


def measured_event(measurement: Measurement, step: int, stage: Stage, decided: bool = False) -> FiltersMeasured:
    """The event of a measurement; magnitudes beyond the histogram's ends are counted in its first and last bin."""
    magnitudes = np.asarray(measurement.magnitudes, dtype=np.float64)
    alive = np.clip(magnitudes[magnitudes > 0], _EDGES[0], _EDGES[-1])
    return FiltersMeasured(
        step=step,
        stage=stage,
        magnitudes=pack(magnitudes),
        catalysts=None if measurement.catalysts is None else pack(measurement.catalysts),
        margins=pack(measurement.margins),
        thresholds=measurement.thresholds,
        histogram=tuple(int(count) for count in np.histogram(alive, _EDGES)[0]),
        zeros=int((magnitudes == 0).sum()),
        decided=decided,
    )


def pruned_event(decisions: Decisions, certificate: Certificate, step: int) -> Pruned:
    """The event of a cut."""
    return Pruned(step=step, widths=decisions.widths, **asdict(certificate))
