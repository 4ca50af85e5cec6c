"""What a race came to: accuracy against MACs, layer widths, cost. From the ledger."""

from typing import Any

import numpy as np
import pandas as pd

from catalyst_core.figures import style, words
from catalyst_core.figures.sheet import Panel, Plot, Sheet, shown
from catalyst_core.figures.style import Look, Theme, mix
from catalyst_core.frames.ledger import ledger_summary

NOTHING = "No contender has reached the cut yet."
NO_WIDTHS = "No network has been cut yet."
TIMES = {"train_seconds": "training", "regularizer_seconds": "regularizer"}
DODGE = 0.03  # of the axis, between two contenders
STAGES = {"post_prune_accuracy": "after the cut", "finetuned_accuracy": "fine-tuned"}


@Plot
def plot_accuracy_macs(ledger: pd.DataFrame, *, theme: Theme = "light", reason: str = NOTHING) -> Sheet:
    """Test accuracy right after the cut and after fine-tuning, against the MACs left, from a `ledger_frame`.

    A mark a race and contender, the mean over seeds with its sample standard deviation; races of one contender (for example at
    several pruning ratios) are joined. The dotted line is the dense network. The two panels have their own scale; contenders
    stand a little apart where their MACs are the same.
    """
    done = ledger.dropna(subset=["macs_share"])
    summary = ledger_summary(done).sort_values("macs_share", kind="stable")
    looks = shown(done, theme)
    sheet = Sheet(theme, height=340)
    panels = sheet.grid(1, 2, gaps=(0, 0.13))
    x = {"title": "MACs left (% of dense; equal ones set apart)"} | span(100 * summary["macs_share"], 10, (0, 100))
    dense = 100 * done["dense_accuracy"].mean()
    for panel, (column, said) in zip(panels, STAGES.items(), strict=True):
        values = 100 * np.append(summary[column].to_numpy(dtype=float), dense / 100)
        sheet.axes(panel, x, {"title": f"accuracy {said} (%)"} | span(pd.Series(values), 4, (0, 100)), name=said)
        if len(done):
            sheet.line(panel, x=(0, 1), xref=f"{panel.x} domain", y=(dense, dense), dash="dot", color=sheet.paper.ink)
            place = {"yref": panel.y, "xanchor": "left", "yanchor": "bottom", "font": {"size": 10, "color": sheet.paper.faint}}
            sheet.note(panel, "dense", 0.01, dense, **place)
        wide = x["range"][1] - x["range"][0]
        for place, (label, look) in enumerate(looks.items()):
            aside = DODGE * wide * (place - (len(looks) - 1) / 2)
            _points(sheet, panel, summary[summary["label"] == label], look, (column, aside))
    sheet.legend([look.title for look in looks.values()])
    if not looks:
        sheet.empty(reason)
    return sheet


def caption_accuracy_macs(ledger: pd.DataFrame) -> str:
    """Accuracy right after the cut and fine-tuned, a contender."""
    done = ledger.dropna(subset=["macs_share"])
    if done.empty:
        return NOTHING
    summary = ledger_summary(done)
    several = summary["race"].nunique() > 1
    parts = []
    for row in summary.itertuples():
        where = f" at {100 * row.macs_share:.0f} % MACs" if several else ""
        pair = (
            words.percent(row.post_prune_accuracy, row.post_prune_accuracy_std),
            words.percent(row.finetuned_accuracy, row.finetuned_accuracy_std),
        )
        parts.append(f"{style.title(row.label)}{where} {pair[0]} → {pair[1]}")
    dense = words.percent(done["dense_accuracy"].mean())
    return f"Test accuracy right after the cut → fine-tuned: {words.listed(parts)}; dense {dense}."


def span(values: pd.Series, least: float, limits: tuple[float, float]) -> dict[str, Any]:
    """An axis range around the values: at least `least` wide, within the limits."""
    values = values.dropna()
    if values.empty:
        return {"range": list(limits)}
    low, high = float(values.min()), float(values.max())
    half = max(high - low, least) * 0.62
    middle = (low + high) / 2
    return {"range": [max(middle - half, limits[0]), min(middle + half, limits[1])]}


