"""The planted rescale audit: does a method keep the same filters when their scale is changed and the function is not?"""

import numpy as np
import pandas as pd

from catalyst_core.figures import style, words
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown
from catalyst_core.figures.style import Look, Theme

NOTHING = "No planted rescale audit has been made yet."
KINDS = {"powers_of_two": ("powers of two", "", -0.16), "any": ("any factors", "-open", 0.16)}  # name, mark, place in its row
ROW = 58  # pixels a method
AXES = {
    "correlation": ("correlation with survival", [-1.05, 1.05], 0.0),
    "jaccard": ("overlap (Jaccard)", [-0.03, 1.05], 1.0),
}


@Plot
def plot_rescale(frame: pd.DataFrame, *, theme: Theme = "light", reason: str = NOTHING) -> Sheet:
    """Correlation of the planted factors with survival, with its 95 % interval, and overlap with the unplanted choice.

    A row a method of a `rescale_frame`; filled marks: factors that are powers of two, open ones: any. A choice that does not
    see the scale lies on the dotted lines: 0 and 1.
    """
    looks = shown(frame, theme)
    names = [look.title for look in looks.values()]
    wide = max(map(len, names), default=6)
    sheet = Sheet(theme, height=90 + ROW * max(2, len(looks)), left=min(150, 24 + 7 * wide))
    panels = sheet.grid(1, 2, gaps=(0, 0.06))
    rows = {"tickvals": list(range(len(names))), "ticktext": names, "range": [max(1, len(names)) - 0.4, -0.6], "showgrid": False}
    for panel, (column, (said, reach, unbiased)) in zip(panels, AXES.items(), strict=True):
        x = {"title": said, "range": reach, "nticks": 5, "showgrid": True}
        sheet.axes(panel, x, rows | {"showticklabels": panel is panels[0]}, name=said)
        sheet.line(panel, x=(unbiased, unbiased), y=(0, 1), yref=f"{panel.y} domain", color=sheet.paper.ink, dash="dot")
        for place, (label, look) in enumerate(looks.items()):
            for kind, row in frame[frame["label"] == label].groupby("factors", observed=True, sort=False):
                _mark(sheet, panel, row.iloc[0], look, (str(kind), place, column))
    sheet.legend([name for name, *_ in KINDS.values()] if looks else [])
    if not looks:
        sheet.empty(reason)
    return sheet


def _mark(sheet: Sheet, panel: Panel, row: pd.Series, look: Look, drawn: tuple[str, int, str]) -> None:
    kind, place, column = drawn
    name, fill, aside = KINDS[kind]
    value = row[column]
    whiskers = None
    if column == "correlation" and np.isfinite(row["low"]):
        # A bootstrap's percentiles near the largest correlation that ties allow may lie below the correlation itself.
        ends = {"array": [max(row["high"] - value, 0)], "arrayminus": [max(value - row["low"], 0)]}
        whiskers = {"type": "data", "symmetric": False, "thickness": 1.4, "width": 4} | ends
    is_first = column == "correlation" and place == 0
    sheet.add(
        panel,
        type="scatter",
        mode="markers",
        name=name if is_first else f"{look.title}, {name}",
        legendgroup=kind,
        showlegend=is_first,
        x=[value],
        y=[place + aside],
        error_x=whiskers,
        marker={"symbol": look.marker + fill, "size": 10, "color": look.colour, "line": {"width": 1.4, "color": look.colour}},
        cliponaxis=False,
        meta={"y_means": [[place + aside, place]]},
        hovertemplate="%{x:.3~f}<extra>" + f"{look.title}, {name}" + "</extra>",
    )


def caption_rescale(frame: pd.DataFrame) -> str:
    """Correlation with its interval, and overlap, a method and kind of factors."""
    if frame.empty:
        return NOTHING
    parts = []
    for row in frame.itertuples():
        who = "" if frame["label"].nunique() == 1 else f"{style.title(str(row.label))}, "
        interval = f" [{_signed(row.low)}, {_signed(row.high)}]" if np.isfinite(row.low) else ""
        bits = ", bit for bit the same run" if row.bit_identical else ", the same filters" if row.identical else ""
        parts.append(f"{who}{KINDS[row.factors][0]} {_signed(row.correlation)}{interval}, overlap {row.jaccard:.2f}{bits}")
    said = "Correlation of the planted factors with survival (95 % interval) and overlap with the unplanted choice"
    return f"{said}: {'; '.join(parts)}."


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−") if np.isfinite(value) else words.number(value)
