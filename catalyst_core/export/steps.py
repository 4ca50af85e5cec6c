"""One figure at many moments of a race: plotly's frames and a slider over them, on axes that do not move."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from catalyst_core import frames
from catalyst_core.export.drawn import DrawAt
from catalyst_core.export.page import Spec, plain
from catalyst_core.figures.wire import PLAIN
from catalyst_core.frames import RaceView

MOST = 30  # positions of the slider
ROOM = 2_500_000  # characters that all positions may take together
ROOM_BELOW = 86  # pixels for the slider
STAGES = {"dense": "dense training", "sparse": "sparse training", "prune": "the cut", "finetune": "fine-tuning"}
AXES = ["initial", "magnitude", "catalyst", "margin"]  # what the axes of these figures are made from

Trace = dict[str, Any]
Key = tuple[str, str, str, int]


class Moment(NamedTuple):
    """One position of the slider."""

    words: str
    filters: pd.DataFrame


class Picture(NamedTuple):
    """The figure at one moment."""

    words: str
    caption: str
    traces: dict[Key, Trace]
    layout: dict[str, Any]


def stepped(view: RaceView, draw: DrawAt, reason: str) -> tuple[Spec, list[str]]:
    """The figure with a slider over the measured steps, and a caption a position. It begins with the moment of the cut."""
    first = _cut(view)
    sheet, _ = draw(first.filters, reason, None)
    most = int(np.clip(ROOM // len(json.dumps(plain(sheet.spec()[0]))), 3, MOST))
    moments = [first, *(_at(view, step) for step in positions(view, most - 1))]
    over = pd.concat([moment.filters[AXES] for moment in moments])
    pictures = [_picture(moment, draw, reason, over) for moment in moments]
    ranges = _ranges(pictures)
    for picture in pictures:
        _reach(picture, ranges)
    layout = max((picture.layout for picture in pictures), key=lambda one: one["margin"]["t"])  # legends differ in their lines
    layout = layout | {"annotations": pictures[0].layout["annotations"], "shapes": pictures[0].layout["shapes"]}
    for name, reach in ranges.items():
        layout[name] = layout[name] | {"range": reach}
    data, shown = frames_of(pictures)
    return Spec(data, with_slider(layout, pictures), shown), [picture.caption for picture in pictures]


def positions(view: RaceView, most: int = MOST) -> list[int]:
    """At most about `most` of the measured steps, with the first, those of the cuts and the last.

    They begin where every contender that was measured has been: a figure keeps its rows.
    """
    records = [record for record in view.records.values() if record.measured]
    begin = max((record.measured[0].step for record in records), default=0)
    steps = [step for step in frames.steps(view) if step >= begin]
    cuts = {record.measured[record.cut - 1].step for record in records if record.cut}
    wanted = {steps[0], steps[-1], *(cuts & set(steps))} if steps else set()
    spread = np.linspace(0, len(steps) - 1, max(2, most - len(wanted))).round().astype(int) if steps else ()
    return sorted(wanted | {steps[place] for place in spread})


def _cut(view: RaceView) -> Moment:
    is_cut = any(record.cut for record in view.records.values())
    words = "Each contender at its own cut, as on paper" if is_cut else "The newest measurement of each contender"
    return Moment(words, frames.filters_frame(view, until_cut=True))


def _at(view: RaceView, step: int) -> Moment:
    filters = frames.filters_frame(view, step)
    stages = [STAGES.get(stage, stage) for stage in dict.fromkeys(filters["stage"])]
    return Moment(f"Step {step}: {' and '.join(stages)}", filters)


def _picture(moment: Moment, draw: DrawAt, reason: str, over: pd.DataFrame) -> Picture:
    sheet, caption = draw(moment.filters, reason, over)
    data, layout = plain(sheet.spec())
    traces: dict[Key, Trace] = {}
    for trace in data:
        kind = (trace["yaxis"], trace["type"], trace.get("legendgroup") or trace.get("name", ""))
        traces[*kind, sum(key[:3] == kind for key in traces)] = trace
    return Picture(moment.words, caption, traces, layout | {"template": PLAIN[sheet.theme]})


def _ranges(pictures: Sequence[Picture]) -> dict[str, list[float]]:
    """One range for each axis that would differ: around what it was at any moment, else around all numbers on it."""
    found = {}
    for name in [name for name in pictures[0].layout if name[1:5] == "axis"]:
        given = [one.layout[name]["range"] for one in pictures if "range" in one.layout.get(name, ())]
        if given:
            found[name] = [min(low for low, _ in given), max(high for _, high in given)]
        elif pictures[0].layout[name].get("type") != "log":
            numbers = [number for one in pictures for trace in one.traces.values() for number in _along(trace, name)]
            low, high = min([0.0, *numbers]), max(numbers, default=1.0)
            found[name] = [low, high + 0.05 * (high - low or 1.0)]
    return found


def _along(trace: Trace, axis: str) -> list[float]:
    """The numbers of a trace on an axis ('yaxis2'), ends of error bars included."""
    letter = axis[0]
    if trace[f"{letter}axis"] != letter + axis[5:]:
        return []
    longer = trace.get(f"error_{letter}") or {}
    ends = longer.get("array") or [0.0] * len(trace[letter])
    return [number + (end or 0.0) for number, end in zip(trace[letter], ends, strict=True) if number is not None]


def _reach(picture: Picture, ranges: dict[str, list[float]]) -> None:
    """What went to the top of its own row (thresholds, the number at a bar that runs out of it) goes to the shared top."""
    for name, (_, top) in ranges.items():
        own = picture.layout[name].get("range", (0, top))[1]
        if name[0] != "y" or own == top:
            continue
        axis = "y" + name[5:]
        for trace in picture.traces.values():
            if trace["yaxis"] == axis and trace["type"] == "scatter":
                trace["y"] = [top if number == own else number for number in trace["y"]]
        for note in picture.layout["annotations"]:
            if note["yref"] == axis and note["y"] == own:
                note["y"] = min(float(note["text"]), top)


def frames_of(pictures: Sequence[Picture]) -> tuple[list[Trace], list[dict[str, Any]]]:
    """The traces of the first picture, and for every picture what differs between any two."""
    keys = list(dict.fromkeys(key for one in pictures for key in one.traces))
    notes = max(len(one.layout["annotations"]) for one in pictures)
    hidden = {"visible": False, "text": "", "showarrow": False}
    shown: list[dict[str, Any]] = [
        {
            "name": str(place),
            "data": [],
            "layout": {
                "annotations": [note | {"visible": True} for note in one.layout["annotations"]]
                + [hidden] * (notes - len(one.layout["annotations"]))
            },
        }
        for place, one in enumerate(pictures)
    ]
    data = []
    for key in keys:
        example = next(one.traces[key] for one in pictures if key in one.traces)
        # plotly hides an empty trace, and with it its place in the legend.
        nothing = example | {"x": [None], "y": [None]}
        traces = [one.traces[key] if one.traces.get(key, {}).get("x") else nothing for one in pictures]
        names = dict.fromkeys(name for trace in traces for name in trace)
        differ = [name for name in names if any(trace.get(name) != traces[0].get(name) for trace in traces)]
        data.append(traces[0])
        for frame, trace in zip(shown, traces, strict=True):
            frame["data"].append({name: trace.get(name) for name in differ})
    return data, shown


def with_slider(layout: dict[str, Any], pictures: Sequence[Picture]) -> dict[str, Any]:
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    steps = [{"method": "animate", "label": picture.words, "args": [[str(place)], now]} for place, picture in enumerate(pictures)]
    margin = layout["margin"]
    slider = {
        "active": 0,
        "steps": steps,
        "pad": {"t": margin["b"] + 4, "b": 8},
        "currentvalue": {"xanchor": "left", "font": {"size": 13, "color": layout["template"]["layout"]["font"]["color"]}},
        "font": {"color": "rgba(0,0,0,0)", "size": 10},  # the words stand above the slider, once
        "ticklen": 3,
    }
    lower = margin | {"b": margin["b"] + ROOM_BELOW}
    return layout | {"sliders": [slider], "margin": lower, "height": layout["height"] + ROOM_BELOW}
