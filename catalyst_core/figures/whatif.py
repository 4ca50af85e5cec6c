"""Another budget: by the stored order at once, and as it was measured on validation images."""

import numpy as np
import pandas as pd

from catalyst_core.figures import words
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown
from catalyst_core.figures.style import Look, Theme

NOTHING = "No other budget has been measured yet."
NO_ORDER = "Its channels have no order yet."
SHARES = {  # column -> (name, what its line looks like)
    "lost": ("magnitude that would go", "solid"),
    "same": ("same channels as the run's own", "dash"),
}
ACCURACIES = {"accuracy": "right after the cut", "recalibrated_accuracy": "recalibrated"}
SMALL = {"rangemode": "tozero", "exponentformat": "e"}  # '1.5e−6' leaves room for the title, '1.5×10⁻⁶' does not
MARGIN = 4.0  # percentage points of accuracy around the lines


@Plot
def plot_ratios(frame: pd.DataFrame, *, chosen: float, own: float, theme: Theme = "light", reason: str = NO_ORDER) -> Sheet:
    """What the stored order says about every pruning ratio, from a `whatif_frame`; nothing is trained or measured for it.

    Above: share of all magnitude that would go, and how much of the smaller kept set is kept in the run's own decision, too.
    Below: how far the margins on the two sides of the cut are apart. `chosen` and `own` ratio (0..1) are marked.
    """
    sheet = Sheet(theme, height=380)
    above, below = sheet.grid(2, gaps=(0.08, 0))
    x = {"range": [0, 100], "tickvals": [0, 20, 40, 60, 80, 100]}
    sheet.axes(above, x | {"showticklabels": False, "matches": below.x}, {"title": "share (%)", "range": [-3, 103]})
    sheet.axes(below, x | {"title": "channels that go (%)"}, {"title": "step in margin (log)"} | SMALL)
    colour = next((look.colour for look in shown(frame, theme).values()), sheet.paper.ink)
    ratios = 100 * frame["ratio"].to_numpy(dtype=float)
    for column, (name, dash) in SHARES.items() if len(frame) else ():
        line = {"color": colour if dash == "solid" else sheet.paper.faint, "width": 1.8, "dash": dash}
        values = {"x": ratios, "y": 100 * frame[column].to_numpy(dtype=float)}
        hover = "%{y:.1~f} % at %{x:.0f} % of the channels<extra>" + name + "</extra>"
        sheet.add(above, type="scatter", mode="lines", name=name, showlegend=True, line=line, hovertemplate=hover, **values)
    if len(frame):
        hover = "%{y:.2~f} at %{x:.0f} % of the channels<extra></extra>"
        values = {"x": ratios, "y": frame["step"].to_numpy(dtype=float), "line": {"color": colour, "width": 1.8, "shape": "hv"}}
        sheet.add(below, type="scatter", mode="lines", name="step in margin", hovertemplate=hover, **values)
    _marks(sheet, (above, below), chosen, own)
    sheet.legend([name for name, _ in SHARES.values()])
    if frame.empty:
        sheet.empty(reason)
    return sheet


def _marks(sheet: Sheet, panels: tuple[Panel, Panel], chosen: float, own: float) -> None:
    for panel in panels:
        ends = {"y": (0, 1), "yref": f"{panel.y} domain"}
        sheet.line(panel, x=(100 * own, 100 * own), dash="dot", **ends)
        sheet.line(panel, x=(100 * chosen, 100 * chosen), color=sheet.paper.ink, width=1.5, **ends)
    place = {"xref": panels[0].x, "yanchor": "bottom", "font": {"size": 10, "color": sheet.paper.faint}}
    aside = "right" if own <= chosen else "left"
    sheet.note(panels[0], "the run's own", 100 * own, 0.02, xanchor=aside, **place)


def caption_ratios(frame: pd.DataFrame, chosen: float) -> str:
    """What the stored order says about the ratio nearest to `chosen`."""
    if frame.empty:
        return NO_ORDER
    row = frame.iloc[int((frame["ratio"] - chosen).abs().argmin())]
    clear = "" if np.isnan(row["step"]) else f"; between what goes and what stays lie {words.number(row['step'])} log units"
    return (
        f"At {100 * row['ratio']:.0f} %, {row['stay']:.0f} of {row['channels']:.0f} channels would stay and "
        f"{words.percent(row['lost'])} of all magnitude would go{clear}."
    )


