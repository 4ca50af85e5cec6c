"""Every figure, from a frame: `plot_x(frame, theme=...)` draws, `caption_x(frame)` says it in one sentence.

Without data a figure shows its axes and the reason; it never raises. `plotted(figure)` gives exactly the numbers shown.
"""

from catalyst_core.figures.bias import caption_bias, plot_bias
from catalyst_core.figures.curves import caption_curves, plot_curves
from catalyst_core.figures.density import caption_bifurcation, plot_bifurcation
from catalyst_core.figures.magnitudes import caption_magnitudes, plot_magnitudes
from catalyst_core.figures.margins import caption_flip_curve, caption_margins, plot_flip_curve, plot_margins
from catalyst_core.figures.phase import caption_phase_plane, plot_phase_plane
from catalyst_core.figures.plotted import plotted
from catalyst_core.figures.rescale import caption_rescale, plot_rescale
from catalyst_core.figures.results import (
    caption_accuracy_macs,
    caption_cost,
    caption_widths,
    plot_accuracy_macs,
    plot_cost,
    plot_widths,
)
from catalyst_core.figures.whatif import caption_ratios, caption_what_if, plot_ratios, plot_what_if

__all__ = [
    "caption_accuracy_macs",
    "caption_bias",
    "caption_bifurcation",
    "caption_cost",
    "caption_curves",
    "caption_flip_curve",
    "caption_magnitudes",
    "caption_margins",
    "caption_phase_plane",
    "caption_ratios",
    "caption_rescale",
    "caption_what_if",
    "caption_widths",
    "plot_accuracy_macs",
    "plot_bias",
    "plot_bifurcation",
    "plot_cost",
    "plot_curves",
    "plot_flip_curve",
    "plot_magnitudes",
    "plot_margins",
    "plot_phase_plane",
    "plot_ratios",
    "plot_rescale",
    "plot_what_if",
    "plot_widths",
    "plotted",
]
