"""`network`: what can be pruned of a network, before anything is raced."""

import argparse

from catalyst_core.catalog import MODELS
from catalyst_core.cli.racing import subject
from catalyst_core.cli.report import aside, say
from catalyst_core.config import MethodConfig, RaceConfig
from catalyst_core.data import check_data
from catalyst_core.figures.words import size

FITS = "it can be raced: it runs on these images, can be trained, and has channels to prune"
LISTED = 12  # groups and reasons that are printed; --json has all


def network(options: argparse.Namespace) -> int:
    """Print the report on one network, or with --check that it can be raced. 1 when the trial changed its function."""
    config = RaceConfig.build(**subject(options), methods=[{"name": "none"}])
    check_data(config.data)
    from catalyst_core.training.report import report_network, try_network  # imports torch

    contender = config.contender(MethodConfig(name="none"), 0)
    if options.check:
        with aside():
            notes = try_network(contender)
        record, said, fine = {"model": config.model, "weights": config.weights, "notes": notes}, [FITS, *notes], True
    else:
        with aside():
            record = report_network(contender).as_dict()
        said, fine = lines(record), record["lossless"]
    say(record, "\n".join(said), as_json=options.json)
    return 0 if fine else 1


def lines(report: dict) -> list[str]:
    """The report for people."""
    images = f"{report['channels']} x {report['size']} x {report['size']}"
    said = [
        f"{MODELS[report['model']].title} on images of {images}, {report['classes']} classes",
        f"  parameters  {report['params']:,}   multiply-accumulates  {report['macs']:,}   file  {size(report['bytes'])}",
        f"  prunable    {report['prunable_channels']:,} channels in {len(report['groups'])} groups",
    ]
    said += [f"    {name}  {count}" for name, count in list(report["groups"].items())[:LISTED]]
    said += _more(len(report["groups"]), "groups")
    if report["skipped"]:
        said.append(f"  left out    {len(report['skipped'])} groups")
        said += [f"    {name}: {reason}" for name, reason in list(report["skipped"].items())[:LISTED]]
        said += _more(len(report["skipped"]), "reasons")
    verdict = "the same function" if report["lossless"] else "ANOTHER function"
    said.append(
        f"  trial       {report['pruning_ratio']:.0%} of the channels of every group: {report['params_after']:,} parameters, "
        f"{report['macs_after']:,} multiply-accumulates; masked and cut are {verdict} "
        f"(largest logit change {report['max_abs_logit_change']:.1e} in float64)"
    )
    if report["validation_accuracy"] is not None:
        said.append(f"  weights     {report['weights']}: {report['validation_accuracy']:.1%} of the validation images")
    return said + [f"  note        {note}" for note in report["notes"]]


def _more(count: int, what: str) -> list[str]:
    return [f"    and {count - LISTED} more {what}: --json has them"] if count > LISTED else []
