"""`audit`: what decisions were worth, what other budgets would do, and whether a choice depends on the scale of the filters."""

import argparse
import dataclasses
import time
from typing import Any

from tqdm import tqdm

from catalyst_core.cli.naming import named, one_run
from catalyst_core.cli.racing import numbers, subject
from catalyst_core.cli.report import aside, number, print_json, table
from catalyst_core.config import RaceConfig, Schedule, parse_method
from catalyst_core.engine import analysis
from catalyst_core.store import open_store

METHODS = "catalyst:canonicalize=true,catalyst,group_lasso,l1"

RUN_KEYS = """\
keys of --json: race, and runs, one object a contender:
  run, label, method, seed, state
  channels, kept, undecided   at the decision; undecided: neither pruned (n = 0) nor preserved (D = 0)
  gap               (smallest kept n - largest pruned n) / median kept n, mean over the groups by their size
  smallest_margin, median_margin   |log(n / limit)| of the channels, log units; null: infinite (n or limit is 0)
  flip_point        noise, in medians of the kept magnitudes, that flips 1 % of the decisions
  flips             [{eps, share}]: share of the decisions, 0..1, that noise of eps flips
  bias              {correlation, low, high, auc} of initial magnitude with survival, within groups; 95 % interval
  certificate       {max_abs_logit_change, max_abs_logit_change_float32, changed_predictions, images} of the cut
null: the number does not exist, as for a contender that was not cut."""

BUDGET_KEYS = """\
Filters are removed for real from the network in front of the run's cut, in the run's own order, for a dozen budgets around its
own; nothing is trained, the test images are not looked at and the run stays as it is. The result is kept with the run: asked
again, it is printed at once, and the Lab page shows the same.

keys of --json: race, run, label, method, seed, and
  images            of the validation set, which all accuracies (0..1) are of
  channels, macs    of the network in front of the cut; macs: multiply-accumulates of one image
  dense_accuracy    of the dense network; null: it is not on the disk any more
  uncut_accuracy    of the network in front of the cut
  points            one object a budget, the largest network first:
    ratio, own        share of the channels that go, 0..1; whether that is the run's own budget
    channels, macs    that are left
    accuracy          right after the cut
    recalibrated_accuracy   with BatchNorm statistics estimated anew; null: the race's schedule leaves that out
    max_abs_logit_change    by the cut, in float64"""

RESCALE_KEYS = """\
Filters are multiplied by factors a in [1/4, 4] and their readers divided by them, which leaves the function alone
(checked); then the sparse stage runs again from the same dense network on the same batches. Factors are planted as
a and as 1 / a, so each figure is over twice as many runs as seeds. Unbiased: correlation 0, jaccard 1.

keys of --json: dataset, model, pruning_ratio, seeds, seconds, and results, one object a method and kind of factors:
  method, factors   label; powers_of_two (1/4, 1/2, 1, 2, 4: exact in floating point) or any (uniform in log a)
  correlation, low, high   rank correlation of log a with survival within groups, mean over runs; 95 % interval
  jaccard           |kept in both| / |kept in either| of the planted and the unplanted run, mean over runs
  identical         whether the kept sets are the unplanted ones in every run
  bit_identical     whether every loss and the trained network are, bit for bit, in every run
  max_abs_logit_change, max_abs_logit_change_float32   by the planting itself, before training
  each              the same for each seed alone, with its seed"""


def run(options: argparse.Namespace) -> int:
    """Every contender's decision: gap, margins, flips, bias, certificate."""
    from catalyst_core.frames import audit_race  # imports pandas

    store = open_store(options.store)
    race = store.race(options.race)
    reports = audit_race(store, race.id)
    if options.json:
        print_json({"race": race.id, "runs": [_record(report) for report in reports]})
        return 0
    print(f"race {race.id}: {race.title}")
    print(table([_cells(report) for report in reports]))
    return 0


def _record(report: Any) -> dict[str, Any]:
    changes = ("max_abs_logit_change", "max_abs_logit_change_float32", "changed_predictions", "images")
    return dataclasses.asdict(dataclasses.replace(report, certificate=None)) | {
        "flips": [{"eps": eps, "share": share} for eps, share in report.flips],
        "certificate": report.certificate and {name: getattr(report.certificate, name) for name in changes},
    }


