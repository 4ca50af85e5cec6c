"""What is sent to a browser is the figure: the same numbers, in fewer bytes."""

import base64
import json

import numpy as np
import plotly.graph_objects as go
import pytest

from catalyst_core import figures, frames
from catalyst_core.figures.density import FEWER, MANY, MOMENTS, moments
from catalyst_core.figures.wire import wire
from catalyst_core.frames import RaceView
from tests import synthetic


@pytest.fixture(scope="module")
def view():
    store = synthetic.MemoryStore()
    race = synthetic.half_race(store)
    found = RaceView(store, race.id)
    found.refresh()
    return found


DRAWN = {
    "magnitudes": lambda view: (figures.plot_magnitudes, frames.filters_frame(view)),
    "margins": lambda view: (figures.plot_margins, frames.filters_frame(view)),
    "bias": lambda view: (figures.plot_bias, frames.filters_frame(view)),
    "phase": lambda view: (figures.plot_phase_plane, frames.filters_frame(view)),
    "curves": lambda view: (figures.plot_curves, frames.curves_frame(view)),
    "bifurcation": lambda view: (figures.plot_bifurcation, frames.density_frame(view)),
}


def decoded(value):
    """An array as plotly.js reads it."""
    if isinstance(value, dict) and "bdata" in value:
        flat = np.frombuffer(base64.b64decode(value["bdata"]), dtype=f"<{value['dtype']}")
        return flat.reshape([int(part) for part in value["shape"].split(",")]) if "shape" in value else flat
    return np.array([np.nan if one is None else one for one in value], dtype=float)


@pytest.mark.parametrize("name", DRAWN)
def test_a_sheet_on_the_wire_has_the_numbers_of_the_figure(name, view):
    plot, frame = DRAWN[name](view)
    whole, sent = plot(frame), wire(plot.sheet(frame))
    assert len(sent["data"]) == len(whole.data) > 0
    for trace, drawn in zip(sent["data"], whole.data, strict=True):
        for axis in {"x", "y", "z"} & set(trace):
            assert np.allclose(decoded(trace[axis]), np.asarray(drawn[axis], dtype=float), rtol=1e-6, equal_nan=True)
    assert go.Figure(json.loads(json.dumps(sent))).layout.height == whole.layout.height


@pytest.mark.parametrize(("count", "kind"), [(3, "u1"), (300, "i2"), (40_000, "u2"), (70_000, "i4"), (-4, "i2")])
def test_whole_numbers_take_as_few_bytes_as_hold_them(count, kind):
    sheet = figures.plot_cost.sheet(frames.ledger_frame([]))
    sheet.data[0] |= {"customdata": np.array([[count, 0]])}
    sent = wire(sheet)["data"][0]["customdata"]
    assert sent["dtype"] == kind
    assert decoded(sent).tolist() == [[count, 0]]


def test_of_many_looks_the_map_shows_some_and_keeps_most_of_them_when_more_follow():
    assert len(moments(np.arange(MOMENTS), channels=MANY)) == MOMENTS
    before, after = (moments(np.arange(5, 5 * looks, 5), channels=MANY + 1) for looks in (400, 401))
    assert len(before) <= FEWER
    assert set(before) <= set(after)
    assert before[0] == 5
