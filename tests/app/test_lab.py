"""The Lab page in its states: sliders and their sentences, links, and analyses that wait, run, fail and have a result."""

import dataclasses

import numpy as np
import pytest

from app import lab, lab_analyses
from catalyst_core.engine import analysis
from catalyst_core.engine.analysis import Analysis
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.store import Process
from tests import synthetic
from tests.app.helpers import fill, healthy, run, words
from tests.app.test_pages import figures
from tests.frames.test_whatif import RESULT

AUDIT = {
    "method": "none", "factors": "any", "correlation": 0.6, "low": 0.5, "high": 0.7, "jaccard": 0.4, "identical": False,
    "bit_identical": False, "max_abs_logit_change_float32": 1e-7,
}  # fmt: skip


@pytest.fixture
def cut(store):
    """A finished race, and its run of the magnitude cut, whose dense network is on the disk."""
    race = fill(store, synthetic.config(methods=({"name": "none"}, {"name": "catalyst"}, {"name": "random"})))
    file = analysis.dense_file(store, race.runs[0])
    file.parent.mkdir(parents=True)
    file.touch()
    return race.runs[0]


def leave(store, one, kind, **fields):
    """An analysis as its process would have left it."""
    store.run_folder(one.id)
    analysis.write(store, one.id, kind, Analysis(process=this_process(), revision=one.revision, **fields))


def button(at, title):
    return next(one for one in at.button if one.label == title)


def test_decisions_under_noise_are_counted_in_a_sentence():
    critical = np.sort(np.concatenate([np.full(lab.DRAWS * 9, 0.2), np.full(lab.DRAWS, 0.04)]))
    assert lab.flips_sentence(critical, 0.04) == "0 of 10 decisions flipped in 200 draws at 4 % noise."
    assert lab.flips_sentence(critical, 0.05) == "1 of 10 decisions flipped in a draw, on the mean of 200 draws at 5 % noise."


def test_a_link_names_contender_ratio_noise_and_layers(store, cut):
    at = healthy(run("lab", race=cut.race_id, run=f"{cut.race_id}-01", ratio="0.9", noise="0.1", group="conv2"))
    said = words(at)
    assert at.selectbox[1].value == f"{cut.race_id}-01"
    assert "At 90 %, 15 of 160 channels would stay" in said
    assert "of 160 decisions flipped" in said
    assert "at 10 % noise" in said
    assert at.dataframe[-1].value["Group"].tolist() == ["conv2"]
    assert "At 90 %" in figures(at)["ratios"]["caption"]
    healthy(at.selectbox[1].select(cut.id).run())
    assert at.query_params["run"] == cut.id
    healthy(at.selectbox[1].select(f"{cut.race_id}-02").run())
    assert "no order of channels" in words(at)
    assert "looks at no filter" in words(at)
    at.switch_page("../pages/theory.py").run()
    at.query_params.clear()
    assert healthy(at.switch_page("../pages/lab.py").run()).selectbox[1].value == f"{cut.race_id}-02"


def test_a_link_to_what_is_not_there_says_so(store, cut):
    at = healthy(run("lab", race=cut.race_id, run="elsewhere", group="<b>*x*"))
    assert "no such contender as the link names" in words(at)
    assert "No group's name contains" in words(at)
    at.query_params["race"] = "0123abcd"
    assert "not there any more" in words(healthy(at.run()))


def test_analyses_wait_for_a_click_and_say_how_long_they_take(store, cut, monkeypatch):
    begun = []
    monkeypatch.setattr(analysis, "start", lambda store, run, kind: begun.append((run.id, kind)))
    at = healthy(run("lab", race=cut.race_id, run=cut.id))
    assert "never on the test images" in words(at)
    assert "5 cuts of the dense network: some seconds" in words(at)
    healthy(button(at, "Measure on validation images").click().run())
    healthy(button(at, "Run the audit").click().run())
    assert begun == [(cut.id, "budgets"), (cut.id, "rescale")]


def test_a_running_analysis_shows_steps_and_can_be_given_up(store, cut, monkeypatch):
    stopped = []
    monkeypatch.setattr(analysis, "stop", lambda store, run, kind: stopped.append(kind))
    leave(store, cut, "budgets", state="running", began=0.0, done=3, steps=12)
    at = healthy(run("lab", race=cut.race_id, run=cut.id))
    assert "3 of 12, about" in at.get("progress")[0].proto.text
    button(at, "Give it up").click().run()
    assert stopped == ["budgets"]


def test_a_failed_analysis_says_why_with_its_log_and_offers_another_try(store, cut):
    leave(store, cut, "budgets", state="running")
    gone = Analysis("running", Process(2**22 + 1, 1.0, this_process().host), cut.revision)
    analysis.write(store, cut.id, "budgets", gone)
    (store.run_folder(cut.id) / "analysis-budgets.log").write_text("one\nlast words\n")
    at = healthy(run("lab", race=cut.race_id, run=cut.id))
    assert "It failed: its process" in words(at)
    assert at.code[0].value.endswith("last words")
    assert button(at, "Try again")


def test_results_are_drawn_beside_those_of_other_contenders(store, cut):
    for one in store.race(cut.race_id).runs[:2]:
        leave(store, one, "budgets", state="done", result=RESULT)
    leave(store, cut, "rescale", state="done", result={"results": [AUDIT]})
    at = healthy(run("lab", race=cut.race_id, run=cut.id))
    sent = figures(at)
    assert {trace["name"] for trace in sent["measured"]["data"] if "name" in trace} == {"Magnitude cut", "Catalyst"}
    assert "Catalyst 60 % → 30 %" in sent["measured"]["caption"]
    assert "filters that were made larger stay more often" in words(at)
    healthy(at.toggle(key="beside").set_value(False).run())
    assert {trace["name"] for trace in figures(at)["measured"]["data"] if "name" in trace} == {"Magnitude cut"}
    leave(store, dataclasses.replace(cut, revision=cut.revision + 1), "budgets", state="done", result=RESULT)
    assert button(healthy(at.run()), "Measure on validation images")  # of a cut that was withdrawn


def test_a_contender_that_was_not_cut_has_words(store):
    race = fill(store, synthetic.config(methods=({"name": "catalyst"},)), until=300, fail="killed")
    at = healthy(run("lab", race=race.id))
    assert "no network in front of a cut" in words(at)
    assert "dense network is not on the disk" in words(at)
    assert "would stay" in words(at)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"identical": True}, "not depend"),
        ({"low": -0.1}, "told from chance"),
        ({"correlation": -0.6, "low": -0.7, "high": -0.5}, "made smaller stay more often"),
    ],
)
def test_the_audit_is_put_into_a_sentence(fields, said):
    frame = lab_analyses.frames.rescale_frame([AUDIT | fields])
    assert said in lab_analyses.verdict(frame)
