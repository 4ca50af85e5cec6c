"""What is known about a network beside its numbers, as plain data, for the model card."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from catalyst_core.certificate import Certificate


class Line(NamedTuple):
    """One line of the ledger."""

    what: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Facts:
    """Everything may be left out; what is left out is not on the card."""

    title: str = "a pruned network"
    about: Mapping[str, str] = field(default_factory=dict)  # "data set" -> "digits": what it is, a line each
    ledger: tuple[Line, ...] = ()
    certificate: Certificate | None = None  # of the cut
    classes: tuple[str, ...] = ()  # their names, in the order of the logits
    mean: tuple[float, ...] = ()  # of each channel: images are (pixels - mean) / std
    std: tuple[float, ...] = ()
    pixels: str = ""  # what pixels are: "grey levels 0 to 16"
    notes: tuple[str, ...] = ()  # sentences
    raw: Mapping[str, Any] = field(default_factory=dict)  # plain data that report.json repeats
