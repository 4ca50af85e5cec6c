"""The pruned network of a run, as its folder holds it, out of the door: `write_run`.

`pruned.pt` has the tensors, which channels are left, and how to build the network; the store has the rest. The dense network is
built anew for costs, latency and rounding: what is in its weights makes no difference to these.
"""

# C = channels of a group, N = images

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from catalyst_core.config import ContenderConfig
from catalyst_core.data import READERS
from catalyst_core.data.normalised import constants, normalised
from catalyst_core.data.official import SOURCES, find_copy
from catalyst_core.data.sampling import Raw
from catalyst_core.deploy.checking import MOST, Sample
from catalyst_core.deploy.run_facts import run_facts
from catalyst_core.deploy.writing import Exported, Tell, write_model
from catalyst_core.errors import CatalystError, CheckpointError, ConfigError, DataError
from catalyst_core.events import FiltersMeasured, GroupsFound
from catalyst_core.models import build_model
from catalyst_core.training import load_pruned

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
    known = _data(run.config, recipe)
    if isinstance(known, str):
        facts, sample = replace(facts, notes=(*facts.notes, known)), None
    else:
        sample = known.sample
        facts = replace(facts, classes=known.classes, mean=known.mean, std=known.std, pixels=known.pixels)
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
            recipe = content["recipe"]
            model = load_pruned(file)
        except CatalystError:
            raise
        except Exception as error:  # a torn or foreign file fails in any way
            raise CheckpointError(f"run {run.id}: {FILE} cannot be read ({type(error).__name__})") from error
        given = {name: recipe[name] for name in inspect.signature(build_model).parameters}
        return cls(model, build_model(**given), None if recipe.get("after") is not None else content["kept"], recipe)


@dataclass(frozen=True)
class _Data:
    """What the data set of a run says about its images."""

    sample: Sample
    classes: tuple[str, ...]
    mean: tuple[float, ...]  # of each channel, before normalisation
    std: tuple[float, ...]
    pixels: str


def _data(config: ContenderConfig, recipe: dict[str, Any]) -> _Data | str:
    """Its test images, normalised as for training; a sentence where they are not here, or are others by now."""
    name = config.data.name
    try:
        if name in SOURCES and find_copy(name) is None:
            return f"The images of {name} are not on this machine, so nothing is said about their classes and pixels."
        raw = READERS[name](config.data, np.random.default_rng(0))
    except DataError as error:
        return f"The images could not be read ({error}), so nothing is said about their classes and pixels."
    if raw.train.x.shape[1:] != (recipe["channels"], recipe["size"], recipe["size"]) or len(raw.classes) != recipe["classes"]:
        return "The images in the folder are not those that it was trained on, so nothing is said about classes and pixels."
    mean, std = constants(raw, config.data.normalisation)
    return _Data(
        sample=_sample(raw, mean, std),
        classes=raw.classes,
        mean=tuple(mean.ravel().tolist()),
        std=tuple(std.ravel().tolist()),
        pixels=f"whole numbers, {raw.train.x.min()} to {raw.train.x.max()} in the training images",
    )


def _sample(raw: Raw, mean: np.ndarray, std: np.ndarray) -> Sample:
    """The test images, or 1,000 of them drawn at random: folders come sorted by class."""
    count = len(raw.test.y)
    if count <= MOST:
        chosen, name = raw.test, "test images"
    else:
        places = np.sort(np.random.default_rng(0).choice(count, MOST, replace=False))
        chosen, name = raw.test.at(places), f"test images (drawn from {count:,})"
    images = normalised(chosen.x, mean, std)
    return Sample(images[:], torch.from_numpy(chosen.y), name)


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
