"""Options that several commands have, their kinds of numbers, and help out of the descriptions of fields."""

import argparse
from typing import Any

from catalyst_core.config import DataConfig, RaceConfig
from catalyst_core.errors import shown

NETWORKS = "network: ours, registered, torchvision:NAME or timm:NAME (default: the one that suits the data set)"
LONGEST_NUMBER = 10  # characters


def add_subject(parser: argparse.ArgumentParser) -> None:
    """What `racing.subject` reads: images, network, weights and the share that goes."""
    parser.add_argument("--dataset", default="digits", metavar="NAME", help="data set (default: digits)")
    for name, kind in {"folder": str, "image_size": int}.items():
        parser.add_argument(flag(name), type=kind, metavar=metavar(kind), help=described(DataConfig, name))
    parser.add_argument("--model", metavar="NAME", help=NETWORKS)
    parser.add_argument("--weights", default="", metavar="FILE", help=described(RaceConfig, "weights"))
    parser.add_argument("--fresh-head", action="store_true", help=described(RaceConfig, "fresh_head"))
    parser.add_argument("--normalisation", metavar="NAME", help=described(DataConfig, "normalisation"))
    parser.add_argument(
        "--pruning-ratio", type=float, default=0.5, metavar="R", help=described(RaceConfig, "pruning_ratio", "0.5")
    )


def whole(text: str) -> int:
    """A whole number that is short enough to be one."""
    if len(text) > LONGEST_NUMBER or not text.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, not {shown(text)}")
    return int(text)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def flag(name: str) -> str:
    """The option of a field."""
    return "--" + name.replace("_", "-")


def metavar(kind: type) -> str:
    """What help calls its value."""
    return {int: "N", float: "X", str: "PATH"}[kind]


def described(model: Any, name: str, default: Any = None) -> str:
    """What a field's description says, for help."""
    said = str(model.model_fields[name].description).replace("%", "%%")
    return said if default is None else f"{said} (default: {default})"