def _points(sheet: Sheet, panel: Panel, summary: pd.DataFrame, look: Look, drawn: tuple[str, float]) -> None:
    column, aside = drawn
    macs = 100 * summary["macs_share"].to_numpy(dtype=float)
    deviations = 100 * summary[f"{column}_std"].to_numpy(dtype=float)
    sheet.add(
        panel,
        type="scatter",
        mode="lines+markers" if len(summary) > 1 else "markers",
        name=look.title,
        legendgroup=look.title,
        showlegend=column == "post_prune_accuracy",
        x=macs + aside,
        y=100 * summary[column].to_numpy(dtype=float),
        error_y={"type": "data", "array": deviations, "thickness": 1.2, "width": 4} if np.isfinite(deviations).any() else None,
        line={"color": look.colour, "width": 1.4, "dash": look.dash},
        marker={"symbol": look.marker, "size": 9, "color": look.colour},
        cliponaxis=False,
        customdata=np.column_stack([summary["seeds"].astype(str), summary["race_title"].astype(str), np.char.mod("%.1f", macs)]),
        meta={"x_means": np.column_stack([macs + aside, macs]).tolist()},
        hovertemplate="%{y:.2~f} % at %{customdata[2]} % of the MACs<br>%{customdata[1]}, %{customdata[0]} seeds"
        "<extra>" + look.title + "</extra>",
    )


@Plot
def plot_widths(frame: pd.DataFrame, *, theme: Theme = "light", reason: str = NO_WIDTHS) -> Sheet:
    """Channels of every filter group before the cut (pale) and after it, a colour a contender, from a `widths_frame`."""
    looks = shown(frame, theme)
    groups = list(dict.fromkeys(frame["group"]))
    sheet = Sheet(theme, height=320, bottom=max(46, 24 + 5 * max((len(str(group)) for group in groups), default=0)))
    panel = sheet.grid(1)[0]
    sheet.axes(
        panel,
        {"title": "filter group, in the order of the network", "tickvals": list(range(len(groups))), "ticktext": groups}
        | ({"tickangle": -40} if len(groups) > 6 else {})
        | {"range": [-0.5, max(1, len(groups)) - 0.5]},
        {"title": "channels", "rangemode": "tozero"},
    )
    before = frame.groupby("group", observed=True)["before"].mean().reindex(groups)
    if looks:
        pale = {"color": sheet.paper.grid, "line": {"width": 0}}
        trace = {"x": np.arange(len(groups)), "y": before.to_numpy(), "width": np.full(len(groups), 0.86)}
        sheet.add(panel, type="bar", name="before the cut", showlegend=True, marker=pale, **trace, hovertemplate=_hover("before"))
    for place, (label, look) in enumerate(looks.items()):
        _after(sheet, panel, frame[frame["label"] == label], look, (place, len(looks), groups))
    sheet.legend([*["before the cut"] * bool(looks), *(look.title for look in looks.values())])
    if not looks:
        sheet.empty(reason)
    return sheet


def _after(sheet: Sheet, panel: Panel, frame: pd.DataFrame, look: Look, drawn: tuple[int, int, list[str]]) -> None:
    place, many, groups = drawn
    wide = 0.8 / many
    after = frame.groupby("group", observed=True)["after"].agg(["mean", "min", "max"]).reindex(groups)
    middles = np.arange(len(groups)) - 0.4 + wide * (place + 0.5)
    sheet.add(
        panel,
        type="bar",
        name=look.title,
        showlegend=True,
        x=middles,
        y=after["mean"].to_numpy(),
        width=np.full(len(groups), wide * 0.9),
        error_y=_range_bar(after) | {"color": sheet.paper.ink} if (after["max"] > after["min"]).any() else None,
        text=[str(group) for group in groups],
        textposition="none",
        marker={"color": look.colour},
        meta={"x_means": np.column_stack([middles, np.arange(len(groups))]).tolist()},
        hovertemplate=_hover(look.title),
    )


def _range_bar(after: pd.DataFrame) -> dict[str, Any]:
    up, down = (after["max"] - after["mean"]).to_numpy(), (after["mean"] - after["min"]).to_numpy()
    return {"type": "data", "array": up, "arrayminus": down, "thickness": 1, "width": 2}


def _hover(name: str) -> str:
    return "%{y:.4~g} channels<extra>" + name + "</extra>"