@Plot
def plot_what_if(frame: pd.DataFrame, *, theme: Theme = "light", reason: str = NOTHING) -> Sheet:
    """Validation accuracy against the MACs left, a line a run, right after the cut and recalibrated, from a `budgets_frame`.

    The run's own budget has the large mark; the dotted line is the dense network.
    """
    looks = shown(frame, theme)
    sheet = Sheet(theme, height=340)
    panels = sheet.grid(1, 2, gaps=(0, 0.13))
    dense = 100 * frame["dense_accuracy"].mean()
    for panel, (column, said) in zip(panels, ACCURACIES.items(), strict=True):
        values = np.append(100 * frame[column].to_numpy(dtype=float), dense)
        low = float(np.nanmin(values)) - MARGIN if np.isfinite(values).any() else 0.0
        y = {"title": f"accuracy {said} (%)", "range": [max(low, -2.0), 103]}
        sheet.axes(panel, {"title": "MACs left (%)", "range": [-2, 102]}, y, name=said)
        if np.isfinite(dense):
            sheet.line(panel, x=(0, 1), xref=f"{panel.x} domain", y=(dense, dense), dash="dot", color=sheet.paper.ink)
            place = {"yref": panel.y, "xanchor": "right", "yanchor": "top", "font": {"size": 10, "color": sheet.paper.faint}}
            sheet.note(panel, "dense", 0.99, dense, **place)
        for label, look in looks.items():
            mine = frame[frame["label"] == label].dropna(subset=[column])
            for place, (_, run) in enumerate(mine.groupby("run", sort=False)):
                _line(sheet, panel, run, look, (column, column == "accuracy" and not place))
    sheet.legend([look.title for look in looks.values()])
    if not looks:
        sheet.empty(reason)
    return sheet


def _line(sheet: Sheet, panel: Panel, run: pd.DataFrame, look: Look, drawn: tuple[str, bool]) -> None:
    column, named = drawn
    sheet.add(
        panel,
        type="scatter",
        mode="lines+markers",
        name=look.title,
        legendgroup=look.title,
        showlegend=named,
        x=100 * run["macs_share"].to_numpy(dtype=float),
        y=100 * run[column].to_numpy(dtype=float),
        line={"color": look.colour, "width": 1.4, "dash": look.dash},
        marker={"symbol": look.marker, "size": np.where(run["own"], 12, 5).tolist(), "color": look.colour},
        cliponaxis=False,
        customdata=np.column_stack([run["channels"], 100 * run["ratio"], run["seed"]]),
        hovertemplate="%{y:.1~f} % at %{x:.1f} % of the MACs<br>%{customdata[0]:.0f} channels stay, %{customdata[1]:.0f} % go"
        "<extra>" + look.title + ", seed %{customdata[2]:.0f}</extra>",
    )


def caption_what_if(frame: pd.DataFrame, loss: float = 0.01) -> str:
    """How far each run could go, uncut accuracy lost by at most `loss` (0..1), right after the cut and recalibrated."""
    if frame.empty:
        return NOTHING
    parts = []
    for label, look in shown(frame, "light").items():
        for _, run in frame[frame["label"] == label].groupby("run", sort=False):
            name = look.title + (f" (seed {run['seed'].iloc[0]})" if frame["seed"].nunique() > 1 else "")
            parts.append(f"{name} {_least(run, 'accuracy', loss)} → {_least(run, 'recalibrated_accuracy', loss)}")
    images = f"{frame['images'].iloc[0]} validation images"
    point = f"{100 * loss:.3g} point" + "s" * (loss != 0.01)
    return (
        f"Fewest MACs within {point} of the dense network's accuracy, right after the cut → recalibrated: "
        f"{words.listed(parts)}; on {images}, nothing trained again."
    )


def _least(run: pd.DataFrame, column: str, loss: float) -> str:
    """The smallest measured share of MACs that is good enough, with all larger ones; half an image is rounding."""
    rising = run.sort_values("macs_share", ascending=False)
    good = (rising[column] >= rising["dense_accuracy"] - loss - 0.5 / rising["images"]).cumprod().astype(bool)
    return f"{100 * rising['macs_share'][good].min():.0f} %" if good.any() else "none"
