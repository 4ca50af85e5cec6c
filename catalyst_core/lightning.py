"""Catalyst in Lightning: regularizes after every optimizer step, and leaves the smaller network when training ends.

    callback = CatalystCallback(pruning_ratio=0.5, example_inputs=images)
    Trainer(callbacks=[callback]).fit(module, batches)
    callback.small, callback.certificate

Weight decay stays off the regularized parameters by what the module returns:

    def configure_optimizers(self):
        groups = find_groups(self, self.example_input_array)
        return SGD(decay_groups(self, groups, weight_decay=5e-4), lr=0.1)

Importing this module raises `ConfigError` where Lightning is not installed.
"""

import math
import warnings
from contextlib import ExitStack
from typing import Any, Literal

from torch import Tensor, nn
from torch.optim import Optimizer

from catalyst_core.certificate import Certificate
from catalyst_core.config import Magnitude
from catalyst_core.decisions import Decisions
from catalyst_core.errors import ConfigError, shown
from catalyst_core.filters import find_groups
from catalyst_core.groups import FilterGroups
from catalyst_core.regularizers import Regularizer, build_regularizer
from catalyst_core.store import Store
from catalyst_core.surgery import remove_filters
from catalyst_core.watching import Unwatched, Watched, watch
from catalyst_core.watching.unwatched import HALVES

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError:
    raise ConfigError("catalyst_core.lightning needs Lightning 2, which is not installed: pip install lightning") from None

SETTINGS = (  # of build_regularizer, that may be given beside the first two
    "strength", "macs_ratio", "allocation", "keep_at_least", "start_ratio", "schedule", "evidence_share", "total_steps",
    "generator_seed", "every",
)  # fmt: skip


