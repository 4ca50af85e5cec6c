"""What a worker may say: the events of a run, each a frozen model. The store's schema number covers them.

Numbers a filter are packed as little-endian float32 bytes, all groups concatenated in the order of `GroupsFound`
(see `pack` and the frames' `unpack`), so that one measurement is one row in the store, not a row a filter.

A contender that was killed goes on from its last checkpoint and says again what it said since. What follows from its
configuration alone carries a `key`, the same each time, and the store keeps the first: nothing is lost or doubled.
"""

import base64
from array import array
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, TypeAdapter

Stage = Literal["dense", "sparse", "prune", "recalibrate", "finetune"]
STAGES: tuple[Stage, ...] = get_args(Stage)
State = Literal["queued", "running", "paused", "stopping", "completed", "stopped", "failed"]
FINISHED_STATES: frozenset[State] = frozenset({"completed", "stopped", "failed"})

# Fixed logarithmic bins of filter magnitudes: 96 from 1e-6 to 1e2, a dozen a decade; exact zeros are counted apart.
HISTOGRAM_DECADES = (-6, 2)
HISTOGRAM_BINS = 96


def _to_bytes(value: Any) -> Any:
    return base64.b64decode(value) if isinstance(value, str) else value


def _to_text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


Vector = Annotated[bytes, BeforeValidator(_to_bytes), PlainSerializer(_to_text, when_used="json")]  # (C,) float32


def pack(values: Iterable[float]) -> bytes:
    """(C,) numbers -> 4 C bytes, little-endian float32."""
    vector = array("f", values)
    return vector.tobytes()


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    step: int = Field(description="optimizer steps since the run began, dense stage included")
    key: str = Field(default="", max_length=60, description="'stage:number', unique in the run; '' for what came from outside")


class GroupsFound(_Event):
    """The filter groups of the network, once, before anything is measured."""

    kind: Literal["groups"] = "groups"
    names: tuple[str, ...]
    sizes: tuple[int, ...] = Field(description="channels in each group")
    skipped: dict[str, str] = Field(default_factory=dict, description="group name -> why it cannot be pruned losslessly")


class StageStarted(_Event):
    """A stage begins; the steps it will take are known."""

    kind: Literal["stage"] = "stage"
    stage: Stage
    steps: int = Field(description="optimizer steps this stage will take")
    total_steps: int = Field(description="optimizer steps of the whole run")
    note: str = Field(default="", description="for a person: 'loaded from the cache', 'waiting for ...'")


class StepLogged(_Event):
    """Training numbers, averaged since the previous one."""

    kind: Literal["step"] = "step"
    stage: Stage
    epoch: float = Field(description="passes over the training data since the run began")
    seconds: float = Field(description="training seconds since the run began")
    loss: float
    accuracy: float = Field(description="of the training batches, 0..1")
    penalty: float = Field(description="the regularizer's R, without strength")
    strength: float = Field(description="lambda in force, ramp included")
    learning_rate: float
    share_pruned: float = Field(description="channels on the pruned side of the decision, 0..1")


class Evaluated(_Event):
    """Accuracy on held-out images: 'validation' while it runs; 'test' only for the ledger."""

    kind: Literal["evaluated"] = "evaluated"
    stage: Stage
    split: Literal["validation", "test"]
    accuracy: float
    loss: float


class FiltersMeasured(_Event):
    """One look at every filter."""

    kind: Literal["filters"] = "filters"
    stage: Stage
    magnitudes: Vector = Field(description="(C,) n_i")
    catalysts: Vector | None = Field(default=None, description="(C,) D_i, where the method has them")
    margins: Vector = Field(
        description="(C,) signed distance to the decision boundary in log units: positive stays, negative goes, "
        "infinite once decided. Catalyst: log(n_i / D_i); others: log(n_i / threshold of the group)"
    )
    thresholds: tuple[float | None, ...] = Field(description="per group: the magnitude that the cut would use, if it has one")
    histogram: tuple[int, ...] = Field(description="counts of magnitudes in the fixed logarithmic bins")
    zeros: int = Field(description="magnitudes that are exactly zero")
    decided: bool = Field(default=False, description="True for the one measurement that the cut was made from")


Value = float | str  # of a setting
BEFORE_THE_CUT, STOPPED = "before the cut", "stopped"  # what checkpoints are kept for, beside changes
AUTOMATIC = "automatic"  # who made a change that nobody asked for: a contender itself


def value_text(value: Value) -> str:
    """A setting's value as people read it."""
    return value if isinstance(value, str) else f"{value:g}"


class SettingChanged(_Event):
    """Somebody moved a slider while the run was going. It acts from the step that follows `step` others on."""

    kind: Literal["setting"] = "setting"
    name: str
    old: Value
    new: Value
    who: str


class CheckpointKept(_Event):
    """The state of the run at this step boundary is on disk and stays: a fork can start from it."""

    kind: Literal["checkpoint"] = "checkpoint"
    stage: Stage
    name: str = Field(description="of the file in the run's folder of checkpoints, without its ending")
    reason: str = Field(description="what it was kept for: 'strength 0.3 to 1', 'before the cut', 'stopped'")


class RolledBack(_Event):
    """Training went wrong and went back to `step`; what it had said of later steps no longer counts."""

    kind: Literal["rollback"] = "rollback"
    stage: Stage
    from_step: int
    reason: str


class Noted(_Event):
    """A sentence for a person: paused, resumed, waiting, a setting without effect."""

    kind: Literal["note"] = "note"
    text: str


class StateChanged(_Event):
    """The worker paused, went on, or began to stop; the engine writes it to the run."""

    kind: Literal["state"] = "state"
    state: Literal["running", "paused", "stopping"]


class Pruned(_Event):
    """The network was cut: what the surgery did and what it changed."""

    kind: Literal["pruned"] = "pruned"
    widths: dict[str, tuple[int, int]] = Field(description="group name -> (channels before, after)")
    max_abs_logit_change: float = Field(description="float64, sparse model against the smaller one")
    max_abs_logit_change_float32: float
    changed_predictions: int
    images: int = Field(description="images the certificate was computed on")


class Finished(_Event):
    """A run reached its end. Stopped early: the ledger has what was measured by then, and is empty before the cut."""

    kind: Literal["finished"] = "finished"
    ledger: dict[str, Any]
    stopped: bool = False


class Failed(_Event):
    """Why a run ended before its end."""

    kind: Literal["failed"] = "failed"
    reason: str
    log_tail: str = ""


SettingName = Literal["strength", "pruning_ratio", "macs_ratio", "learning_rate", "solver", "schedule"]
CommandName = Literal[SettingName, "pause", "resume", "stop"]


class Command(BaseModel):
    """What somebody asks of a running contender; it comes back through the store and acts at a step boundary."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: CommandName
    value: Value | None = Field(default=None, description="of a setting: its new value")
    who: str = Field(default="", max_length=80)


Event = (
    GroupsFound
    | StageStarted
    | StepLogged
    | Evaluated
    | FiltersMeasured
    | SettingChanged
    | CheckpointKept
    | RolledBack
    | Noted
    | StateChanged
    | Pruned
    | Finished
    | Failed
)
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def event_from_json(text: str | bytes) -> Event:
    """The event that `event.model_dump_json()` wrote."""
    return _ADAPTER.validate_json(text)
