"""The part of the setup form that asks for the network: which one, with which weights, and what images it is used to."""

from typing import Any

from app import choices
from app.fields import Fields, about, listed, titles
from catalyst_core import shelf
from catalyst_core.catalog import DATASETS, MODELS
from catalyst_core.config import DataConfig, RaceConfig
from catalyst_core.normalisations import FORM, NORMALISATIONS

NOTHING_GIVEN: dict[str, Any] = {"weights": "", "fresh_head": False, "normalisation": None}
OTHER = "other"  # a mean and a deviation that have no name


def network(fields: Fields) -> dict[str, Any]:
    """Which network, and with which weights; what a race names that is not here any more stays to be seen."""
    text = about(RaceConfig, "model") + ". " + listed(MODELS)
    current, weights = fields.values["model"], fields.values["weights"]
    known = {current: MODELS[current].title} | titles(choices.networks())
    chosen = {"model": fields.pick(RaceConfig, "model", "Model", known, text=text)} | NOTHING_GIVEN
    if files := dict.fromkeys((*shelf.listed(), *[weights] * bool(weights))):
        named = {"": "None: train it first"} | {name: name for name in files}
        chosen["weights"] = fields.pick(RaceConfig, "weights", "Weights", named)
    if chosen["weights"]:
        chosen["fresh_head"] = fields.tick(RaceConfig, "fresh_head", "Fresh head, for other classes")
    if chosen["weights"] or fields.values["normalisation"]:
        chosen["normalisation"] = _normalisation(fields)
    return chosen


def _normalisation(fields: Fields) -> str | None:
    """The name of one that suits the images, or a mean and a deviation as text."""
    given, channels = fields.values["normalisation"], DATASETS[fields.values["data"]].channels
    named = {name: one.title for name, one in NORMALISATIONS.items() if channels is None or one.fits(channels)}
    known = {None: "The training images' own", **named, OTHER: "Another mean and deviation"}
    begin = {"normalisation": given, "mean_std": ""} if given in known else {"normalisation": OTHER, "mean_std": given}
    mine = Fields(begin, fields.tag)
    chosen = mine.pick(DataConfig, "normalisation", "Normalisation", known)
    if chosen != OTHER:
        return chosen
    return mine.text(DataConfig, "mean_std", "Mean/deviation", placeholder=FORM, text=about(DataConfig, "normalisation"))
