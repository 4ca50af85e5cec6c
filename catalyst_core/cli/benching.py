"""`bench`: timings as ratios, measured side by side on this machine."""

import argparse

from catalyst_core.cli.report import print_json
from catalyst_core.errors import ConfigError

MOST_STEPS = 10_000


def regularizer(options: argparse.Namespace) -> int:
    """Regularizer seconds as a share of the training step, ours and Torch-Pruning's."""
    if not 1 <= options.steps <= MOST_STEPS:
        raise ConfigError(f"--steps must lie in 1..{MOST_STEPS}, not {options.steps}")
    if not 1 <= options.threads <= 256:
        raise ConfigError(f"--threads must lie in 1..256, not {options.threads}")
    from catalyst_core.bench.regularizer import measure  # imports torch

    found = measure(options.steps, options.threads)
    if options.json:
        print_json(found)
        return 0
    for network, shares in found["networks"].items():
        print(f"{network}: {shares['step_ms']:.1f} ms a training step of {found['batch']} images, {found['threads']} thread(s)")
        for name, share in shares.items():
            if name != "step_ms":
                print(f"  {name:26} + {100 * share:.2f} %")
    return 0


def audits(options: argparse.Namespace) -> int:
    """Seconds of each audit."""
    if not 1 <= options.draws <= MOST_STEPS:
        raise ConfigError(f"--draws must lie in 1..{MOST_STEPS}, not {options.draws}")
    from catalyst_core.bench.audits import REPEATS, measure

    found = measure(options.draws, REPEATS)
    if options.json:
        print_json(found)
        return 0
    print(f"{found['channels']} channels in {found['groups']} groups, {found['draws']} draws, median of {found['repeats']}")
    for name, seconds in found["seconds"].items():
        print(f"  {name:16} {1e3 * seconds:8.1f} ms")
    return 0
