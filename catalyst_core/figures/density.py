"""The bifurcation map: density of log-magnitudes over time, a row a contender. One can see the branches part."""

import numpy as np
import pandas as pd

from catalyst_core.events import HISTOGRAM_BINS, HISTOGRAM_DECADES
from catalyst_core.figures import words
from catalyst_core.figures.curves import CLOCKS, Clock
from catalyst_core.figures.scales import LogScale
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown
from catalyst_core.figures.style import Look, Theme, mix
from catalyst_core.frames.columns import split
from catalyst_core.frames.view import BIN_EDGES

NOTHING = "No filter has been measured yet."
FULL = 0.25  # share of the filters in one bin: the darkest colour
MOMENTS, FEWER, MANY = 160, 80, 600  # looks drawn at most, of more every k-th; and of networks with many channels
PER_DECADE = HISTOGRAM_BINS / (HISTOGRAM_DECADES[1] - HISTOGRAM_DECADES[0])
# Where the colour is how dark: a square root, so that a branch of few filters shows.
STOPS = [place**2 for place in np.linspace(0, 1, 9)]
ROW = 98  # pixels a contender


@Plot
def plot_bifurcation(frame: pd.DataFrame, *, x: Clock = "step", theme: Theme = "light", reason: str = NOTHING) -> Sheet:
    """Filters in each fixed magnitude bin at each measurement, from a `density_frame`; exact zeros at the foot.

    Cells are counts, the mean over the seeds that were measured at that step.
    """
    frame = frame[frame["step"].isin(moments(frame["step"].to_numpy(), _channels(frame)))]
    looks = shown(frame, theme)
    scale = LogScale.over(frame["magnitude"].to_numpy(), least=HISTOGRAM_DECADES[0], whole=True, width=0.12)
    sheet = Sheet(theme, height=max(300, 70 + ROW * len(looks)), left=68)
    panels = sheet.rows([look.title for look in looks.values()])
    first, end = (float(frame[x].min()), float(frame[x].max())) if looks else (0.0, 1.0)
    reach = [first, max(first + 1.0, end)]
    parts = split(frame)
    for panel, (label, look) in zip(panels, looks.items(), strict=False):
        last = panel is panels[-1]
        across = {"range": reach} | ({"title": CLOCKS[x]} if last else {"showticklabels": False, "matches": panels[-1].x})
        sheet.axes(panel, across, scale.axis(most=4) | {"showgrid": False}, name=look.title)
        _map(sheet, panel, parts[label], look, (scale, x))
    if looks:
        sheet.title_y("filter magnitude n")
        place = {"xanchor": "right", "yanchor": "bottom", "font": {"size": 10, "color": sheet.paper.faint}}
        sheet.note(panels[0], f"colour: 0 to {FULL:.0%} of the filters, square-root scale".replace("%", " %"), 1, 1, **place)
    else:
        sheet.axes(panels[0], {"title": CLOCKS[x]}, scale.axis("filter magnitude n"))
        sheet.empty(reason)
    return sheet


def moments(steps: np.ndarray, channels: int) -> np.ndarray:
    """The steps that are drawn: every k-th from the first on, so that most stay when more follow."""
    known = np.unique(steps)
    return known[:: max(1, -(-len(known) // (FEWER if channels > MANY else MOMENTS)))]


def _channels(frame: pd.DataFrame) -> int:
    """Filters of one run."""
    first = frame.iloc[:1]
    return (
        int(frame[(frame["run"] == first["run"].item()) & (frame["step"] == first["step"].item())]["count"].sum())
        if len(first)
        else 0
    )


def caption_bifurcation(frame: pd.DataFrame) -> str:
    """From when on each contender had filters at exactly zero."""
    if frame.empty:
        return NOTHING
    zeros = frame[frame["bin"] < 0].groupby("label", observed=True)["step"].min()
    parts = [
        f"{look.title} from step {zeros[label]}" if label in zeros else f"{look.title} never"
        for label, look in shown(frame, "light").items()
    ]
    return f"Filters at exactly zero: {words.listed(parts)}."


def _map(sheet: Sheet, panel: Panel, frame: pd.DataFrame, look: Look, axes: tuple[LogScale, Clock]) -> None:
    scale, x = axes
    steps, column = np.unique(frame["step"].to_numpy(), return_inverse=True)
    counts = _counts(frame, column, len(steps))  # (97, T), zeros first
    low, high = (round((edge - HISTOGRAM_DECADES[0]) * PER_DECADE) for edge in (scale.low, scale.high))
    clock = np.zeros(len(steps))
    np.maximum.at(clock, column, frame[x].to_numpy(dtype=float))
    paper = sheet.paper.paper
    dark = mix(look.colour, sheet.paper.ink, 0.45)
    colours = [mix(paper, look.colour, 2 * p) if p <= 0.5 else mix(look.colour, dark, 2 * p - 1) for p in np.sqrt(STOPS)]
    common = {"type": "heatmap", "name": look.title, "x": clock, "showscale": False}
    common |= {"zmin": 0, "zmax": FULL * float(counts.sum(axis=0).max(initial=1))}
    common |= {"colorscale": list(map(list, zip(STOPS, colours, strict=True)))}
    end = f"at %{{x:.4~g}}<extra>{look.title}</extra>"
    zeros = {"y": np.array(scale.zero_span), "z": counts[:1], "hovertemplate": "%{z:.3~g} filters at n = 0<br>" + end}
    sheet.add(panel, **common, **zeros, meta=scale.meaning("y"))
    rows = {"y": BIN_EDGES[low : high + 1], "z": counts[1 + low : 1 + high]}
    sheet.add(panel, **common, **rows, hovertemplate="%{z:.3~g} filters near n = %{y:.2~g}<br>" + end)


def _counts(frame: pd.DataFrame, column: np.ndarray, many: int) -> np.ndarray:
    """(97, T) filters, the mean over the runs that were measured at each of T steps; whole numbers for a single one."""
    counts = np.zeros((HISTOGRAM_BINS + 1, many), dtype=int)
    np.add.at(counts, (frame["bin"].to_numpy() + 1, column), frame["count"].to_numpy())
    seeds = np.array(frame["run"].nunique() and frame.groupby(column)["run"].nunique())
    return counts if seeds.max(initial=1) == 1 else counts / seeds
