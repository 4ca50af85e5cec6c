"""Every family: the numbers that are drawn, what is said about them, and what happens when there are none."""

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalyst_core import figures, frames
from catalyst_core.events import FiltersMeasured, GroupsFound, RolledBack, SettingChanged, pack
from catalyst_core.figures import style
from catalyst_core.frames import RaceView
from tests import synthetic

THEMES = ("light", "dark")


def view_of(store, race):
    view = RaceView(store, race.id)
    view.refresh()
    return view


def finished():
    store = synthetic.MemoryStore()
    return view_of(store, synthetic.whole_race(store))


def several_seeds():
    store = synthetic.MemoryStore()
    methods = ({"name": "catalyst"}, {"name": "l1", "strength": 0.01}, {"name": "l1", "strength": 0.03}, {"name": "none"})
    return view_of(store, synthetic.whole_race(store, synthetic.config(methods, seeds=(0, 1))))


def halfway():
    store = synthetic.MemoryStore()
    return view_of(store, synthetic.half_race(store))


def queued():
    store = synthetic.MemoryStore()
    return view_of(store, store.create(synthetic.config()))


def only_groups():
    store = synthetic.MemoryStore()
    race = store.create(synthetic.config())
    store.append(race.runs[0].id, GroupsFound(step=0, names=("a",), sizes=(3,)))
    return view_of(store, race)


def one_look(magnitudes, margins, catalysts=None, method="catalyst"):
    """A race in which one run has measured its filters once and said nothing else."""
    store = synthetic.MemoryStore()
    race = store.create(synthetic.config([{"name": method}]))
    channels = len(magnitudes)
    event = FiltersMeasured(
        step=1,
        stage="sparse",
        magnitudes=pack(magnitudes),
        catalysts=None if catalysts is None else pack(catalysts),
        margins=pack(margins),
        thresholds=(None,),
        histogram=(0,) * 96,
        zeros=channels,
    )
    store.append(race.runs[0].id, GroupsFound(step=0, names=("a",), sizes=(channels,)), event)
    return view_of(store, race)


def dead():
    """Every filter is gone."""
    return one_look([0.0] * 4, [-np.inf] * 4, [1.0] * 4)


STATES = {
    "finished": finished,
    "several seeds": several_seeds,
    "halfway": halfway,
    "queued": queued,
    "only groups": only_groups,
    "dead": dead,
}


def family(name, view, theme="light"):
    """A figure and its caption."""
    cut, newest = frames.filters_frame(view, until_cut=True), frames.filters_frame(view)
    ledger = frames.ledger_frame(view.race)
    if name == "curves":
        frame = frames.curves_frame(view)
        return figures.plot_curves(frame, frames.changes_frame(view), theme=theme), figures.caption_curves(frame)
    frame = {
        "magnitudes": newest,
        "margins": cut,
        "bias": cut,
        "phase_plane": newest,
        "bifurcation": frames.density_frame(view),
        "widths": frames.widths_frame(view),
        "accuracy_macs": ledger,
        "cost": ledger,
    }.get(name)
    if frame is None:
        frame = frames.flip_frame(cut, draws=20)
    return getattr(figures, f"plot_{name}")(frame, theme=theme), getattr(figures, f"caption_{name}")(frame)


FAMILIES = (
    "magnitudes",
    "margins",
    "flip_curve",
    "bias",
    "curves",
    "bifurcation",
    "phase_plane",
    "accuracy_macs",
    "widths",
    "cost",
)


@pytest.fixture(scope="module")
def views():
    return {name: build() for name, build in STATES.items()}


