"""The figures of a bundle, in their order: what each is called, and how it is drawn of a race or at one moment of it."""

from collections.abc import Callable

import pandas as pd

from catalyst_core import figures, frames
from catalyst_core.figures.sheet import Sheet
from catalyst_core.frames import RaceView

Drawn = tuple[Sheet, str]  # with its caption
Draw = Callable[[RaceView, str], Drawn]  # of a race; the reason is said where there is nothing to see
DrawAt = Callable[[pd.DataFrame, str, pd.DataFrame | None], Drawn]  # of filters at a moment, with room for all of the third


def _magnitudes(filters: pd.DataFrame, reason: str, over: pd.DataFrame | None) -> Drawn:
    return figures.plot_magnitudes.sheet(filters, reason=reason, over=over), figures.caption_magnitudes(filters)


def _magnitudes_overlay(filters: pd.DataFrame, reason: str, over: pd.DataFrame | None) -> Drawn:
    sheet = figures.plot_magnitudes.sheet(filters, arrange="overlay", reason=reason, over=over)
    return sheet, figures.caption_magnitudes(filters)


def _margins(filters: pd.DataFrame, reason: str, over: pd.DataFrame | None) -> Drawn:
    gaps = frames.gap_frame(filters)
    return figures.plot_margins.sheet(filters, gaps, reason=reason, over=over), figures.caption_margins(filters, gaps)


def _flip_curve(filters: pd.DataFrame, reason: str, over: pd.DataFrame | None) -> Drawn:
    flips = frames.flip_frame(filters)
    return figures.plot_flip_curve.sheet(flips, reason=reason), figures.caption_flip_curve(flips)


def _bias(filters: pd.DataFrame, reason: str, over: pd.DataFrame | None) -> Drawn:
    known = frames.correlation_frame(filters)
    return figures.plot_bias.sheet(filters, known, reason=reason, over=over), figures.caption_bias(filters, known)


def _phase_plane(filters: pd.DataFrame, reason: str, over: pd.DataFrame | None) -> Drawn:
    caption = figures.caption_phase_plane(filters)
    return figures.plot_phase_plane.sheet(filters, reason=caption if len(filters) else reason, over=over), caption


def _curves(view: RaceView, reason: str) -> Drawn:
    frame = frames.curves_frame(view)
    return figures.plot_curves.sheet(frame, frames.changes_frame(view), reason=reason), figures.caption_curves(frame)


def _bifurcation(view: RaceView, reason: str) -> Drawn:
    frame = frames.density_frame(view)
    return figures.plot_bifurcation.sheet(frame, reason=reason), figures.caption_bifurcation(frame)


def _accuracy_macs(view: RaceView, reason: str) -> Drawn:
    ledger = frames.ledger_frame(view.race)
    return figures.plot_accuracy_macs.sheet(ledger, reason=reason), figures.caption_accuracy_macs(ledger)


def _widths(view: RaceView, reason: str) -> Drawn:
    frame = frames.widths_frame(view)
    return figures.plot_widths.sheet(frame, reason=reason), figures.caption_widths(frame)


def _cost(view: RaceView, reason: str) -> Drawn:
    ledger = frames.ledger_frame(view.race)
    return figures.plot_cost.sheet(ledger, reason=reason), figures.caption_cost(ledger)


def _what_if(view: RaceView, reason: str) -> Drawn:
    frame = frames.budgets_frame(view.race, view.results("budgets"))
    return figures.plot_what_if.sheet(frame), figures.caption_what_if(frame)


def _rescale(view: RaceView, reason: str) -> Drawn:
    found = [row for result in view.results("rescale").values() for row in result["results"]]
    frame = frames.rescale_frame(found, view.labels)
    return figures.plot_rescale.sheet(frame), figures.caption_rescale(frame)


def drawn_of(view: RaceView) -> dict[str, Draw]:
    """The figures of a race: the usual ones, and those of the analyses that somebody has asked for."""
    return FIGURES | {name: draw for name, (kind, draw) in ANALYSES.items() if view.results(kind)}


def _at_cut(draw: DrawAt) -> Draw:
    """On paper a figure of filters shows the moment of the cut, of each contender its own."""
    return lambda view, reason: draw(frames.filters_frame(view, until_cut=True), reason, None)


MOMENTS: dict[str, DrawAt] = {
    "magnitudes": _magnitudes,
    "magnitudes_overlay": _magnitudes_overlay,
    "margins": _margins,
    "flip_curve": _flip_curve,
    "bias": _bias,
    "phase_plane": _phase_plane,
}
FIGURES: dict[str, Draw] = {
    **{name: _at_cut(draw) for name, draw in MOMENTS.items()},
    "curves": _curves,
    "bifurcation": _bifurcation,
    "accuracy_macs": _accuracy_macs,
    "widths": _widths,
    "cost": _cost,
}
ANALYSES: dict[str, tuple[str, Draw]] = {"what_if": ("budgets", _what_if), "rescale": ("rescale", _rescale)}
TITLES = {
    "magnitudes": "Filter magnitudes",
    "magnitudes_overlay": "Filter magnitudes, overlaid",
    "margins": "Decision margins",
    "flip_curve": "Flip curve",
    "bias": "Bias against magnitude",
    "phase_plane": "Phase plane",
    "curves": "Training",
    "bifurcation": "Bifurcation map",
    "accuracy_macs": "Accuracy against MACs",
    "widths": "Layer widths",
    "cost": "Cost",
    "what_if": "Other budgets, on validation images",
    "rescale": "Planted rescale audit",
}
