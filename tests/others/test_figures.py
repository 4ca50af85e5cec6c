"""Weights as figures: the numbers that are drawn, on axes that stay, named for what they are."""

import json
import re

import numpy as np
import pytest

from catalyst_core import figures
from catalyst_core.export import weights as export
from catalyst_core.export.print import to_matplotlib
from catalyst_core.export.weights import WEIGHT_FIGURES, positions, stepped, weights_file
from catalyst_core.figures.weight_map import caption_weight_map, plot_weight_map
from catalyst_core.figures.weights import MOST, caption_weights, plot_weights
from catalyst_core.frames.view import BIN_EDGES
from catalyst_core.frames.weights import Look, Series, spread, weights_at, weights_frame

RNG = np.random.default_rng(5)
EDGES = np.concatenate([-BIN_EDGES[::-1], BIN_EDGES])


def look(step, values, edges=EDGES):
    counts, limits = np.histogram(values, edges)
    return Look(step, 1e9 + step, *spread(limits[:-1], limits[1:], counts.astype(float)))


@pytest.fixture(scope="module")
def values():
    """Two runs whose weights shrink; in the second some become 0."""
    found = {}
    for place, run in enumerate(("first", "second")):
        start = RNG.normal(0, 0.1, 1000)
        found[run] = {step: np.where(np.arange(1000) < 8 * place * step, 0.0, start / (1 + step)) for step in (0, 10, 20, 35)}
    return found


@pytest.fixture(scope="module")
def frame(values):
    return weights_frame({Series(run, "conv"): [look(*one) for one in mine.items()] for run, mine in values.items()})


def drawn(figure, name):
    """Exactly the numbers that a figure shows of a series."""
    table = figures.plotted(figure)
    return table[table["trace"] == name]


def number(text):
    """0.001 or 10⁻⁶ as a number."""
    return float(f"1e{text[2:].translate(str.maketrans('⁻⁰¹²³⁴⁵⁶⁷⁸⁹', '-0123456789'))}" if text.startswith("10⁻") else text)


