"""The Lab's way out in its states: it waits, runs, fails, and has files to take away, with what was measured of them."""

import pytest

from app import lab_model
from catalyst_core.engine import analysis
from tests import synthetic
from tests.app.helpers import fill, healthy, run, words
from tests.app.test_lab import button, leave

TIMES = [
    {"engine": engine, "batch": batch, "network": name, "ms": ms * batch}
    for batch in (1, 64)
    for engine, ms in (("PyTorch", 2.0), ("onnxruntime", 1.0))
    for name, ms in (("pruned", 0.25 * ms), ("dense", ms))
]
RECORD = {
    "latency": TIMES, "threads": 2, "warnings": [], "rounding": None, "accuracy": 0.975,
    "checks": {"network.py": {"max_abs_logit_difference": 0.0}, "network.onnx": {"max_abs_logit_difference": 3e-6}},
    "checked_on": {"images": 397, "of": "test images", "batches": [1, 7, 64]},
    "files": {"network.safetensors": 60_000, "network.onnx": 61_900},
}  # fmt: skip
ROUNDED = {"rounding": {"multiple": 8, "channels_back": 5, "max_abs_logit_change": 2e-15}}


@pytest.fixture
def small(store):
    """A finished race's first run, with a file where its small network is."""
    race = fill(store, synthetic.config(methods=({"name": "catalyst"}, {"name": "none"})))
    one = race.runs[0]
    store.run_folder(one.id)
    analysis.pruned_file(store, one).write_bytes(b"weights")
    return one


def made(store, one, kind, **fields):
    """Files as their process would have left them."""
    analysis.model_zip(store, one, kind).write_bytes(b"zip" * 1000)
    leave(store, one, kind, state="done", result=RECORD | {analysis.STAMP: analysis.stamp(store, one)} | fields)


def test_it_waits_for_a_click_and_asks_for_the_widths_that_are_chosen(store, small, monkeypatch):
    begun = []
    monkeypatch.setattr(analysis, "start", lambda store, run, kind: begun.append(kind))
    at = healthy(run("lab", race=small.race_id, run=small.id))
    assert "compared with the network on test images" in words(at)
    healthy(button(at, "Make the files").click().run())
    healthy(at.segmented_control(key="widths").set_value("multiples of 16").run())
    healthy(button(at, "Make the files").click().run())
    assert begun == ["model", "model-16"]


def test_a_link_names_the_widths_and_what_was_made_is_there_to_take(store, small):
    made(store, small, "model-8", warnings=["Pruning did not make it faster in <b>PyTorch</b>"], **ROUNDED)
    at = healthy(run("lab", race=small.race_id, run=small.id, widths="multiples of 8"))
    said = words(at)
    assert "**0.5 ms** in PyTorch (25 % of the dense network's) and **0.25 ms** in onnxruntime" in said
    assert "on 397 test images: `network.py`: the same bits, ONNX: 3e-06. It classifies 97.5 % of them correctly." in said
    assert "5 pruned channels are back" in said
    assert "not make it faster in \\<b\\>PyTorch" in said
    assert at.get("download_button")[0].proto.label == "Model as a zip (3.0 kB)"
    tables = [one.value for one in at.dataframe]
    assert [one["File"].tolist() for one in tables if "File" in one] == [["README.md", *RECORD["files"]]]
    assert [one["Left"].tolist() for one in tables if "Engine" in one] == [["25 %"] * 4]
    assert f"model {small.id} --out small.zip --round-to 8" in at.code[0].value
    assert button(at, "Make them again")


def test_files_of_a_network_that_is_another_one_by_now_are_not_offered(store, small):
    made(store, small, "model")
    assert button(healthy(run("lab", race=small.race_id, run=small.id)), "Make them again")
    analysis.pruned_file(store, small).write_bytes(b"other weights")
    assert button(healthy(run("lab", race=small.race_id, run=small.id)), "Make the files")
    made(store, small, "model")
    analysis.model_zip(store, small, "model").unlink()
    assert button(healthy(run("lab", race=small.race_id, run=small.id)), "Make the files")


def test_what_cannot_be_made_has_words(store):
    race = fill(store, synthetic.config(methods=({"name": "catalyst"},)), until=300)
    at = healthy(run("lab", race=race.id))
    assert "made of the network that it leaves at its end" in words(at)
    race = fill(store, synthetic.config(methods=({"name": "catalyst"},)), until=300, fail="killed")
    assert "there is no small network yet" in words(healthy(run("lab", race=race.id)))
    race = fill(store, synthetic.config(methods=({"name": "none"},)))
    assert "small network is not on the disk" in words(healthy(run("lab", race=race.id)))


def test_sentences_leave_out_what_was_not_measured():
    bare = RECORD | {"latency": [one for one in TIMES if one["network"] == "pruned"], "checks": {}, "accuracy": None}
    assert lab_model.said(bare) == []
    assert (
        lab_model.rounding(RECORD | {"rounding": {"multiple": 8, "channels_back": 0}})
        == "Every width is a multiple of 8 as it is."
    )
    assert set(lab_model.latency_table(bare)["Left"]) == {"–"}
