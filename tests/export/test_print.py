"""The translation to paper: the same numbers at the same places, and text that stays text."""

import io
import re
import threading

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from pypdf import PdfReader

from catalyst_core import figures, frames
from catalyst_core.export.print import print_column, print_figure, to_matplotlib
from catalyst_core.figures.sheet import Sheet
from catalyst_core.frames import RaceView
from tests import synthetic


@pytest.fixture(scope="module")
def view():
    store = synthetic.MemoryStore()
    methods = ({"name": "catalyst"}, {"name": "l1"}, {"name": "none"})
    view = RaceView(store, synthetic.whole_race(store, synthetic.config(methods, seeds=(0, 1))).id)
    view.refresh()
    return view


@pytest.fixture(scope="module")
def drawn(view):
    filters, ledger = frames.filters_frame(view), frames.ledger_frame(view.race)
    return {
        "magnitudes": figures.plot_magnitudes(filters),
        "overlay": figures.plot_magnitudes(filters, arrange="overlay"),
        "margins": figures.plot_margins(filters),
        "flip_curve": figures.plot_flip_curve(frames.flip_frame(filters, draws=5)),
        "bias": figures.plot_bias(filters, theme="dark"),
        "curves": figures.plot_curves(frames.curves_frame(view), frames.changes_frame(view)),
        "bifurcation": figures.plot_bifurcation(frames.density_frame(view)),
        "phase_plane": figures.plot_phase_plane(filters),
        "accuracy_macs": figures.plot_accuracy_macs(ledger),
        "widths": figures.plot_widths(frames.widths_frame(view)),
        "cost": figures.plot_cost(ledger, theme="dark"),
        "nothing": figures.plot_margins(filters.iloc[:0], reason="All contenders are queued."),
    }


NAMES = (
    "magnitudes",
    "overlay",
    "margins",
    "flip_curve",
    "bias",
    "curves",
    "bifurcation",
    "phase_plane",
    "accuracy_macs",
    "widths",
    "cost",
    "nothing",
)


def words_of(figure):
    """What a reader of the figure must find in the file."""
    layout = figure.layout
    words = [axis.title.text for axis in (*figure.select_xaxes(), *figure.select_yaxes()) if axis.title.text]
    words += [note.text.replace("<br>", " ") for note in layout.annotations]
    return words + [trace.name for trace in figure.data if trace.showlegend]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_prints_with_its_words_as_text(name, drawn):
    figure = drawn[name]
    files = print_figure(figure, ("pdf", "svg"))
    pdf = re.sub(r"\s+", "", PdfReader(io.BytesIO(files["pdf"])).pages[0].extract_text())
    svg = re.sub(r"\s+", "", "".join(re.findall(r">([^<]*)</t(?:ext|span)>", files["svg"].decode())))
    for text in words_of(figure):
        plain = re.sub(r"\s+", "", text)
        assert plain in pdf
        assert plain.replace(">", "&gt;") in svg


def test_a_pdf_holds_real_fonts(drawn):
    fonts = PdfReader(io.BytesIO(print_figure(drawn["curves"], ("pdf",))["pdf"])).pages[0]["/Resources"]["/Font"]
    assert len(fonts) >= 1
    assert all(font.get_object()["/Subtype"] != "/Type3" for font in fonts.values())


@pytest.mark.parametrize("name", ["bias", "curves", "accuracy_macs", "nothing"])
def test_a_column_is_3_35_inches_wide_and_its_words_stay(name, drawn):
    files = print_column(drawn[name])
    page = PdfReader(io.BytesIO(files["pdf"])).pages[0]
    assert float(page.mediabox.width) == pytest.approx(3.35 * 72, abs=0.01)
    assert b'width="241.2pt"' in files["svg"]
    sizes = []

    def told(said, matrix, place, font, size):
        if said.strip():
            sizes.append(max(matrix[:2]) * size)  # turned text has its size in the second

    text = page.extract_text(visitor_text=told)
    assert 6 < min(sizes) < max(sizes) < 9
    plain = re.sub(r"\s+", "", text)
    assert all(re.sub(r"\s+", "", word) in plain for word in words_of(drawn[name]))


