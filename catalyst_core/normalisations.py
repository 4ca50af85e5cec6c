"""What images may be normalised with, described in plain data (no torch): by a name, or by a mean and a deviation in text.

x = (pixel - mean) / std, channel by channel, of pixels scaled to 0..1: 0 is black and 1 is white, whatever the data set's range.
"""

import math
from dataclasses import dataclass
from statistics import fmean

from catalyst_core.errors import shown

FORM = "0.49,0.48,0.45/0.25,0.24,0.26"  # how a mean and a deviation are written
COUNTS = (1, 3)  # numbers: one for every channel alike, or those of red, green and blue
MEANS, DEVIATIONS = (0.0, 1.0), (0.001, 1.0)  # inclusive; what is larger was meant for pixels of 0..255


@dataclass(frozen=True)
class Normalisation:
    """As many means as deviations: one for every channel alike, or three."""

    title: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def fits(self, channels: int) -> bool:
        """Whether it is for images of so many channels."""
        return len(self.mean) in (1, channels)


NORMALISATIONS: dict[str, Normalisation] = {
    "imagenet": Normalisation("ImageNet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": Normalisation("Half (-1 to 1)", (0.5,), (0.5,)),
    "unit": Normalisation("Unit (0 to 1)", (0.0,), (1.0,)),
}


def normalisation(text: str) -> Normalisation:
    """The one of that name, or that the text spells out as `FORM`. Raises `ValueError`, one sentence."""
    if text in NORMALISATIONS:
        return NORMALISATIONS[text]
    mean, slash, std = text.partition("/")
    if not slash:
        raise ValueError(f"one of {', '.join(NORMALISATIONS)}, or mean/std such as {FORM}, is wanted, not {shown(text)}")
    means, deviations = _numbers(mean, "mean", MEANS), _numbers(std, "deviation", DEVIATIONS)
    if len(means) != len(deviations) or len(means) not in COUNTS:
        raise ValueError(f"1 mean and 1 deviation, or 3 of each, are wanted, not {len(means)} and {len(deviations)}")
    return Normalisation(text, means, deviations)


def misfit(text: str, channels: int) -> str:
    """Why images of so many channels cannot be normalised so; '' where they can."""
    chosen = normalisation(text)
    if chosen.fits(channels):
        return ""
    alike = f"{fmean(chosen.mean):.3g}/{fmean(chosen.std):.3g}"
    return f"{shown(text)} is for red, green and blue, these images are grey: give one mean and one deviation, such as {alike}"


def _numbers(text: str, what: str, bounds: tuple[float, float]) -> tuple[float, ...]:
    lowest, highest = bounds
    found = tuple(map(_number, text.split(",")))
    if any(not lowest <= number <= highest for number in found):  # nor is NaN
        raise ValueError(f"a {what} is a number from {lowest:g} to {highest:g}, of pixels scaled to 0..1, not {shown(text)}")
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