def reasons(figure):
    return [note.text for note in figure.layout.annotations if note.name == "reason"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_draws_every_state(name, state, theme, views):
    figure, caption = family(name, views[state], theme)
    assert isinstance(figure, go.Figure)
    assert caption.endswith(".")
    assert figure.layout.uirevision == "catalyst"
    assert figure.layout.paper_bgcolor is None  # the template's, not the figure's
    assert figure.layout.template.layout.paper_bgcolor == style.PAPERS[theme].paper
    assert figure.layout.xaxis.title.text or len(figure.layout.annotations)
    figure.to_json()


@pytest.mark.parametrize("name", FAMILIES)
def test_without_data_the_reason_is_written_on_the_axes(name, views):
    figure, _ = family(name, views["queued"])
    assert len(reasons(figure)) == 1
    assert len(figures.plotted(figure)) == 0
    assert any(axis.title.text for axis in figure.select_xaxes())
    assert name == "cost" or any(axis.title.text for axis in figure.select_yaxes())  # its y axis names the contenders


@pytest.mark.parametrize("name", FAMILIES)
def test_with_data_there_is_no_reason_and_every_trace_has_a_name(name, views):
    figure, _ = family(name, views["finished"])
    assert reasons(figure) == []
    assert all(trace.name for trace in figure.data)
    assert len(figures.plotted(figure)) > 0


def test_a_reason_of_the_caller_is_shown(views):
    frame = frames.filters_frame(views["queued"])
    assert reasons(figures.plot_margins(frame, reason="All contenders are queued.")) == ["All contenders are queued."]


def test_magnitude_bars_count_every_filter_once(views):
    for state in ("finished", "halfway", "several seeds"):
        filters = frames.filters_frame(views[state])
        table = figures.plotted(figures.plot_magnitudes(filters))
        bars = table[~table["trace"].str.contains("threshold")]
        drawn = bars.groupby("panel")["y"].sum()
        for label, mine in filters.groupby("label", observed=True):
            assert drawn[style.title(label)] == pytest.approx(len(mine) / mine["run"].nunique())


def test_exact_zeros_have_a_bar_at_zero_and_its_count_beside_it(views):
    filters = frames.filters_frame(views["finished"])
    figure = figures.plot_magnitudes(filters)
    table = figures.plotted(figure)
    zeros = table[(table["x"] == 0) & (table["panel"] == "Catalyst")]
    expected = int(((filters["magnitude"] == 0) & (filters["label"] == "catalyst")).sum())
    assert zeros["y"].sum() == expected
    assert str(expected) in [note.text for note in figure.layout.annotations]
    assert "0" in figure.layout.xaxis.ticktext


def test_magnitude_bars_of_one_bin_stand_on_each_other(views):
    figure = figures.plot_magnitudes(frames.filters_frame(views["finished"]))
    by_name = {trace.name: trace for trace in figure.data}
    pruned, kept = (by_name[f"Magnitude cut, {state}"] for state in ("pruned", "kept"))
    under = dict(zip(pruned.x, pruned.y, strict=True))
    for x, base in zip(kept.x, kept.base, strict=True):
        assert base == under.get(x, 0)


def test_thresholds_are_drawn_where_the_cut_would_be(views):
    filters = frames.filters_frame(views["finished"])
    table = figures.plotted(figures.plot_magnitudes(filters))
    drawn = table[table["trace"] == "Magnitude cut, threshold"]["x"].unique()
    assert np.allclose(sorted(drawn), sorted(filters[filters["label"] == "none"]["threshold"].unique()))


def test_overlay_has_one_line_a_contender_with_all_its_filters(views):
    filters = frames.filters_frame(views["finished"])
    table = figures.plotted(figures.plot_magnitudes(filters, arrange="overlay"))
    assert (table.groupby("trace")["y"].sum() == 160).all()


def test_margins_count_every_channel_and_put_the_decided_at_the_ends(views):
    filters = frames.filters_frame(views["halfway"])
    table = figures.plotted(figures.plot_margins(filters))
    assert table.groupby("panel")["y"].sum().to_dict() == {"Catalyst": 160, "L1": 160}
    catalyst = filters[filters["label"] == "catalyst"]["margin"]
    ends = table[np.isinf(table["x"])]
    assert ends[ends["x"] < 0]["y"].sum() == np.isneginf(catalyst).sum()
    assert ends[ends["x"] > 0]["y"].sum() == np.isposinf(catalyst).sum()


def test_margins_print_the_gap(views):
    filters = frames.filters_frame(views["finished"], until_cut=True)
    texts = [note.text for note in figures.plot_margins(filters).layout.annotations]
    gap = frames.gap_frame(filters).set_index("label")["gap"]["l1"]
    assert f"L1 · gap {gap:.2g}".replace("-", "−") in texts


def test_flip_lines_are_the_flip_frame(views):
    flips = frames.flip_frame(frames.filters_frame(views["finished"], until_cut=True), draws=20)
    table = figures.plotted(figures.plot_flip_curve(flips))
    drawn = table[table["trace"] == "Catalyst"]
    wanted = flips[flips["label"] == "catalyst"]
    assert np.allclose(drawn["x"], 100 * wanted["eps"])
    assert np.allclose(drawn["y"], 100 * wanted["flipped"])


def test_bias_marks_are_the_channels_and_the_rates_the_survival_frame(views):
    filters = frames.filters_frame(views["finished"], until_cut=True)
    figure = figures.plot_bias(filters)
    table = figures.plotted(figure)
    marks = table[table["trace"].isin(["L1, kept", "L1, pruned"])]
    mine = filters[filters["label"] == "l1"]
    assert sorted(marks["x"]) == sorted(mine["initial"])
    assert sorted(marks["y"]) == sorted(mine["magnitude"])
    rates = table[table["trace"].str.startswith("L1 (ρ")]
    survival = frames.survival_frame(mine)
    assert np.allclose(rates["x"], 100 * survival["percentile"])
    assert np.allclose(rates["y"], 100 * survival["share"])
    assert np.allclose(rates["y"] + rates["error_high"], 100 * survival["high"])
    assert np.allclose(rates["y"] - rates["error_low"], 100 * survival["low"])


def test_bias_prints_the_correlation(views):
    filters = frames.filters_frame(views["finished"], until_cut=True)
    rho = frames.correlation_frame(filters).set_index("label")["correlation"]["none"]
    assert f"Magnitude cut (ρ {rho:+.2f})" in {trace.name for trace in figures.plot_bias(filters).data}


@pytest.mark.parametrize("clock", ["step", "epoch", "seconds"])
def test_curves_are_drawn_over_the_chosen_clock(clock, views):
    curves = frames.curves_frame(views["finished"])
    table = figures.plotted(figures.plot_curves(curves, x=clock, y="penalty"))
    mine = curves[(curves["label"] == "l1") & (curves["split"] == "train")]
    drawn = table[table["trace"] == "L1"]
    assert np.allclose(drawn["x"], mine[clock])
    assert np.allclose(drawn["y"], mine["penalty"])


def test_curves_of_several_seeds_are_one_trace_with_a_gap(views):
    curves = frames.curves_frame(views["several seeds"])
    figure = figures.plot_curves(curves, y="loss")
    trace = next(trace for trace in figure.data if trace.name == "Catalyst")
    assert np.isnan(trace.x).sum() == 1
    assert len(figures.plotted(figure)) == (curves["split"] == "train").sum()


def test_accuracy_shows_validation_and_batches_in_percent(views):
    curves = frames.curves_frame(views["finished"])
    table = figures.plotted(figures.plot_curves(curves, y="accuracy"))
    held = curves[(curves["label"] == "none") & (curves["split"] == "validation")]
    assert np.allclose(table[table["trace"] == "Magnitude cut"]["y"], 100 * held["accuracy"])
    assert len(table[table["trace"] == "Magnitude cut, training batches"]) > len(held)


def test_a_live_change_is_marked_once_on_every_panel_and_says_what_and_who(views):
    curves, changes = frames.curves_frame(views["finished"]), frames.changes_frame(views["finished"])
    figure = figures.plot_curves(curves, changes)
    notes = [note for note in figure.layout.annotations if note.hovertext]
    assert [note.text for note in notes] == ["ratio 0.5 → 0.6"]
    assert "ada" in notes[0].hovertext
    at = changes["step"].iloc[0]
    assert sum(shape.x0 == at for shape in figure.layout.shapes) == 4


def test_words_roll_backs_and_what_they_brought_are_marked_each_with_a_sentence():
    store = synthetic.MemoryStore()
    race = synthetic.half_race(store)
    store.append(
        race.runs[0].id,
        SettingChanged(step=300, name="solver", old="proximal", new="subgradient", who="<b>ada</b>"),
        RolledBack(step=320, stage="sparse", from_step=350, reason="the loss exploded"),
        SettingChanged(step=320, name="learning_rate", old=0.1, new=0.05, who="automatic"),
    )
    view = view_of(store, race)
    figure = figures.plot_curves(frames.curves_frame(view), frames.changes_frame(view))
    notes = [note for note in figure.layout.annotations if note.hovertext]
    assert [note.text for note in notes] == [
        "solver proximal → subgradient",
        "back, step 350 → 320",
        "learning rate 0.1 → 0.05",
    ]
    assert "&lt;b&gt;ada" in notes[0].hovertext
    assert "the loss exploded" in notes[1].hovertext
    assert "by automatic" in notes[2].hovertext
    assert (notes[1].x, notes[1].yshift) == (notes[2].x, notes[2].yshift - 12)


def test_many_live_changes_are_marked_without_words(views):
    changes = frames.changes_frame(views["finished"]).iloc[:1]
    changes = changes.loc[changes.index.repeat(20)].assign(step=range(0, 200, 10), new=np.linspace(0.1, 0.9, 20))
    figure = figures.plot_curves(frames.curves_frame(views["finished"]), changes)
    assert [note.text for note in figure.layout.annotations if note.hovertext] == ["▾"] * 20


def test_the_map_shows_how_many_filters_are_in_each_bin(views):
    density = frames.density_frame(views["finished"])
    table = figures.plotted(figures.plot_bifurcation(density))
    mine = table[table["panel"] == "Catalyst"]
    assert (mine.groupby("x")["z"].sum() == 160).all()
    zeros = density[(density["label"] == "catalyst") & (density["bin"] == -1)].groupby("step")["count"].last()
    drawn = mine[np.isclose(mine["y"], 0)].set_index("x")["z"]
    assert np.allclose(drawn[zeros.index], zeros)


def test_the_phase_plane_has_n_against_d_with_the_diagonal(views):
    filters = frames.filters_frame(views["halfway"])
    figure = figures.plot_phase_plane(filters)
    table = figures.plotted(figure)
    known = filters[filters["catalyst"].notna()]
    assert sorted(table["x"]) == sorted(known["magnitude"])
    assert sorted(table["y"]) == sorted(known["catalyst"])
    assert any(shape.x0 == shape.y0 and shape.x1 == shape.y1 for shape in figure.layout.shapes)
    linear = figures.plotted(figures.plot_phase_plane(filters, scale="linear"))
    assert sorted(linear["x"]) == sorted(known["magnitude"])


def test_accuracy_against_macs_is_the_mean_with_its_deviation(views):
    ledger = frames.ledger_frame(views["several seeds"].race)
    table = figures.plotted(figures.plot_accuracy_macs(ledger))
    summary = frames.ledger_summary(ledger).set_index("label").loc["l1 0.03"]
    mine = table[table["trace"] == "L1, λ 0.03"].set_index("panel")
    for panel, column in (("after the cut", "post_prune_accuracy"), ("fine-tuned", "finetuned_accuracy")):
        assert mine.loc[panel, "x"] == pytest.approx(100 * summary["macs_share"])
        assert mine.loc[panel, "y"] == pytest.approx(100 * summary[column])
        assert mine.loc[panel, "error_high"] == pytest.approx(100 * summary[f"{column}_std"])


def test_races_of_one_contender_are_joined():
    store = synthetic.MemoryStore()
    races = [synthetic.whole_race(store, synthetic.config([{"name": "l1"}], pruning_ratio=ratio)) for ratio in (0.5, 0.7)]
    trace = figures.plot_accuracy_macs(frames.ledger_frame(races)).data[0]
    assert trace.mode == "lines+markers"
    assert len(trace.x) == 2


def test_widths_and_cost_are_the_frames_numbers(views):
    widths = frames.widths_frame(views["finished"])
    table = figures.plotted(figures.plot_widths(widths))
    assert list(table[table["trace"] == "L1"]["y"]) == list(widths[widths["label"] == "l1"]["after"])
    assert list(table[table["trace"] == "before the cut"]["y"]) == list(synthetic.GROUPS.values())
    ledger = frames.ledger_frame(views["finished"].race)
    table = figures.plotted(figures.plot_cost(ledger))
    assert list(table[table["panel"] == "training"]["x"]) == list(ledger["train_seconds"])
    assert list(table[table["panel"] == "regularizer"]["x"]) == list(ledger["regularizer_seconds"])


def test_captions_say_numbers(views):
    said = {name: family(name, views["finished"])[1] for name in FAMILIES}
    assert "Catalyst 80 of 160" in said["magnitudes"]
    assert "Catalyst 80 of 160 (gap " in said["margins"]
    assert "Catalyst 80 with n = 0 and 80 with D = 0 of 160" in said["phase_plane"]
    assert "Catalyst 80 of 160" in said["widths"]
    assert "dense 98" in said["accuracy_macs"]


magnitude = st.one_of(st.just(0.0), st.floats(1e-9, 1e6, allow_nan=False))
margin = st.one_of(st.just(np.inf), st.just(-np.inf), st.floats(-50, 50))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(magnitude, magnitude, margin), min_size=1, max_size=30), st.sampled_from(THEMES))
def test_any_population_can_be_drawn_and_is_counted_whole(channels, theme):
    n, d, margins = (list(column) for column in zip(*channels, strict=True))
    view = one_look(n, margins, d)
    filters = frames.filters_frame(view)
    bars = figures.plotted(figures.plot_magnitudes(filters, theme=theme))
    assert bars["y"].sum() == len(channels)
    assert figures.plotted(figures.plot_margins(filters, theme=theme))["y"].sum() == len(channels)
    for name in ("bias", "phase_plane", "flip_curve", "bifurcation"):
        family(name, view, theme)[0].to_json()