def test_the_picture_has_300_dots_an_inch(drawn):
    picture = Image.open(io.BytesIO(print_figure(drawn["cost"], ("png",))["png"]))
    assert picture.size[0] == 640 / 96 * 300
    assert round(picture.info["dpi"][0]) == 300
    assert to_hex(np.array(picture.convert("RGB"))[2, 2] / 255) == "#0e1117"


def test_the_same_figure_gives_the_same_bytes(drawn):
    first, second = (print_figure(drawn["widths"], ("pdf", "svg", "png")) for _ in range(2))
    assert first == second


def test_bars_stand_where_plotly_has_them(drawn):
    figure = drawn["magnitudes"]
    printed = to_matplotlib(figure)
    bars = [
        trace for trace in figure.data if trace.yaxis == "y" and trace.type == "bar" and len(trace.x) and trace.x[0] is not None
    ]
    patches = printed.axes[0].patches
    wanted = [
        (x + offset, width, y, base)
        for trace in bars
        for x, offset, width, y, base in zip(trace.x, trace.offset, trace.width, trace.y, trace.base, strict=True)
    ]
    found = [(bar.get_x(), bar.get_width(), bar.get_height(), bar.get_y()) for bar in patches]
    assert np.allclose(found, wanted)
    assert [to_hex(bar.get_facecolor()) for bar in patches] == [trace.marker.color for trace in bars for _ in trace.x]


def test_lines_run_where_plotly_has_them(drawn):
    figure = drawn["curves"]
    printed = to_matplotlib(figure)
    lines = [trace for trace in figure.data if trace.yaxis == "y"]
    for trace, line in zip(lines, printed.axes[0].lines, strict=False):
        assert np.allclose(line.get_xdata(), trace.x, equal_nan=True)
        assert np.allclose(line.get_ydata(), trace.y, equal_nan=True)
        assert line.get_color() == trace.line.color


def test_error_bars_have_their_length(drawn):
    figure = drawn["accuracy_macs"]
    trace = figure.data[0]
    printed = to_matplotlib(figure)
    low, high = printed.axes[0].collections[0].get_segments()[0][:, 1]
    assert np.isclose(high - low, 2 * trace.error_y.array[0])


def test_axes_keep_range_scale_and_labels(drawn):
    figure = drawn["phase_plane"]
    axes = to_matplotlib(figure).axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert np.allclose(np.log10(axes.get_xlim()), figure.layout.xaxis.range)
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == list(figure.layout.xaxis.ticktext)


def test_cells_of_the_map_cover_what_is_not_empty(drawn):
    figure = drawn["bifurcation"]
    axes = to_matplotlib(figure).axes[0]
    z = np.asarray(figure.data[0].z, dtype=float)
    x, y = np.asarray(figure.data[0].x, dtype=float), np.asarray(figure.data[0].y, dtype=float)
    row, column = np.argwhere(z > 0)[0]
    middle = (x[column], np.sqrt(y[row] * y[row + 1]))
    assert any(patch.get_path().contains_point(middle) for patch in axes.patches)
    row, column = np.argwhere(z == 0)[0]
    middle = (x[column], np.sqrt(y[row] * y[row + 1]))
    assert not any(patch.get_path().contains_point(middle) for patch in axes.patches)


def test_unknown_traces_are_not_dropped_silently():
    sheet = Sheet("light", height=300)
    sheet.add(sheet.grid(1)[0], type="violin", y=[1, 2])
    figure = sheet.figure()
    with pytest.raises(KeyError, match="violin"):
        to_matplotlib(figure)


def test_several_threads_may_print_at_once(drawn):
    wanted = print_figure(drawn["cost"], ("svg",))
    found = []
    threads = [threading.Thread(target=lambda: found.append(print_figure(drawn["cost"], ("svg",)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 4