class CatalystCallback(Callback):
    """`groups` and `regularizer` exist from the start of training, `decisions`, `small` and `certificate` from its end."""

    def __init__(
        self,
        pruning_ratio: float | None = None,
        method: str = "catalyst",
        *,
        network: str = "",
        magnitude: Magnitude = "response",
        example_inputs: Tensor | None = None,
        store: Store | str | Literal[True] | None = None,
        validation: str = "val_acc",
        **settings: Any,
    ) -> None:
        """`network` is the name of the submodule that is pruned; '': the module itself, by its forward.

        `example_inputs` (N, ...), of which the certificate is also computed on all; None: the module's `example_input_array`.
        `store`: where training is watched, True for the default one, None for nowhere; `validation`: the logged metric that is
        its accuracy (0..1); a dictionary that `training_step` returns may hold "accuracy" of the batch. Other `settings` are
        those of `build_regularizer`; `total_steps` is the trainer's unless it is given. Raises `ConfigError` for others.
        """
        if unknown := sorted(set(settings) - set(SETTINGS)):
            raise ConfigError(f"CatalystCallback has no setting {shown(unknown[0])}: one of {', '.join(SETTINGS)}")
        self._method, self._settings = method, {"pruning_ratio": pruning_ratio, **settings}
        self._name, self._magnitude, self._example = network, magnitude, example_inputs
        self._store, self._metric = store, validation
        self.groups: FilterGroups | None = None
        self.regularizer: Regularizer | None = None
        self.decisions: Decisions | None = None
        self.small: nn.Module | None = None
        self.certificate: Certificate | None = None
        self._watched: Watched | Unwatched = Unwatched()
        self._stack = ExitStack()
        self._state: dict[str, Any] | None = None  # of a checkpoint, until there is a regularizer that can take it
        self._steps, self._rate = 0, math.nan  # as of the last step
        self._place = 0  # of the regularized parameters among the optimizer's groups

    # checkpoints

    def state_dict(self) -> dict[str, Any]:
        """The regularizer's state."""
        return {} if self.regularizer is None else {"regularizer": self.regularizer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the training was that this is the state of."""
        self._state = state_dict.get("regularizer")

    # training

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finds the groups and builds the regularizer, on the weights of a checkpoint if there is one.

        Raises `ConfigError` where the optimizer would work against it, and what `find_groups` and `build_regularizer` raise.
        """
        if len(trainer.optimizers) != 1 or not pl_module.automatic_optimization:
            raise ConfigError(
                f"CatalystCallback needs automatic optimization and one optimizer, not {len(trainer.optimizers)}: "
                "call regularizer.step(lr) in the module after each optimizer step instead"
            )
        network, example = self._network(pl_module)
        self.groups = find_groups(network, example[:2], magnitude=self._magnitude)
        self._place, rate = _checked(trainer.optimizers[0], self.groups)
        total = self._total_steps(trainer)
        self.regularizer = build_regularizer(self._method, self.groups, **self._settings | {"total_steps": total})
        if self._state is not None:
            self.regularizer.load_state_dict(self._state)
            self._state = None
        self._steps, self._watched = trainer.global_step, Unwatched()
        if self._store is not None:
            store = None if self._store is True else self._store
            named = type(pl_module).__name__
            context = watch(network, self.groups, self.regularizer, store=store, title=named, learning_rate=rate or None)
            self._watched = self._stack.enter_context(context)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Notes the learning rate of this step: schedulers may change it before the batch ends."""
        self._rate = float(optimizer.param_groups[self._place]["lr"])

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """One step of the regularizer for each of the optimizer; none while gradients are accumulated."""
        assert self.regularizer is not None
        if trainer.global_step == self._steps:
            return
        self._steps = trainer.global_step
        self.regularizer.step(lr=self._rate)
        told = outputs if isinstance(outputs, dict) else {}
        loss, many = told.get("loss"), trainer.num_training_batches
        self._watched.step(
            loss=None if loss is None else loss * trainer.accumulate_grad_batches,  # Lightning has divided it
            accuracy=told.get("accuracy"),
            learning_rate=self._rate,
            epoch=trainer.current_epoch + ((batch_idx + 1) / many if math.isfinite(many) else 0.0),
        )
        if self._watched.stopping and trainer.world_size == 1:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """With several processes, where only the first one hears of it, all of them stop at the end of an epoch."""
        if trainer.world_size > 1:
            stopping = trainer.strategy.reduce_boolean_decision(self._watched.stopping, all=False)
            trainer.should_stop = trainer.should_stop or stopping

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hands the logged accuracy on."""
        accuracy = trainer.callback_metrics.get(self._metric)
        if accuracy is None or trainer.sanity_checking:
            return
        if 0 <= accuracy <= 1:
            self._watched.evaluated(float(accuracy), float(trainer.callback_metrics.get("val_loss", math.nan)))
        elif isinstance(self._watched, Watched):
            warnings.warn(f"{self._metric} is {accuracy:.4g}, no share of 0..1: it is not shown", UserWarning, stacklevel=2)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Decides what is left, cuts a copy of the network, and certifies that."""
        assert self.regularizer is not None
        self.regularizer.settle()
        self.decisions = self.regularizer.decisions()
        network, example = self._network(pl_module)
        self.small = remove_filters(network, example[:2], self.decisions)
        self.certificate = self._watched.pruned(network, self.small, example)
        self._stack.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A watched run has ended, too: stopped by Ctrl-C, or failed."""
        self._stack.__exit__(type(exception), exception, exception.__traceback__)

    # small things

    def _network(self, pl_module: LightningModule) -> tuple[nn.Module, Tensor]:
        """What is pruned, and its example inputs on the same device."""
        example = pl_module.example_input_array if self._example is None else self._example
        if not isinstance(example, Tensor):
            raise ConfigError(
                "CatalystCallback needs example inputs, a tensor with a batch dimension: give example_inputs, or set "
                "example_input_array in the module"
            )
        try:
            network = pl_module.get_submodule(self._name)
        except AttributeError:
            raise ConfigError(f"network {shown(self._name)}: {type(pl_module).__name__} has no such submodule") from None
        return network, example.to(pl_module.device)

    def _total_steps(self, trainer: Trainer) -> int:
        """Optimizer steps of this training, without those that a checkpoint made without this callback has taken."""
        given = self._settings.get("total_steps")
        total = trainer.estimated_stepping_batches if given is None else given
        if not 1 <= total < math.inf:
            raise ConfigError("CatalystCallback needs to know when training ends: set max_epochs or max_steps, or total_steps")
        return int(total) - (trainer.global_step if self._state is None and given is None else 0)


def _checked(optimizer: Optimizer, groups: FilterGroups) -> tuple[int, float]:
    """Which of the optimizer's groups has the regularized parameters, and the largest learning rate that is announced.

    Raises `ConfigError` where the optimizer does not suit the regularizer.
    """
    regularized = {id(parameter): parameter for group in groups for parameter in group.parameters()}
    if any(parameter.dtype in HALVES for parameter in regularized.values()):
        raise ConfigError(
            "the regularized parameters are in half precision, too coarse for small steps: use 16-mixed or bf16-mixed"
        )
    places = [regularized.keys() & {id(parameter) for parameter in group["params"]} for group in optimizer.param_groups]
    mine = [place for place, found in enumerate(places) if found]
    if set().union(*places) != regularized.keys():
        raise ConfigError("the optimizer does not train every regularized parameter as it is: are some frozen, or sharded?")
    for place in mine:
        if decay := optimizer.param_groups[place].get("weight_decay"):
            raise ConfigError(
                f"the optimizer decays {len(places[place])} regularized parameters (weight_decay {decay:g}), which is a second "
                "regularizer: give it decay_groups(self, find_groups(self, example_inputs), weight_decay)"
            )
    if len({float(optimizer.param_groups[place]["lr"]) for place in mine}) > 1:
        raise ConfigError("the regularized parameters have several learning rates: give them one")
    announced = ("lr", "initial_lr", "max_lr")
    return mine[0], max(float(group.get(name, 0.0)) for group in optimizer.param_groups for name in announced)
