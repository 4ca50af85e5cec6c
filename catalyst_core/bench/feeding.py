"""How long a training step waits for its images: the share of making a batch in making it and training on it.

share = seconds in `Batches.at` / (seconds in `Batches.at` + seconds in forward, backward and optimizer step)

Steps and batches take turns, as in a race, and every batch is made on the training thread: nothing runs ahead.
"""

import time
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from catalyst_core.config import AUGMENTATIONS, DataConfig
from catalyst_core.data import Splits, load_data
from catalyst_core.data.folder import as_raced
from catalyst_core.data.normalised import normalised, statistics
from catalyst_core.models import build_model
from catalyst_core.training.batches import Batches
from catalyst_core.training.loop import update

MODEL, BATCH = "resnet20", 64
IMAGES, CHANNELS, SIZE, CLASSES = 10_000, 3, 32, 10  # made-up ones, where no data set is named
LEARNING_RATE = 1e-3
UNTIMED = 3
PRESET = "shift_flip"  # what colour images get by default: its share is the figure


def measure(steps: int, threads: int, config: DataConfig | None) -> dict[str, Any]:
    """Over so many timed steps for each augmentation preset, on a data set or, without one, on made-up images like CIFAR-10's.

    {"data_wait" (the share, with the usual augmentation), "presets": {name: {"wait_ms", "step_ms", "data_wait"}}, "load_s"
    (the first time and again: decoded images are kept), "images", "image", "model", "batch", "threads", "steps"}
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        splits, seconds = _read(config)
        presets = {name: _measured(splits, kept, steps) for name, kept in AUGMENTATIONS.items()}
    finally:
        torch.set_num_threads(before)
    return {
        "data_wait": presets[PRESET]["data_wait"],
        "presets": presets,
        "load_s": seconds,
        "images": len(splits.train_y),
        "image": [splits.channels, splits.size, splits.size],
        "model": MODEL,
        "batch": BATCH,
        "threads": threads,
        "steps": steps,
    }


def _read(config: DataConfig | None) -> tuple[Splits, list[float]]:
    if config is None:
        return _made_up(), []
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        splits = load_data(as_raced(config))
        seconds.append(time.perf_counter() - started)
    return splits, seconds


def _made_up() -> Splits:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (IMAGES, CHANNELS, SIZE, SIZE), dtype=np.uint8)
    x = normalised(pixels, *statistics(pixels))
    y = torch.from_numpy(generator.integers(0, CLASSES, IMAGES))
    return Splits(x, y, x, y, x, y, tuple(map(str, range(CLASSES))), CHANNELS, SIZE)


def _measured(splits: Splits, augment: bool | str, steps: int) -> dict[str, float]:
    """Milliseconds a step in the batch and in training on it. Means: what an epoch's beginning takes is spread over it."""
    model = build_model(MODEL, splits.channels, splits.size, len(splits.classes), seed=0).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    batches = Batches(splits, BATCH, 0, augment)
    waited = trained = 0.0
    for step in range(UNTIMED + steps):
        started = time.perf_counter()
        x, y = batches.at(step)
        fed = time.perf_counter()
        update(functional.cross_entropy(model(x), y), optimizer, None, LEARNING_RATE)
        if step >= UNTIMED:
            waited += fed - started
            trained += time.perf_counter() - fed
    return {"wait_ms": 1e3 * waited / steps, "step_ms": 1e3 * trained / steps, "data_wait": waited / (waited + trained)}
