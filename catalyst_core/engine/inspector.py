"""Looks at networks and images in a process of its own: whoever serves pages imports no torch and runs no owner's code."""

import json
import subprocess
import sys
from typing import Any

from catalyst_core.config import RaceConfig
from catalyst_core.engine.children import ROOT
from catalyst_core.errors import EngineError, UsageError

WRONG_INPUT = 2  # exit code: one sentence on standard error
PREFIX = "catalyst: "
NETWORK_SECONDS = 180.0


def network(config: RaceConfig) -> dict[str, Any]:
    """What `network --json` says of the network of this race. Raises as `asked`."""
    return asked("network", _options(config), NETWORK_SECONDS)


def check(config: RaceConfig) -> None:
    """Try a network or weights that are not ours before there is a race: every contender would fail of the same.

    Raises as `asked`.
    """
    asked("network", _options(config) | {"check": True}, NETWORK_SECONDS)


def _options(config: RaceConfig) -> dict[str, Any]:
    data = {"dataset": config.data.name, "folder": config.data.folder, "image-size": config.data.image_size}
    given = data | {"model": config.model, "weights": config.weights, "fresh-head": config.fresh_head}
    more = {"normalisation": config.data.normalisation, "pruning-ratio": config.pruning_ratio}
    return given | more


def asked(command: str, options: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The JSON that a command prints; options that are None, empty or False are left out, True is a flag.

    Raises `UsageError` with its sentence, `EngineError` where the process ended otherwise or took longer.
    """
    given = {name: value for name, value in options.items() if value is not None and value is not False and value != ""}
    flags = [f"--{name}" if value is True else f"--{name}={value}" for name, value in given.items()]
    words = [sys.executable, "-m", "catalyst_core", command, "--json", *flags]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise EngineError(f"the command {command} took longer than {seconds:.0f} seconds") from None
    if done.returncode == WRONG_INPUT:
        raise UsageError(done.stderr.strip().rpartition(PREFIX)[2])
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise EngineError(f"the command {command} failed: {last[:300]}") from None