@pytest.mark.parametrize("arrange", ["rows", "overlay"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bins_hold_the_weights_and_the_rest_is_in_front_of_the_axis(arrange, theme, frame, values):
    figure = plot_weights(frame, arrange=arrange, theme=theme)
    for run, mine in values.items():
        size, table = np.abs(mine[35]), drawn(figure, run)
        front = table[table["x"] == 0]
        limit = number(front["text"].item().removeprefix("smaller than "))
        assert front["y"].item() == pytest.approx((size < limit).sum())
        rest = table[table["x"] > 0]
        assert rest["y"].sum() == pytest.approx((size >= limit).sum())
        for x, y in zip(rest["x"], rest["y"], strict=True):
            place = np.searchsorted(BIN_EDGES, x)
            assert y == pytest.approx(((size >= BIN_EDGES[place - 1]) & (size < BIN_EDGES[place])).sum())
        assert (size > 0).any()
    assert figure.layout.xaxis.ticktext[0].startswith("<")
    titles = {axis.title.text for axis in figure.select_xaxes() if axis.title.text}
    assert titles == {"size of a weight |w|"}
    assert "filter" not in json.dumps(figure.to_plotly_json(), default=str)


def test_the_caption_says_what_is_shown_and_what_is_not(frame, values):
    said = caption_weights(frame)
    assert said.startswith("At step 35: single weights by their size |w|, no filter magnitudes")
    limit = number(re.search(r"Smaller than (\S+),", said).group(1))
    counts = {run: (np.abs(mine[35]) < limit).sum() for run, mine in values.items()}
    assert f"first {counts['first']} of 1000, second {counts['second']} of 1000" in said
    assert "a guess" not in said
    assert caption_weights(weights_at(frame, 10), over=frame).startswith("At step 10: ")
    later = weights_frame({Series("a", "x"): [look(1, [0.5])], Series("b", "x"): [look(7, [0.5])]})
    assert caption_weights(later).startswith("Each at its last look, steps 1 to 7: ")


def test_a_thin_tail_does_not_make_the_axis_longer():
    """One weight in a thousand may be smaller than the axis shows; two make it begin a decade, or more, earlier."""
    bulk = np.full(1497, 0.5)
    for small, begins in (([1e-5, 0.5, 0.5], 0.1), ([1.5e-5, 2e-5, 0.5], 1e-5), ([0.0, 0.0, 0.0], 0.1)):
        frame = weights_frame({Series("a", "w"): [look(0, np.concatenate([bulk, small]))]})
        table = drawn(plot_weights(frame), "w")
        assert number(table[table["x"] == 0]["text"].item().removeprefix("smaller than ")) == begins
        assert table["y"].sum() == pytest.approx(1500)


def test_thirty_equal_buckets_tell_little_of_small_weights_and_that_is_said():
    wide = weights_frame({Series("a", "w"): [look(0, RNG.normal(0, 0.1, 1000), np.linspace(-0.4, 0.4, 32))]})
    share = float(re.search(r"([\d.]+) % of the weights of w lie in a bucket around 0", caption_weights(wide)).group(1))
    assert 5 < share < 20
    assert "a guess" in caption_weight_map(wide)


def test_the_map_has_a_column_a_step_and_loses_no_weight(frame, values):
    figure = plot_weight_map(frame)
    for run, mine in values.items():
        table = drawn(figure, run)
        assert sorted(set(table["x"])) == sorted(mine)
        for step, one in mine.items():
            column = table[table["x"] == step]
            assert column["z"].sum() == pytest.approx(len(one))
            front = column[column["y"] == 0]["z"].item()
            limit = number(figure.layout.yaxis.ticktext[0].removeprefix("<"))
            assert front == pytest.approx((np.abs(one) < limit).sum())
    assert "first 4 looks, second 4 looks" in caption_weight_map(frame)


def test_rows_of_the_map_share_their_steps_on_screen_and_on_paper():
    """Series with looks of their own: a step stands at one place in all rows."""
    apart = weights_frame(
        {Series("a", "x"): [look(step, [0.5]) for step in (0, 10)], Series("b", "x"): [look(step, [0.5]) for step in (10, 30)]}
    )
    figure = plot_weight_map(apart)
    assert {axis.range for axis in figure.select_xaxes()} == {(-7.5, 37.5)}
    printed = to_matplotlib(figure)
    assert {axes.get_xlim() for axes in printed.axes} == {(-7.5, 37.5)}
    assert sorted(set(figures.plotted(figure)["x"])) == [0, 10, 30]


def test_of_a_race_read_back_it_is_said_that_these_are_filters(frame):
    ours = weights_frame({Series("catalyst", "filters/magnitude"): [look(0, [0.5])]})
    for say in (caption_weights, caption_weight_map):
        assert "holds a number a filter" in say(ours)
        assert "holds a number a filter" not in say(frame)


def test_of_many_histograms_the_first_few_are_drawn_and_that_is_said():
    many = weights_frame({Series("a", f"layer{number}"): [look(0, [0.1, 0.2])] for number in range(MOST + 3)})
    for figure in (plot_weights(many), plot_weights(many, arrange="overlay"), plot_weight_map(many)):
        assert f"the first {MOST} of {MOST + 3} histograms" in {note.text for note in figure.layout.annotations}
        assert set(figures.plotted(figure)["trace"]) == {f"layer{number}" for number in range(MOST)}


def test_names_of_others_are_no_markup():
    hostile = weights_frame({Series("a", "<a href='javascript:x'>w</a>"): [look(0, [0.1])]})
    for which in WEIGHT_FIGURES:
        sheet, caption = WEIGHT_FIGURES[which].draw(hostile, None, "light")
        assert "<a" not in json.dumps(sheet.figure().to_plotly_json(), default=str)
        assert "<a" not in caption


@pytest.mark.parametrize("which", WEIGHT_FIGURES)
def test_without_a_histogram_there_are_axes_and_the_reason(which):
    nothing = weights_frame({})
    sheet, caption = WEIGHT_FIGURES[which].draw(nothing, None, "light")
    assert "There is no histogram of weights." in {note.text for note in sheet.figure().layout.annotations}
    assert caption == "There is no histogram of weights."
    empty = weights_frame({Series("a", "w"): [Look(0, 0.0, np.zeros(97), 0.0)]})
    assert WEIGHT_FIGURES[which].draw(empty, None, "light")[0].figure().data


@pytest.mark.parametrize("which", ["rows", "overlay"])
def test_the_slider_shows_the_figure_of_each_step_on_axes_that_stay(which, frame):
    kind = WEIGHT_FIGURES[which]
    spec, captions = stepped(frame, kind, 10)
    words = [one["label"] for one in spec.layout["sliders"][0]["steps"]]
    assert words == ["Step 10, or the last look before it", "Step 0", "Step 10", "Step 20", "Step 35"]
    for place, step in enumerate([10, 0, 10, 20, 35]):
        sheet, caption = kind.draw(frame, step, "light")
        assert captions[place] == caption
        layout = sheet.spec()[1]
        assert all(layout[key]["range"] == pytest.approx(spec.layout[key]["range"]) for key in layout if key[1:5] == "axis")
        shown = [trace | change for trace, change in zip(spec.data, spec.frames[place]["data"], strict=True)]
        for trace, wanted in zip(shown, sheet.spec()[0], strict=True):
            np.testing.assert_allclose([np.nan if y is None else y for y in trace["y"]], wanted["y"], rtol=1e-5)


def test_positions_begin_where_every_series_has_been_looked_at():
    late = weights_frame(
        {Series("a", "x"): [look(step, [0.5]) for step in range(100)], Series("b", "x"): [look(step, [0.5]) for step in (40, 80)]}
    )
    found = positions(late, 5)
    assert (found[0], found[-1], len(found)) == (40, 99, 5)
    assert positions(weights_frame({})) == []
    spec, captions = stepped(late, WEIGHT_FIGURES["rows"], 3)  # before the second has a look
    assert "a 0 of 1." in captions[0]
    assert len({len(one["data"]) for one in spec.frames}) == 1
    assert stepped(late, WEIGHT_FIGURES["rows"], -1)[1][0] == "There is no histogram of weights up to this step."


@pytest.mark.parametrize("which", WEIGHT_FIGURES)
def test_files_hold_the_figure(which, frame, monkeypatch):
    monkeypatch.setattr(export, "MOST", 4)
    assert weights_file(frame, "svg", which).startswith(b"<?xml")
    page = weights_file(frame, "html", which).decode()
    assert f"<title>{WEIGHT_FIGURES[which].title}</title>" in page
    assert ('"sliders"' in page) == (which != "map")
    sheet, _ = WEIGHT_FIGURES[which].draw(frame, None, "light")
    written = weights_file(frame, "csv", which).decode()
    assert written == figures.plotted(sheet.figure()).to_csv(index=False, lineterminator="\n")
