"""The Runs page's "From TensorBoard": a folder below the data root or an upload, the figure, and every bad input a sentence."""

import json

import numpy as np
import pytest

from app import access
from catalyst_core.errors import NotAllowedError
from tests.app.helpers import healthy, run, words
from tests.others.made import event_file, histo

RNG = np.random.default_rng(0)


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """A data root with two runs of two layers below `logs`."""
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path / "data"))
    for name, scale in (("first", 0.1), ("second", 0.01)):
        looks = [(step, tag, RNG.normal(0, scale, 400)) for step in (0, 10, 20) for tag in ("conv", "fc")]
        event_file(tmp_path / "data" / "logs" / name, [(step, [histo(tag, values)]) for step, tag, values in looks])
    return tmp_path / "data"


def opened(folder):
    at = run("runs")
    return at.text_input(key="tensorboard_folder").input(folder).run()


def drawn(at):
    """The figure that the page sends to the browser."""
    found = [one for one in at.get("bidi_component") if "tensorboard_weights" in str(one.proto.id)]
    return json.loads(found[0].proto.bytes)["weights"] if found else None


def test_two_runs_of_a_layer_are_drawn_over_each_other_at_any_step(logs, store):
    at = healthy(opened("logs"))
    figure = drawn(at)
    assert figure["title"] == "Sizes of weights, overlaid"
    assert [trace["name"] for trace in figure["data"]] == ["first", "second"]
    assert figure["caption"].startswith("At step 20: single weights by their size |w|, no filter magnitudes")
    slider = next(one for one in at.select_slider if one.label == "Step")
    assert "At step 10: " in drawn(healthy(slider.set_value(10).run()))["caption"]


def test_the_figure_and_the_histograms_can_be_chosen(logs, store):
    at = healthy(opened("logs"))
    tags = next(one for one in at.multiselect if one.label == "Histograms")
    assert tags.options == ["conv", "fc"]
    at = healthy(tags.set_value(["conv", "fc"]).run())
    assert [trace["name"] for trace in drawn(at)["data"]] == [
        f"{tag} · {run}" for run in ("first", "second") for tag in ("conv", "fc")
    ]
    figure = drawn(healthy(next(one for one in at.segmented_control).set_value("map").run()))
    assert figure["title"] == "Sizes of weights over time"
    assert not [one for one in at.select_slider if one.label == "Step"]
    at = next(one for one in at.multiselect if one.label == "Histograms").set_value([]).run()
    assert "Choose at least one histogram" in words(at)


def test_an_upload_is_read_without_a_folder(logs, store):
    at = run("runs")
    content = next((logs / "logs" / "first").iterdir()).read_bytes()
    healthy(at.file_uploader[1].set_value(("events.out.tfevents.7", content, "")).run())
    assert [trace["name"] for trace in drawn(at)["data"]] == ["conv"]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("nowhere", "There is no file or folder 'nowhere'"),
        ("../outside", "leads out of the data root"),
        ("/etc", "leads out of the data root"),
        ("empty", "holds no event file"),
        ("no\0thing", "is not a path that can be followed"),
        ("<script>", r"There is no file or folder '\<script>'"),
    ],
    ids=ascii,
)
def test_a_bad_folder_is_one_sentence(folder, said, logs, store):
    (logs / "empty").mkdir()
    at = opened(folder)
    assert len(at.error) == 1
    assert said in at.error[0].value
    assert not at.exception
    assert drawn(at) is None


def test_a_damaged_upload_is_one_sentence(logs, store):
    content = bytearray(next((logs / "logs" / "first").iterdir()).read_bytes())
    content[-30] ^= 1
    at = run("runs")
    for given, said in ((b"no event file at all", "is no event file of TensorBoard's"), (bytes(content), "is damaged")):
        at.file_uploader[1].set_value(("events.out.tfevents.7", given, "")).run()
        assert len(at.error) == 1
        assert said in at.error[0].value
        assert not at.exception


def test_a_link_out_of_the_data_root_is_not_followed(logs, store, tmp_path):
    event_file(tmp_path / "outside", [(0, [histo("secret", np.ones(3))])])
    (logs / "linked").symlink_to(tmp_path / "outside")
    (logs / "inside").mkdir()
    (logs / "inside" / "events.out.tfevents.1").symlink_to(next((tmp_path / "outside").iterdir()))
    for folder in ("linked", "inside"):
        at = opened(folder)
        assert "leads out of the data root" in at.error[0].value
        assert drawn(at) is None


def test_a_viewer_reads_nothing_whatever_the_browser_sends(logs, store, monkeypatch):
    monkeypatch.setattr(access, "why_not", lambda: "Only editors can change anything here; you are a viewer.")
    at = run("runs")
    assert at.text_input(key="tensorboard_folder").disabled
    assert at.file_uploader[1].disabled
    at.session_state["tensorboard_folder"] = "logs"
    assert drawn(healthy(at.run())) is None


def test_who_may_read_is_asked_before_the_disk_is(logs, store, monkeypatch):
    def refuse():
        raise NotAllowedError("you are a viewer")

    monkeypatch.setattr(access, "check_change", refuse)
    at = opened("logs")
    assert [one.value for one in at.error] == ["You are a viewer."]
    assert drawn(at) is None


def test_without_tensorboard_the_page_says_how_to_get_it(logs, store, monkeypatch):
    monkeypatch.setattr("catalyst_core.others.find_spec", lambda name: None)
    at = healthy(run("runs"))
    assert "TensorBoard is not installed here: pip install -r requirements-extras.txt." in words(at)