def caption_widths(frame: pd.DataFrame) -> str:
    """Channels left in all groups together, a contender."""
    if frame.empty:
        return NO_WIDTHS
    parts = []
    for label, look in shown(frame, "light").items():
        mine = frame[frame["label"] == label]
        seeds = mine["run"].nunique()
        parts.append(f"{look.title} {words.count(mine['after'].sum() / seeds)} of {words.count(mine['before'].sum() / seeds)}")
    return f"Channels left: {words.listed(parts)}."


@Plot
def plot_cost(ledger: pd.DataFrame, *, theme: Theme = "light", reason: str = NOTHING) -> Sheet:
    """Seconds of training and of it in the regularizer, a bar a contender (mean over seeds and races), from a `ledger_frame`."""
    done = ledger.dropna(subset=["train_seconds"])
    looks = shown(done, theme)
    names = [look.title for look in looks.values()]
    sheet = Sheet(theme, height=max(220, 90 + 30 * len(looks)), left=24 + 7 * max(map(len, names), default=6))
    panels = sheet.grid(1, 2, gaps=(0, 0.06))
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "range": [max(1, len(names)) - 0.4, -0.6]}
    times = done.groupby("label", observed=True)[list(TIMES)].agg(["mean", "std"]).reindex(list(looks))
    for panel, (column, said) in zip(panels, TIMES.items(), strict=True):
        is_first = panel is panels[0]
        mean = times[(column, "mean")].to_numpy(dtype=float)
        deviation = times[(column, "std")].to_numpy(dtype=float)
        top = (1.4 if is_first else 2.1) * float(_ends(mean, deviation).max(initial=0)) or 1.0
        x = {"title": f"time in {said} (s)", "range": [0, top], "showgrid": True}
        sheet.axes(panel, x, ticks | {"showgrid": False, "showticklabels": is_first}, name=said)
        fills = [look.colour if is_first else mix(look.colour, sheet.paper.paper, 0.35) for look in looks.values()]
        texts = [words.number(seconds) for seconds in mean]
        if not is_first:
            whole = times[("train_seconds", "mean")].replace(0, np.nan).to_numpy(dtype=float)
            shares = 100 * mean / whole
            texts = [
                f"{text} ({words.number(share)} %)" if share > 0 else text for text, share in zip(texts, shares, strict=True)
            ]
        _times(sheet, panel, mean, deviation, (said, fills, texts))
    if not looks:
        sheet.empty(reason)
    return sheet


def _ends(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Where the bars end, whiskers included."""
    return np.nan_to_num(mean) + np.nan_to_num(deviation)


def _times(sheet: Sheet, panel: Panel, mean: np.ndarray, deviation: np.ndarray, drawn: tuple[str, list[str], list[str]]) -> None:
    name, fills, texts = drawn
    whiskers = {"type": "data", "array": deviation, "thickness": 1, "width": 3, "color": sheet.paper.ink}
    sheet.add(
        panel,
        type="bar",
        orientation="h",
        name=name,
        x=mean,
        y=np.arange(len(mean)),
        width=np.full(len(mean), 0.62),
        error_x=whiskers if np.isfinite(deviation).any() else None,
        marker={"color": fills},
        text=texts,
        textposition="none",
        hovertemplate="%{x:.3~g} s<extra></extra>",
    )
    for place, (end, text) in enumerate(zip(_ends(mean, deviation), texts, strict=True)):
        sheet.note(panel, text, end, place, xref=panel.x, yref=panel.y, xanchor="left", yanchor="middle", xshift=3)


def caption_cost(ledger: pd.DataFrame) -> str:
    """Regularizer time as a share of training time, a contender."""
    done = ledger.dropna(subset=["train_seconds"])
    if done.empty:
        return NOTHING
    sums = done.groupby("label", observed=True)[["regularizer_seconds", "train_seconds"]].sum()
    parts = []
    for label, look in shown(done, "light").items():
        part, whole = sums.loc[label, ["regularizer_seconds", "train_seconds"]]
        parts.append(f"{look.title} {words.number(100 * part / whole)} %" if whole else f"{look.title} –")
    return f"Time in the regularizer, of the training time: {words.listed(parts)}."
