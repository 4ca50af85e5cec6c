"""The phase plane: each filter's magnitude n against its catalyst variable D. Above the diagonal it goes, below it stays."""

from typing import Literal

import numpy as np
import pandas as pd

from catalyst_core.figures import words
from catalyst_core.figures.scales import LogScale
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown, thinned
from catalyst_core.figures.style import Look, Theme
from catalyst_core.frames.columns import split

POINTS = 1200  # channels drawn at most
NOTHING = "No catalyst variables D to show: only Catalyst has them, until its cut."


@Plot
def plot_phase_plane(
    frame: pd.DataFrame,
    *,
    scale: Literal["log", "linear"] = "log",
    theme: Theme = "light",
    reason: str = NOTHING,
    over: pd.DataFrame | None = None,
) -> Sheet:
    """A mark a channel of every contender with catalyst variables, from a `filters_frame`.

    Filled: kept side; open: pruned side. On the logarithmic axes exact zeros stand at the edges, labelled 0: D = 0 is
    preserved, n = 0 is pruned. `over`: other moments that logarithmic axes have room for, too.
    """
    known = frame.dropna(subset=["catalyst"])
    looks = shown(known, theme)
    wide = known if over is None else over.dropna(subset=["catalyst"])
    both = LogScale.over(wide[["magnitude", "catalyst"]].to_numpy(dtype=float).ravel(), least=-6)
    sheet = Sheet(theme, height=380)
    panel = sheet.grid(1)[0]
    titles = ("filter magnitude n", "catalyst variable D")
    if scale == "log":
        sheet.axes(panel, both.axis(titles[0]), both.axis(titles[1]))
        ends = (10.0**both.low, 10.0**both.high)
    else:
        sheet.axes(panel, *({"title": title, "rangemode": "tozero"} for title in titles))
        ends = (0.0, float(np.nanmax(known[["magnitude", "catalyst"]].to_numpy(dtype=float), initial=1.0)))
    sheet.line(panel, x=ends, y=ends, color=sheet.paper.ink, dash="dot")
    drawn, said = thinned(known, POINTS)
    sheet.note(panel, said, 1, 1, xanchor="right", yanchor="bottom", font={"size": 10, "color": sheet.paper.faint})
    for label, mine in split(drawn).items():
        _marks(sheet, panel, mine, looks[label], both if scale == "log" else None)
    sheet.legend([name for look in looks.values() for name in (f"{look.title}, kept side", f"{look.title}, pruned side")])
    if looks:
        place = {"font": {"size": 10, "color": sheet.paper.faint}}
        sheet.note(panel, "D > n: goes", 0.17, 0.97, xanchor="left", yanchor="top", **place)
        sheet.note(panel, "n > D: stays", 0.99, 0.17, xanchor="right", yanchor="bottom", **place)
    else:
        sheet.empty(reason)
    return sheet


def caption_phase_plane(frame: pd.DataFrame) -> str:
    """How many channels lie on the axes, that is, are decided exactly."""
    known = frame.dropna(subset=["catalyst"])
    if known.empty:
        return NOTHING
    parts = []
    by_label = split(known)
    for label, look in shown(known, "light").items():
        mine = by_label[label]
        gone, stay = int((mine["magnitude"] == 0).sum()), int((mine["catalyst"] == 0).sum())
        parts.append(f"{look.title} {gone} with n = 0 and {stay} with D = 0 of {len(mine)}")
    return f"Channels decided exactly: {words.listed(parts)}."


def _marks(sheet: Sheet, panel: Panel, frame: pd.DataFrame, look: Look, scale: LogScale | None) -> None:
    for kept, side in ((True, "kept side"), (False, "pruned side")):
        some = frame[frame["kept"] == kept]
        n, d = some["magnitude"].to_numpy(), some["catalyst"].to_numpy()
        sheet.add(
            panel,
            type="scatter",
            mode="markers",
            name=f"{look.title}, {side}",
            showlegend=True,
            x=n if scale is None else scale.place(n),
            y=d if scale is None else scale.place(d),
            marker=look.channel(kept, size=6, opacity=0.8),
            text=some["group"].astype(str).to_numpy(),
            customdata=some["channel"].to_numpy(),
            hovertemplate="%{text}, channel %{customdata}<br>n = %{x:.2~g}, D = %{y:.2~g}<extra>" + look.title + "</extra>",
            meta={} if scale is None else scale.meaning("x") | scale.meaning("y"),
        )
