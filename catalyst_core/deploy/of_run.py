"""The pruned network of a run, as its folder holds it, out of the door: `write_run`.

`pruned.pt` has the tensors, which channels are left, and how to build the network; the store has the rest. The dense network is
built anew for costs, latency and rounding: what is in its weights makes no difference to these.
"""

# C = channels of a group, N = images

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from catalyst_core.deploy.run_facts import run_facts
from catalyst_core.deploy.run_images import images_of
from catalyst_core.deploy.writing import Exported, Tell, write_model
from catalyst_core.errors import CatalystError, CheckpointError, ConfigError, told
from catalyst_core.events import FiltersMeasured, GroupsFound
from catalyst_core.training.checkpoint import restored

if TYPE_CHECKING:
    from catalyst_core.store import RunInfo, Store

FILE = "pruned.pt"


def write_run(
    store: "Store",
    run: "RunInfo",
    out: Path | str,
    *,
    round_to: int | None = None,
    seconds: float = 3.0,
    tell: Tell = lambda done, parts: None,
) -> Exported:
    """As `writing.write_model`, for the pruned network of a run; its files are checked on test images, at most 1,000.

    Without the images of its data set on this machine they are checked on random numbers: nothing is downloaded. Raises
    `CheckpointError` where there is no pruned network, `ConfigError` where its widths cannot be rounded, and what `write_model`
    and `build_model` raise.
    """
    pruned = _Pruned.of(store, run)
    recipe = pruned.recipe
    if round_to is not None and pruned.kept is None:
        raise ConfigError(f"run {run.id}: a depth cut removes whole blocks, so there are no widths to round")
    facts = run_facts(store, run)
    if pruned.kept is None:
        facts = replace(facts, notes=(f"The first {recipe['after']} blocks stay, with a new linear head.", *facts.notes))
    known, sample, note = images_of(run.config, recipe)
    facts = replace(facts, notes=(*facts.notes, *[note] * bool(note)))
    if known is not None:
        about = {**facts.about, "training images": f"{known.counts['train']:,}"}
        pixels = f"whole numbers, 0 to {known.white}"
        facts = replace(facts, about=about, classes=known.classes, mean=known.mean, std=known.std, pixels=pixels)
    return write_model(
        out,
        pruned.model,
        torch.zeros(2, recipe["channels"], recipe["size"], recipe["size"]),
        dense=pruned.dense,
        kept=pruned.kept,
        round_to=round_to,
        standing=_standing(store, run),
        magnitude=recipe["magnitude"],
        sample=sample,
        facts=facts,
        seconds=seconds,
        tell=tell,
    )


@dataclass(frozen=True)
class _Pruned:
    """What `pruned.pt` holds."""

    model: nn.Module
    dense: nn.Module  # before the cut, with fresh weights
    kept: dict[str, Tensor] | None  # group name -> (C,) bool; None: whole blocks were removed
    recipe: dict[str, Any]

    @classmethod
    def of(cls, store: "Store", run: "RunInfo") -> "_Pruned":
        """Raises `CheckpointError`, and what `build_model` raises."""
        file = store.files / "runs" / run.id / FILE
        if not file.is_file():
            raise CheckpointError(f"run {run.id} has no pruned network: it has not been cut, or the file is not on this machine")
        try:
            content = torch.load(file, weights_only=True, map_location="cpu")
            model, dense = restored(content)
        except CatalystError:
            raise
        except Exception as error:  # a torn or foreign file fails in any way
            raise CheckpointError(f"run {run.id}: {FILE} cannot be read ({told(error)})") from error
        recipe = content["recipe"]
        return cls(model, dense, None if recipe.get("after") is not None else content["kept"], recipe)


def _standing(store: "Store", run: "RunInfo") -> dict[str, Tensor] | None:
    """Group name -> (C,) ranks of its channels as the cut was made: by margin, among equals by magnitude; None: not stored."""
    events = [one.event for one in store.events(run.id, kinds=["groups", "filters"])]
    groups = next((one for one in events if isinstance(one, GroupsFound)), None)
    decided = next((one for one in reversed(events) if isinstance(one, FiltersMeasured) and one.decided), None)
    if groups is None or decided is None:
        return None
    margins, magnitudes = (np.frombuffer(vector, "<f4") for vector in (decided.margins, decided.magnitudes))
    ranks = torch.empty(len(margins), dtype=torch.int64)
    ranks[torch.from_numpy(np.lexsort((magnitudes, margins)))] = torch.arange(len(margins))
    return dict(zip(groups.names, ranks.split(list(groups.sizes)), strict=True))
