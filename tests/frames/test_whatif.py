"""Other budgets as frames and figures: against brute force on a made-up run, and on results as analyses store them."""

import json

import numpy as np
import pytest

from catalyst_core import figures, frames
from catalyst_core.cli import auditing
from catalyst_core.training.rescale import RescaleResult
from tests import synthetic

RESULT = {
    "images": 200, "channels": 160, "macs": 1000, "dense_accuracy": 0.99, "uncut_accuracy": 0.98,
    "points": [
        {"ratio": ratio, "own": ratio == 0.5, "channels": 160 - round(160 * ratio), "macs": macs, "accuracy": accuracy,
         "recalibrated_accuracy": again, "max_abs_logit_change": 0.5}
        for ratio, macs, accuracy, again in ((0.25, 600, 0.985, 0.985), (0.5, 300, 0.7, 0.98), (0.75, 100, 0.985, None))
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def view():
    store = synthetic.MemoryStore()
    found = frames.RaceView(store, synthetic.whole_race(store).id)
    found.refresh()
    return found


def filters_of(view, method, step=None):
    everything = frames.filters_frame(view, step, until_cut=True)
    return everything[everything["method"] == method]


@pytest.mark.parametrize(("method", "step"), [("catalyst", 250), ("none", None)])
def test_the_stored_order_answers_as_brute_force_does(view, method, step):
    filters = filters_of(view, method, step)
    curve = frames.whatif_frame(filters).set_index("stay")
    ratio = 0.7
    stays, gone, steps, sizes = [], 0.0, [], []
    for _, group in filters.groupby("group", observed=True):
        rows = group.sort_values(["margin", "magnitude"])
        cut = round(len(rows) * ratio)
        stays += rows.index[cut:].tolist()
        gone += rows["magnitude"].iloc[:cut].sum()
        standing = rows["margin"] if method == "catalyst" else np.log(rows["magnitude"])
        steps.append(standing.iloc[cut] - standing.iloc[cut - 1])
        sizes.append(len(rows))
    row = curve.loc[len(stays)]
    assert row["ratio"] == pytest.approx(ratio)
    assert filters.index[frames.stays(filters, ratio)].tolist() == sorted(stays)
    assert row["lost"] == pytest.approx(gone / filters["magnitude"].sum())
    assert row["same"] == pytest.approx(filters.loc[stays, "kept"].mean())
    assert row["step"] == pytest.approx(np.average(steps, weights=sizes))


def test_the_curve_marks_the_chosen_ratio_and_says_it(view):
    curve = frames.whatif_frame(filters_of(view, "catalyst", 300))
    figure = figures.plot_ratios(curve, chosen=0.7, own=0.5)
    assert {shape.x0 for shape in figure.layout.shapes} == {70, 50}
    shown = figures.plotted(figure)
    lost = shown[shown["trace"] == "magnitude that would go"]
    assert lost["y"].to_numpy() == pytest.approx(100 * curve["lost"].to_numpy())
    assert figures.caption_ratios(curve, 0.7).startswith("At 70 %, 48 of 160 channels would stay and ")


def test_measured_budgets_are_drawn_as_they_were_stored(view):
    runs = view.race.runs
    frame = frames.budgets_frame(view.race, {runs[0].id: RESULT, runs[1].id: RESULT})
    assert len(frame) == 6
    assert list(frame["label"].cat.categories) == list(view.labels)
    shown = figures.plotted(figures.plot_what_if(frame))
    catalyst = shown[shown["trace"] == "Catalyst"]
    cut, again = (catalyst[catalyst["panel"] == panel] for panel in ("right after the cut", "recalibrated"))
    assert cut["x"].tolist() == [60, 30, 10]
    assert cut["y"].tolist() == pytest.approx([98.5, 70, 98.5])
    assert again["y"].tolist() == pytest.approx([98.5, 98])
    assert "Catalyst 60 % → 30 %" in figures.caption_what_if(frame)  # 10 % is good again by luck: 30 % was not


def test_audits_are_drawn_as_the_command_prints_them():
    kinds = [("powers_of_two", 0.4), ("any", float("nan"))]
    results = [
        RescaleResult("catalyst", kind, (0,), value, value - 0.1, value + 0.05, 0.6, False, False, 0.0, 1e-7)
        for kind, value in kinds
    ]
    printed = json.loads(json.dumps([auditing._nested(one, results) for one in results]))
    frame = frames.rescale_frame(printed, ("l1", "catalyst"))
    shown = figures.plotted(figures.plot_rescale(frame))
    first = shown.iloc[0]
    assert (first["x"], first["y"], first["panel"]) == (0.4, 0, "correlation with survival")
    assert (first["error_low"], first["error_high"]) == pytest.approx((0.1, 0.05))
    assert shown[shown["panel"] == "overlap (Jaccard)"]["x"].tolist() == [0.6, 0.6]
    assert "powers of two +0.40 [+0.30, +0.45], overlap 0.60; any factors –, overlap 0.60" in figures.caption_rescale(frame)


def test_without_results_the_figures_say_so(view):
    for plot, caption, frame in (
        (figures.plot_what_if, figures.caption_what_if, frames.budgets_frame(view.race, {})),
        (figures.plot_rescale, figures.caption_rescale, frames.rescale_frame([])),
    ):
        reason = next(note.text for note in plot(frame).layout.annotations if note.name == "reason")
        assert caption(frame) == reason
