"""`bench`: timings as ratios, measured side by side on this machine."""

import argparse
import sys

from catalyst_core.cli.report import print_json
from catalyst_core.config import RaceConfig
from catalyst_core.data import check_data
from catalyst_core.errors import ConfigError

MOST_STEPS = 10_000
MOST_THREADS = 256
REGULARIZERS = (
    "The networks are torchvision's resnet18 and resnet50 and two of the product's own, the images 32 x 32 (cnn: 8 x 8): "
    "training steps are shorter than with 224 x 224, so the ratios are larger. In the JSON object, each regularizer's number is "
    "the worse of its ratios on resnet18 and resnet50."
)

DASHBOARD = {  # key -> what it is, and what it should be at most
    "tick_ms_p95": ("server time of a live tick, 5 x 5,000 channels, 500 looks, ms", 150),
    "tick_kb": ("sent to the browser in it, kB", 300),
    "theory_ms_p95": ("a slider of the Theory page until its figures are painted, ms", 250),
    "scrub_ms_p95": ("the step slider of a finished race, the same, ms", 400),
    "server_mb_per_1000_ticks": ("growth of the server in 1,000 ticks, MB", 30),
    "browser_mb_per_1000_ticks": ("growth of the page's heap, MB", 50),
    "viewers10_tick_ms_p95": ("server time of a tick with ten viewers, ms", 500),
    "first_paint_s": ("start of the server until something is seen, s", 3),
    "page_switch_ms_p95": ("from page to page, ms", 700),
    "bundle_s": ("export of a race with five methods, s", 30),
}


def regularizers(options: argparse.Namespace) -> int:
    """Regularizer seconds as a share of the training step, ours and Torch-Pruning's."""
    if not 1 <= options.steps <= MOST_STEPS:
        raise ConfigError(f"--steps must lie in 1..{MOST_STEPS}, not {options.steps}")
    if not 1 <= options.threads <= MOST_THREADS:
        raise ConfigError(f"--threads must lie in 1..{MOST_THREADS}, not {options.threads}")
    from catalyst_core.bench.regularizers import measure  # imports torch

    found = measure(options.steps, options.threads)
    if options.json:
        print_json(found)
        return 0
    print(f"a regularizer's time / a plain training step's, {found['batch']} images a step, {found['threads']} thread(s)")
    networks = found["networks"]
    print(f"{'':26}" + "".join(f"{name:>12}" for name in networks))
    print(f"{'training step':26}" + "".join(f"{one['step_ms']:9.1f} ms" for one in networks.values()))
    for name in next(iter(networks.values()))["ratios"]:
        print(f"{name:26}" + "".join(f"{100 * one['ratios'][name]:10.3f} %" for one in networks.values()))
    kept, indices = found["state_bytes_per_channel"], found["bookkeeping_bytes_per_channel"]
    print(f"catalyst keeps {kept:.1f} bytes of state a channel, and {indices:.1f} of indices and working space")
    return 0


def feeding(options: argparse.Namespace) -> int:
    """How long a training step waits for its images."""
    if not 1 <= options.steps <= MOST_STEPS:
        raise ConfigError(f"--steps must lie in 1..{MOST_STEPS}, not {options.steps}")
    if not 1 <= options.threads <= MOST_THREADS:
        raise ConfigError(f"--threads must lie in 1..{MOST_THREADS}, not {options.threads}")
    config = None
    if options.dataset or options.folder:
        config = RaceConfig.build(data={"name": options.dataset or "folder", "folder": options.folder}).data
        check_data(config)
    from catalyst_core.bench.feeding import measure  # imports torch

    found = measure(options.steps, options.threads, config)
    if options.json:
        print_json(found)
        return 0
    side = "{} x {} x {}".format(*found["image"])
    print(f"{found['model']}, {found['images']} images of {side}, {found['batch']} a step, {found['threads']} thread(s)")
    for name, one in found["presets"].items():
        share = f"{100 * one['data_wait']:.2f} % of a step"
        print(f"  {name:12} {one['wait_ms']:8.2f} ms for a batch, {one['step_ms']:8.1f} ms for training on it: {share}")
    if found["load_s"]:
        print("  loaded in {:.1f} s, again in {:.1f} s".format(*found["load_s"]))
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


def engine(options: argparse.Namespace) -> int:
    """What the engine survives and costs."""
    if not 0 <= options.kills <= MOST_STEPS:
        raise ConfigError(f"--kills must lie in 0..{MOST_STEPS}, not {options.kills}")
    from catalyst_core.bench.engine import measure  # imports torch

    found = measure(options.kills, options.seed, lambda what: print(f"measuring: {what}", file=sys.stderr, flush=True))
    if options.json:
        print_json(found)
        return 0
    stages = ", ".join(f"{count} {stage}" for stage, count in found["kills_by_stage"].items())
    same = "bit-identical" if found["bit_identical"] else "DIFFERENT"
    print(f"{found['kills']} kills ({stages}): {found['lost_events']} events lost, {found['doubled_events']} doubled, {same}")
    print(f"append a snapshot of 10,000 channels   {found['append_ms_median']:8.2f} ms")
    print(f"read what is new of 2,000 snapshots    {found['read_new_ms_median']:8.2f} ms")
    print(f"a race that 10 readers watch           {100 * found['watched_slowdown']:+8.1f} % slower")
    print(f"the default race on disk               {found['store_mb']:8.2f} MB")
    print(f"the list of 1,000 races                {found['runs_list_ms']:8.1f} ms")
    print(f"a worker's start beside them           {found['worker_start_ratio']:8.2f} times that in an empty store")
    return 0


def dashboard(options: argparse.Namespace) -> int:
    """How quick the dashboard is in a browser."""
    if not 1 <= options.ticks <= MOST_STEPS:
        raise ConfigError(f"--ticks must lie in 1..{MOST_STEPS}, not {options.ticks}")
    from catalyst_core.bench.dashboard import measure  # imports torch

    found = measure(options.ticks, lambda what: print(f"measuring: {what}", file=sys.stderr, flush=True))
    if options.json:
        print_json(found)
        return 0
    for name, (said, most) in DASHBOARD.items():
        print(f"{said:64} {found[name]:8.1f}   (wanted: at most {most:g})")
    return 0
