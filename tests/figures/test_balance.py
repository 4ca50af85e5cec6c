"""Class balance: what is drawn and what is said."""

import numpy as np
import pandas as pd
import pytest

from catalyst_core.figures.balance import caption_balance, plot_balance
from catalyst_core.figures.plotted import plotted

COLUMNS = ["class", "split", "images"]


def _frame(counts):
    wide = pd.DataFrame.from_dict(counts, orient="index", columns=["train", "val", "test"]).rename_axis("class")
    return wide.stack().rename_axis(["class", "split"]).rename("images").reset_index()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_parts_stand_on_each_other_in_the_order_of_the_classes(theme):
    figure = plot_balance(_frame({"dog": (5, 1, 2), "cat": (7, 2, 3)}), theme=theme)
    assert [bar.name for bar in figure.data] == ["train", "val", "test"]
    assert [list(bar.y) for bar in figure.data] == [[5, 7], [1, 2], [2, 3]]
    assert [list(bar.base) for bar in figure.data] == [[0, 0], [5, 7], [6, 9]]
    assert list(figure.layout.xaxis.ticktext) == ["dog", "cat"]
    assert len({bar.marker.color for bar in figure.data}) == 3


def test_many_classes_stand_by_size_without_names():
    counts = {f"class {number}": (10 + 7 * number % 1000, 0, 1) for number in range(1000)}
    figure = plot_balance(_frame(counts))
    assert figure.layout.xaxis.ticktext is None
    tall = np.array(figure.data[0].y)
    assert (np.diff(tall) <= 0).all()
    assert sorted(tall) == sorted(train for train, _, _ in counts.values())
    assert figure.data[0].text[0] == max(counts, key=lambda name: counts[name][0])
    assert len(plotted(figure)) == 3000


def test_names_are_text_and_long_ones_are_cut():
    figure = plot_balance(_frame({"<a href='x'>": (5, 1, 2), "x" * 300: (7, 2, 3)}))
    assert figure.layout.xaxis.ticktext[0].startswith("&lt;a href")
    assert len(figure.layout.xaxis.ticktext[1]) == 16
    assert figure.layout.margin.b < 120


def test_captions_name_the_ends():
    assert caption_balance(_frame({"dog": (5, 1, 2), "cat": (7, 2, 3), "emu": (6, 1, 1)})) == (
        "Of 3 classes cat has the most images, 12, and dog the fewest, 8."
    )
    assert caption_balance(_frame({"dog": (5, 1, 2), "cat": (6, 1, 1)})) == "Every one of 2 classes has 8 images."


def test_nothing_is_a_reason():
    empty = pd.DataFrame([], columns=COLUMNS)
    assert caption_balance(empty) == "There are no images."
    assert plot_balance(empty).layout.annotations[-1].text == "There are no images."
