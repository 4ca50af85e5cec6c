"""The slider of a figure's page: all measured moments, on axes that do not move, and the figure itself at each of them."""

import json

import pandas as pd
import pytest

from catalyst_core import frames
from catalyst_core.export import steps
from catalyst_core.export.drawn import MOMENTS
from catalyst_core.export.page import plain
from catalyst_core.frames import RaceView
from tests import synthetic


@pytest.fixture(scope="module")
def view():
    store = synthetic.MemoryStore()
    methods = ({"name": "catalyst"}, {"name": "l1"}, {"name": "none"})
    view = RaceView(store, synthetic.whole_race(store, synthetic.config(methods)).id)
    view.refresh()
    return view


@pytest.fixture(scope="module")
def few():
    """Positions enough for these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "MOST", 6)
        yield


def test_the_first_the_cuts_and_the_last_are_positions(view):
    measured = frames.steps(view)
    found = steps.positions(view, 8)
    assert found == sorted(set(found) & set(measured))
    assert {measured[0], 200, 500, measured[-1]} <= set(found)
    assert 6 <= len(found) <= 9
    assert len(steps.positions(view, 1000)) == len(measured)


@pytest.mark.parametrize("name", MOMENTS)
def test_a_position_shows_the_figure_of_that_step(name, view, few):
    spec, captions = steps.stepped(view, MOMENTS[name], "")
    assert len(spec.frames) == len(captions) == len(spec.layout["sliders"][0]["steps"])
    assert spec.layout["sliders"][0]["steps"][0]["label"] == "Each contender at its own cut, as on paper"
    place = next(i for i, step in enumerate(spec.layout["sliders"][0]["steps"]) if step["label"].startswith("Step 200: "))
    moments = [frames.filters_frame(view, step) for step in steps.positions(view, steps.MOST - 1)]
    over = pd.concat([frames.filters_frame(view, until_cut=True), *moments])
    sheet, caption = MOMENTS[name](frames.filters_frame(view, 200), "", over)
    assert captions[place] == caption
    shown = [trace | change for trace, change in zip(spec.data, spec.frames[place]["data"], strict=True)]
    wanted = [trace for trace in plain(sheet.spec()[0]) if trace.get("x") and trace["x"] != [None]]
    assert wanted
    for trace in wanted:
        assert any(
            all(one.get(name) == trace[name] for name in ("x", "name", "yaxis", "marker") if name in trace) for one in shown
        )
    assert len([one for one in shown if one["x"] != [None]]) == len(wanted)


@pytest.mark.parametrize("name", MOMENTS)
def test_axes_hold_every_position_and_stay(name, view, few):
    spec, _ = steps.stepped(view, MOMENTS[name], "")
    for key in [key for key in spec.layout if key[1:5] == "axis"]:
        low, high = spec.layout[key]["range"]
        assert low < high
        numbers = [
            number
            for frame in spec.frames
            for trace, change in zip(spec.data, frame["data"], strict=True)
            if trace[f"{key[0]}axis"] == key[0] + key[5:] and trace["type"] == "scatter"
            for number in (trace | change)[key[0]]
            if number is not None
        ]
        is_log = spec.layout[key].get("type") == "log"
        ends = (10**low, 10**high) if is_log else (low, high)
        assert all(ends[0] * (1 - 1e-5) - 1e-12 <= number <= ends[1] * (1 + 1e-5) for number in numbers)
    assert all(set(frame["layout"]) == {"annotations"} for frame in spec.frames)
    counts = {len(frame["layout"]["annotations"]) for frame in spec.frames}
    assert len(counts) == 1  # plotly would leave what a shorter list does not name
    assert len(json.dumps(spec._asdict())) < 3e6
