"""A training loop of somebody's own, shown live in the dashboard: `with watch(model, groups, reg) as watched:`."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress

import torch
from torch import nn

from catalyst_core.config import RaceConfig
from catalyst_core.engine import room
from catalyst_core.engine.channel import Guest
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.errors import CatalystError, ConfigError, StoreUnavailableError
from catalyst_core.groups import FilterGroup
from catalyst_core.regularizers import Regularizer
from catalyst_core.store import RunInfo, Store, open_store
from catalyst_core.watching.described import described
from catalyst_core.watching.unwatched import Unwatched
from catalyst_core.watching.watched import Watched

__all__ = ["Unwatched", "Watched", "watch"]


@contextmanager
def watch(
    model: nn.Module,
    groups: Sequence[FilterGroup],
    reg: Regularizer,
    *,
    store: Store | str | None = None,
    title: str = "",
    learning_rate: float | None = None,
) -> Iterator[Watched | Unwatched]:
    """A race with one contender, this process, for as long as the block takes: `step` it after every optimizer step.

    `reg` regularizes `groups` of `model`; `store` is an open one, a path or URL, or None for `open_store()`. Without a `title`
    it is named after the class of the network. `learning_rate`: the largest that the loop will use; without it nobody can
    change the strength of Catalyst from the dashboard, as a step of 1 or more would end the training.

    The block ends the run: completed, stopped (`Watched.stopping`, Ctrl-C), or failed with the reason of whatever exception
    leaves it, which is raised again. The other ranks of distributed training, and everybody where the store is away as the
    block begins (which warns), get an `Unwatched`, which says nothing to anybody. A store that goes away later is waited for
    in the background.

    Raises `ConfigError` for groups, a regularizer and a network that do not belong together, `StoreError` for a store that
    cannot be used.
    """
    if learning_rate is not None and not 0 < learning_rate < math.inf:
        raise ConfigError(f"learning_rate must be above 0, not {learning_rate!r}")
    config = described(model, groups, reg, title)
    with ExitStack() as stack:
        opened = _opened(store, stack) if _is_first_rank() else None
        run = None if opened is None else _begun(opened, config)
        if opened is None or run is None:
            yield Unwatched()
            return
        stack.callback(_tidy, opened, run)
        watched = Watched(stack.enter_context(Guest(opened, run)), run, groups, reg, learning_rate)
        try:
            yield watched
        except BaseException as error:
            watched.end(error)
            raise
        watched.finish()


def _is_first_rank() -> bool:
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


def _opened(store: Store | str | None, stack: ExitStack) -> Store | None:
    """The store, closed again with `stack` if it was opened here; None while it is away."""
    if isinstance(store, Store):
        return store
    try:
        return stack.enter_context(closing(open_store(store)))
    except StoreUnavailableError as error:
        return _goes_on_unwatched(error)


def _begun(store: Store, config: RaceConfig) -> RunInfo | None:
    """The run of a new race, which this process has; None while the store is away."""
    try:
        room.check_start(store)
        return store.race(store.create_race(config, owner=this_process())).runs[0]
    except StoreUnavailableError as error:
        return _goes_on_unwatched(error)


def _goes_on_unwatched(error: StoreUnavailableError) -> None:
    warnings.warn(f"{error}: this training goes on unwatched", UserWarning, stacklevel=5)


def _tidy(store: Store, run: RunInfo) -> None:
    """What a worker does at its end."""
    with suppress(CatalystError):  # deleted, or away
        store.thin(run.id)
        store.weigh(run.id)
