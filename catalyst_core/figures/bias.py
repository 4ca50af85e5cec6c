"""Magnitude bias: does a filter survive because it was large to begin with?"""

import numpy as np
import pandas as pd

from catalyst_core.figures import words
from catalyst_core.figures.scales import LogScale
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown, thinned
from catalyst_core.figures.style import Look, Theme
from catalyst_core.frames.audited import correlation_frame, survival_frame
from catalyst_core.frames.columns import split

NOTHING = "No filter has been measured yet."
DODGE = 6.0  # percentiles over which the marks of one bin are spread, so that their intervals can be told apart
POINTS = 1200  # channels drawn at most


@Plot
def plot_bias(
    frame: pd.DataFrame,
    correlations: pd.DataFrame | None = None,
    *,
    theme: Theme = "light",
    reason: str = NOTHING,
    over: pd.DataFrame | None = None,
    marks: int = POINTS,
) -> Sheet:
    """Initial against final magnitude, and survival by initial magnitude, from a `filters_frame`.

    Above: a mark a channel, filled where it is kept, open where it goes. Below: share kept, by the percentile of the initial
    magnitude within its group (so that groups of different scale do not mix), with Wilson's 95 % interval; level: unbiased.
    The legend gives the within-group rank correlation ρ of initial magnitude with survival: `correlations` is the
    `correlation_frame` of the same channels, if it is known. `over`: other moments that the axes have room for, too.
    `marks`: channels drawn at most.
    """
    looks = shown(frame, theme)
    known = frame.dropna(subset=["initial", "magnitude"])
    wide = known if over is None else over.dropna(subset=["initial", "magnitude"])
    zeros = bool((wide["initial"] == 0).any())
    across = LogScale.over(wide["initial"].to_numpy(), zeros=zeros, least=-6)
    up = LogScale.over(wide["magnitude"].to_numpy(), least=-6)
    sheet = Sheet(theme, height=460)
    above, below = sheet.grid(2, gaps=(0.2, 0))
    sheet.axes(above, across.axis("initial magnitude"), up.axis("final magnitude", most=6))
    x = {"title": "initial magnitude, percentile in group", "range": [0, 100], "tickvals": [0, 25, 50, 75, 100]}
    sheet.axes(below, x, {"title": "kept (%)", "range": [-4, 104], "tickvals": [0, 50, 100]})
    rho = _rhos(known, correlations)
    names = {label: look.title + _rho(rho.get(label, np.nan)) for label, look in looks.items()}
    drawn, said = thinned(known, marks)
    sheet.note(above, said, 1, 1, xanchor="right", yanchor="bottom", font={"size": 10, "color": sheet.paper.faint})
    for label, mine in split(drawn).items():
        _marks(sheet, above, mine, looks[label], (across, up))
    survival = survival_frame(known)
    for place, (label, look) in enumerate(looks.items()):
        aside = DODGE * (place - (len(looks) - 1) / 2) / max(1, len(looks))
        _survival(sheet, below, survival[survival["label"] == label], look, (names[label], aside))
    sheet.legend(list(names.values()))
    if not looks:
        sheet.empty(reason)
    return sheet


def _rhos(frame: pd.DataFrame, correlations: pd.DataFrame | None) -> dict[str, float]:
    """The correlation of each label, the mean over its seeds."""
    known = correlation_frame(frame) if correlations is None else correlations
    return known.groupby("label", observed=True)["correlation"].mean().to_dict()


def _rho(value: float) -> str:
    return f" (ρ {value:+.2f})".replace("-", "−") if np.isfinite(value) else ""


def caption_bias(frame: pd.DataFrame, correlations: pd.DataFrame | None = None) -> str:
    """The within-group rank correlation of initial magnitude with survival, a contender."""
    if frame.empty:
        return NOTHING
    rho = _rhos(frame, correlations)
    looks = shown(frame, "light")
    parts = [f"{look.title} {rho[label]:+.2f}" for label, look in looks.items() if np.isfinite(rho.get(label, np.nan))]
    if not parts:
        return "Every channel has the same fate so far, so no bias can be read."
    return f"Rank correlation of initial magnitude with survival, within groups: {words.listed(parts).replace('-', '−')}."


def _marks(sheet: Sheet, panel: Panel, frame: pd.DataFrame, look: Look, scales: tuple[LogScale, LogScale]) -> None:
    across, up = scales
    for kept, state in ((True, "kept"), (False, "pruned")):
        some = frame[frame["kept"] == kept]
        sheet.add(
            panel,
            type="scatter",
            mode="markers",
            name=f"{look.title}, {state}",
            legendgroup=look.title,
            x=across.place(some["initial"].to_numpy()),
            y=up.place(some["magnitude"].to_numpy()),
            marker=look.channel(kept, size=5, opacity=0.75),
            text=some["group"].astype(str).to_numpy(),
            customdata=some["channel"].to_numpy(),
            hovertemplate="%{text}, channel %{customdata}<br>%{x:.2~g} → %{y:.2~g}<extra>" + f"{look.title}, {state}</extra>",
            meta=across.meaning("x") | up.meaning("y"),
        )


def _survival(sheet: Sheet, panel: Panel, survival: pd.DataFrame, look: Look, drawn: tuple[str, float]) -> None:
    name, aside = drawn
    percentile = 100 * survival["percentile"].to_numpy()
    share, low, high = (100 * survival[column].to_numpy() for column in ("share", "low", "high"))
    sheet.add(
        panel,
        type="scatter",
        mode="lines+markers",
        name=name,
        legendgroup=look.title,
        showlegend=True,
        x=percentile + aside,
        customdata=percentile,
        meta={"x_means": np.column_stack([percentile + aside, percentile]).tolist()},
        y=share,
        error_y={"type": "data", "array": high - share, "arrayminus": share - low, "thickness": 1, "width": 2},
        line={"color": look.colour, "width": 1.6, "dash": look.dash},
        marker={"symbol": look.marker, "size": 6, "color": look.colour},
        hovertemplate="%{y:.0f} % kept about percentile %{customdata:.0f}<extra>" + look.title + "</extra>",
    )