def _cells(report: Any) -> dict[str, str]:
    bias, cut = report.bias, report.certificate
    return {
        "method": report.label,
        "seed": str(report.seed),
        "channels": "-" if report.channels is None else f"{report.kept} of {report.channels}",
        "undecided": "-" if report.undecided is None else str(report.undecided),
        "gap": number(report.gap, ".2f"),
        "flips 1 %": number(report.flip_point, ".3f"),
        "bias": f"{number(bias.correlation, '+.2f')} [{number(bias.low, '+.2f')}, {number(bias.high, '+.2f')}]",
        "AUC": number(bias.auc, ".2f"),
        "logit change": number(cut.max_abs_logit_change if cut else None, ".1e"),
    }


def budgets(options: argparse.Namespace) -> int:
    """Other budgets of one run on the validation images, as stored or else measured now."""
    found = named(options)
    run = one_run(found)
    known = analysis.look(found.store, run, "budgets")
    result = known.result if known.state == "done" else None
    if result is None:
        from catalyst_core.engine.analyst import conduct  # imports numpy

        with tqdm(bar_format="{desc} {n_fmt} of {total_fmt}|{bar}| {elapsed}", desc="budgets", total=1) as bar, aside():

            def tell(done: int, steps: int) -> None:
                bar.total, bar.n = steps, done
                bar.refresh()

            result = conduct(found.store, run, "budgets", tell)
    if options.json:
        whose = {"race": run.race_id, "run": run.id, "label": run.label}
        print_json(whose | {"method": run.config.method.name, "seed": run.config.seed} | result)
        return 0
    dense = number(result["dense_accuracy"], ".1%")
    print(f"run {run.id}: {run.label} seed {run.config.seed}; {result['images']} validation images, dense {dense}")
    print(table([_budget_cells(point, result) for point in result["points"]]))
    return 0


def _budget_cells(point: dict[str, Any], whole: dict[str, Any]) -> dict[str, str]:
    return {
        "go": f"{point['ratio']:.0%}{' (own)' * point['own']}",
        "channels": f"{point['channels']} of {whole['channels']}",
        "MACs": f"{point['macs'] / whole['macs']:.1%}",
        "accuracy": f"{point['accuracy']:.1%}",
        "recalibrated": number(point["recalibrated_accuracy"], ".1%"),
        "logit change": f"{point['max_abs_logit_change']:.1e}",
    }


def rescale(options: argparse.Namespace) -> int:
    """The planted rescale audit of several methods."""
    config = rescale_config(options)
    store = open_store(options.store)
    import torch  # slow to import

    from catalyst_core.training.rescale import rescale_audit, stages

    torch.set_num_threads(1)  # bit-identical runs need it
    started = time.perf_counter()
    with tqdm(total=stages(config), bar_format="{desc} {n_fmt} of {total_fmt}|{bar}| {elapsed}") as bar, aside():

        def tell(label: str) -> None:
            bar.set_description_str(label, refresh=False)
            bar.update()

        results = rescale_audit(config, store.files / "dense", tell=tell)
    seconds = time.perf_counter() - started
    whole = [result for result in results if result.seeds == config.seeds]
    if options.json:
        described = {"dataset": config.data.name, "model": config.model, "pruning_ratio": config.pruning_ratio}
        print_json(described | {"seeds": config.seeds, "seconds": seconds, "results": [_nested(one, results) for one in whole]})
        return 0
    print(table([_rescale_cells(one) for one in whole]))
    return 0


def rescale_config(options: argparse.Namespace) -> RaceConfig:
    """The options as a validated configuration. Raises ConfigError."""
    given = vars(options)
    return RaceConfig.build(
        **subject(options),
        methods=[parse_method(text) for text in options.methods.split(",")],
        seeds=numbers(options.seeds, int, "--seeds"),
        schedule={name: given[name] for name in Schedule.model_fields if given.get(name) is not None},
    )


def _nested(whole: Any, results: list[Any]) -> dict[str, Any]:
    """The figures over all seeds, with those of each seed in "each"."""
    record = dataclasses.asdict(whole)
    del record["seeds"]
    mine = [one for one in results if (one.method, one.factors, len(one.seeds)) == (whole.method, whole.factors, 1)]
    each = [dataclasses.asdict(one) for one in mine]
    keys = record.keys() - {"method", "factors"}
    return record | {"each": [{"seed": one["seeds"][0]} | {key: one[key] for key in record if key in keys} for one in each]}


def _rescale_cells(result: Any) -> dict[str, str]:
    return {
        "method": result.method,
        "factors": result.factors.replace("_", " "),
        "correlation": f"{number(result.correlation, '+.3f')} [{number(result.low, '+.3f')}, {number(result.high, '+.3f')}]",
        "overlap": number(result.jaccard, ".3f"),
        "identical": "yes" if result.identical else "no",
        "bit for bit": "yes" if result.bit_identical else "no",
        "logit change": number(result.max_abs_logit_change_float32, ".1e"),
    }
