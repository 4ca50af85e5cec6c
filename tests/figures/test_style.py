"""The look: contenders can be told apart, keep their look, and the axis for magnitudes shows what it must."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalyst_core import figures, frames
from catalyst_core.catalog import DEFAULT_METHODS, METHODS
from catalyst_core.export.traces import DASHES, MARKERS
from catalyst_core.figures import style
from catalyst_core.figures.scales import LogScale, tick_label
from catalyst_core.figures.sheet import flow
from catalyst_core.frames import RaceView
from tests import synthetic

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency", 2009, severity 1.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
OURS = [name for name, method in METHODS.items() if not method.is_peer]
PEERS = [name for name, method in METHODS.items() if method.is_peer]
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def test_a_variant_is_shown_as_it_was_given():
    assert style.title("l1 0.03 subgradient (lr=0.05 @ 300)") == "L1, λ 0.03, subgradient (lr=0.05 @ 300)"


def linear(colour):
    values = np.array(list(bytes.fromhex(colour[1:]))) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE 1976 L*a*b* of linear sRGB under D65."""
    x = TO_XYZ @ rgb / np.array([0.95047, 1, 1.08883])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one, other):
    low, high = sorted(float(linear(colour) @ TO_XYZ[1]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_methods_differ_in_colour_for_every_kind_of_vision(theme, vision):
    seen = [lab(np.clip(np.array(VISION[vision]) @ linear(colour), 0, 1)) for colour in style.METHOD_COLOURS[theme].values()]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 14


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_stand_out_from_the_paper(theme):
    paper = style.PAPERS[theme]
    assert all(contrast(colour, paper.paper) >= 3 for colour in style.METHOD_COLOURS[theme].values())
    assert contrast(paper.ink, paper.paper) > 12
    assert contrast(paper.faint, paper.paper) >= 4.5


def test_every_method_has_a_look_of_its_own():
    for looks in (*style.METHOD_COLOURS.values(), style.METHOD_DASHES, style.METHOD_MARKERS):
        assert set(looks) == set(OURS)
    for looks in (*style.METHOD_COLOURS.values(), style.METHOD_MARKERS):
        assert len(set(looks.values())) == len(OURS)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_peers_are_told_apart_by_marker_and_stand_out_from_the_paper(theme):
    looks = style.looks(list(METHODS), theme)
    assert set(style.PEER_MARKERS) == set(PEERS)
    assert len({look.marker for look in looks.values()}) == len({look.colour for look in looks.values()}) == len(METHODS)
    for name in PEERS:
        assert contrast(looks[name].colour, style.PAPERS[theme].paper) >= 3
        assert looks[name].dash == looks[METHODS[name].like].dash


def test_methods_of_the_usual_race_differ_in_dash_too():
    assert len({style.METHOD_DASHES[name] for name in DEFAULT_METHODS}) == len(DEFAULT_METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_paper_knows_every_dash_and_marker(method):
    look = style.looks([method], "light")[method]
    assert look.dash in DASHES
    assert look.marker in MARKERS


def test_strengths_of_a_method_share_dash_and_marker_but_not_colour():
    labels = ["l1 0.003", "l1 0.01", "l1 0.03", "catalyst"]
    looks = style.looks(labels, "light")
    assert len({look.colour for look in looks.values()}) == 4
    assert len({(looks[label].dash, looks[label].marker) for label in labels[:3]}) == 1
    assert looks["catalyst"].colour == style.METHOD_COLOURS["light"]["catalyst"]
    light = [float(linear(looks[label].colour) @ TO_XYZ[1]) for label in labels[:3]]
    assert light == sorted(light)


def test_a_contender_keeps_its_look_when_others_are_filtered_out():
    store = synthetic.MemoryStore()
    methods = ({"name": "l1", "strength": 0.01}, {"name": "l1", "strength": 0.03})
    view = RaceView(store, synthetic.whole_race(store, synthetic.config(methods)).id)
    view.refresh()
    filters = frames.filters_frame(view)
    whole = figures.plot_margins(filters)
    part = figures.plot_margins(filters[filters["label"] == "l1 0.03"])
    fills = [{str(trace.marker.color) for trace in figure.data if "0.03" in trace.name} for figure in (whole, part)]
    assert fills[0] == fills[1]


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("catalyst", "Catalyst"),
        ("l1 0.03", "L1, λ 0.03"),
        ("catalyst c=1.3 3 canonical", "Catalyst, c 1.3, λ 3, canonical"),
        ("group_lasso subgradient", "Group Lasso, subgradient"),
        ("none", "Magnitude cut"),
    ],
)
def test_titles_are_for_readers(label, said):
    assert style.title(label) == said


def test_the_figures_template_is_ours_whatever_the_default_is():
    figure = style.figure(theme="dark")
    assert figure.layout.template.layout.font.color == style.PAPERS["dark"].ink


@given(st.lists(st.floats(1e-7, 1e7), min_size=1, max_size=20), st.booleans())
def test_a_log_scale_holds_its_values(values, whole):
    scale = LogScale.over(np.array(values), whole=whole)
    inside = np.array(values)
    assert (inside >= 10**scale.low * 0.999).all()
    assert (inside <= 10**scale.high * 1.001).all()
    assert scale.high > scale.low
    axis = scale.axis("n")
    assert axis["range"][0] < np.log10(scale.zero) < scale.low
    assert len(axis["tickvals"]) == len(axis["ticktext"]) >= 2
    assert axis["ticktext"][0] == "0"


@pytest.mark.parametrize(
    ("value", "said"), [(0.01, "0.01"), (2.0, "2"), (1000.0, "1000"), (1e-5, "10⁻⁵"), (1e6, "10⁶"), (2e-5, "")]
)
def test_tick_labels(value, said):
    assert tick_label(value) == said


def test_legend_entries_flow_into_lines():
    places, lines = flow(["a" * 10] * 5, 250)
    assert [line for line, _ in places] == [0, 0, 1, 1, 2]
    assert lines == 3
    assert flow([], 250) == ([], 0)
