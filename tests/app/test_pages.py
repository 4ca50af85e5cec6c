"""Every page in every state, in Streamlit's test runner."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from catalyst_core.config import RaceConfig
from catalyst_core.events import Command, SettingChanged
from tests import synthetic
from tests.app.helpers import ROOT, fill, healthy, run, words

PAGES = ("race", "results", "lab", "theory", "runs")
SMALL = {"methods": ({"name": "catalyst"}, {"name": "none"})}


def figures(at):
    """What was sent to the live component, by figure."""
    sent = {}
    for component in at.get("bidi_component"):
        sent |= json.loads(component.proto.bytes)
    return sent


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_has_words(page, store):
    at = healthy(run(page))
    assert at.title
    if page not in ("race", "theory"):
        assert "Start one on the Race page" in words(at)


def test_the_default_race_starts_with_one_click(store, started):
    at = healthy(run())
    start = next(button for button in at.button if button.label == "Start race")
    healthy(start.click().run())
    race = store.races()[0]
    assert race.config == RaceConfig.build()
    assert started == [one.id for one in race.runs]
    assert at.query_params["race"] == race.id
    assert at.title[0].value.startswith("digits")


def test_the_form_follows_the_data_set(store, caplog):
    at = run()
    healthy(at.selectbox(key="form_data@").select("cifar10").run())
    assert at.selectbox(key="form_model@@cifar10").value == "resnet20"
    assert [at.number_input(key=f"form_{name}_epochs@@cifar10").value for name in ("dense", "sparse", "finetune")] == [8, 6, 2]
    assert at.number_input(key="form_train_images@@cifar10").value == 10_000
    assert "Session State API" not in caplog.text


def test_a_form_can_begin_with_the_settings_of_a_race(store):
    config = synthetic.config(methods=({"name": "l1", "strength": 0.02},), seeds=(4, 5), pruning_ratio=0.7, model="vgg_small")
    race = fill(store, config)
    at = healthy(run(race=race.id))
    healthy(next(button for button in at.button if button.label == "Change and race again").click().run())
    healthy(next(button for button in at.button if button.label == "Start race").click().run())
    assert store.races()[0].id != race.id
    assert store.races()[0].config == config


def test_bad_input_is_one_sentence_and_keeps_the_form(store):
    at = run()
    at.text_input(key="form_seeds@").input("zero")
    at.slider(key="form_pruning_ratio@").set_value(0.7)
    next(button for button in at.button if button.label == "Start race").click().run()
    assert [error.value for error in at.error] == ["Seeds: 'zero' is not a whole number such as 0, or a list such as 0, 1, 2."]
    assert at.text_input(key="form_seeds@").value == "zero"
    assert at.slider(key="form_pruning_ratio@").value == 0.7
    assert store.races() == []


def test_a_folder_that_is_not_there_is_one_sentence(store):
    at = run()
    at.selectbox(key="form_data@").select("folder").run()
    at.text_input(key="form_folder@@folder").input("../elsewhere")
    next(button for button in at.button if button.label == "Start race").click().run()
    assert len(at.error) == 1
    assert not at.exception
    assert store.races() == []


def test_help_texts_are_the_configuration_s(store):
    at = run()
    assert at.number_input(key="form_momentum@@digits").help == "Of SGD"


def test_a_finished_race_shows_all_figures(store):
    race = fill(store)
    at = healthy(run(race=race.id))
    sent = figures(at)
    assert set(sent) == {"magnitudes", "margins", "bias", "curves", "phase", "bifurcation"}
    assert all(figure["caption"] and figure["layout"]["uirevision"] for figure in sent.values())
    lines = next(one.proto.body for one in at.get("html") if "contenders" in one.proto.body)
    assert lines.count("data-state='completed'") == 5


def test_a_running_race_has_controls_that_send_commands(store):
    race = fill(store, synthetic.config(**SMALL), until=300)
    at = healthy(run())  # no race in the URL: the newest one is running
    assert at.query_params["race"] == race.id
    budget = next(slider for slider in at.slider if slider.label.startswith("Budget"))
    healthy(budget.set_value(0.6).run())
    strength = next(slider for slider in at.select_slider if slider.label == "Strength: Catalyst")
    healthy(strength.set_value(2.0).run())
    next(button for button in at.button if button.label == "Pause").click().run()
    sent = [(sent.command.name, sent.command.value) for sent in store.commands(race.runs[0].id)]
    assert sent == [("pruning_ratio", 0.6), ("strength", 2.0), ("pause", None)]


def strength_of(at):
    return next(slider for slider in at.select_slider if slider.label == "Strength: Catalyst")


def test_a_slider_follows_others_but_never_its_own_echo(store):
    """Assigning what it sent itself would swallow what is typed meanwhile; a change by somebody else makes a new slider."""
    race = fill(store, synthetic.config(**SMALL), until=300)
    at = healthy(run(race=race.id))
    at = healthy(strength_of(at).set_value(2.0).run())
    key = strength_of(at).key
    me = at.session_state["who"]
    echo = SettingChanged(step=305, name="strength", old=1.0, new=2.0, who=me)
    store.append(race.runs[0].id, [echo])
    assert strength_of(healthy(at.run())).key == key
    assert strength_of(at).value == 2.0
    store.append(race.runs[0].id, [SettingChanged(step=310, name="strength", old=2.0, new=0.7, who="ada")])
    at.run()
    assert strength_of(healthy(at)).key != key
    assert strength_of(at).value == 0.7


def test_sliders_are_off_once_the_cut_is_made(store):
    race = fill(store, synthetic.config(methods=({"name": "catalyst"},)), until=520)
    assert race.runs[0].stage == "finetune"
    at = healthy(run(race=race.id))
    assert strength_of(at).disabled


def test_a_visit_to_another_page_does_not_lose_the_race(store):
    race = fill(store, synthetic.config(**SMALL))
    at = run(race=race.id)
    for page in ("theory", "race"):
        at.query_params.clear()
        healthy(at.switch_page(f"../pages/{page}.py").run())
    assert at.query_params["race"] == race.id
    assert at.title[0].value.startswith("digits")


def test_the_step_slider_moves_all_figures_and_the_url(store):
    race = fill(store, synthetic.config(**SMALL))
    at = run(race=race.id)
    newest = figures(at)["magnitudes"]["v"]
    step = next(slider for slider in at.slider if slider.label.startswith("Step"))
    healthy(step.set_value(250).run())
    assert figures(at)["magnitudes"]["v"] != newest
    assert at.query_params["step"] == "250"
    again = healthy(run(race=race.id, step="250"))
    assert figures(again)["magnitudes"]["data"] == figures(at)["magnitudes"]["data"]


def test_contenders_can_be_left_out(store):
    race = fill(store)
    at = healthy(run(race=race.id, methods="l1,none"))
    names = {trace.get("name", "").split(",")[0] for trace in figures(at)["magnitudes"]["data"]}
    assert "L1" in names
    assert "Catalyst" not in names


def test_queued_and_failed_contenders_have_words(store):
    queued = store.create_race(synthetic.config(**SMALL))
    at = healthy(run(race=queued))
    assert "waits for its turn" in words(at)
    assert "All contenders are queued" in json.dumps(figures(at))
    failed = fill(store, synthetic.config(**SMALL), until=300, fail="the loss is not a number")
    at = healthy(run(race=failed.id))
    assert "the loss is not a number" in at.expander[0].label
    assert at.code[0].value == "line one\nline two"
    assert any(button.label == "Go on with all" for button in at.button)


def test_resume_starts_the_failed_contenders(store, started):
    race = fill(store, synthetic.config(**SMALL), until=300, fail="killed")
    at = run(race=race.id)
    next(button for button in at.button if button.label == "Go on with all").click().run()
    assert started == [one.id for one in race.runs]
    assert {one.state for one in store.race(race.id).runs} == {"queued"}


def test_a_stopped_race_has_words(store):
    race = store.create_race(synthetic.config(**SMALL))
    for one in store.race(race).runs:
        store.send(one.id, Command(name="stop"))
    for page in PAGES:
        at = healthy(run(page, race=race))
        assert page == "theory" or "stopped" in words(at) or page == "runs"


def test_an_unknown_race_is_one_sentence(store):
    at = run(race="0123abcd")
    assert len(at.error) == 1
    assert "Race '0123abcd': none" in at.error[0].value
    assert any(button.label == "Start race" for button in at.button)


def test_results_of_several_races(store):
    first, second = fill(store), fill(store, synthetic.config(seeds=(0, 1), pruning_ratio=0.7))
    at = healthy(run("results", race=first.id))
    table = at.dataframe[0].value
    assert table["Contender"].tolist() == ["Catalyst", "L1", "Group Lasso", "Magnitude cut", "Random cut"]
    assert "Right after the cut: Catalyst" in words(at)
    healthy(at.multiselect[0].set_value([first.id, second.id]).run())
    assert set(at.dataframe[0].value["Seeds"]) == {1, 2}
    assert any("±" in text for text in at.dataframe[0].value["Fine-tuned"])
    assert at.query_params["race"] == f"{first.id},{second.id}"
    again = run("results", race=first.id, methods="l1,none")
    again.query_params["race"] = f"{second.id},{first.id}"
    healthy(again.run())
    assert again.multiselect[0].value == [second.id, first.id]
    drawn = figures(again)
    assert set(drawn) == {"accuracy_macs", "cost", f"widths_{first.id}", f"widths_{second.id}"}
    assert "Catalyst" not in json.dumps(drawn)
    again.query_params["race"] = first.id  # the back button
    assert healthy(again.run()).multiselect[0].value == [first.id]


def test_results_of_a_race_without_a_ledger(store):
    race = fill(store, synthetic.config(**SMALL), until=300)
    at = healthy(run("results", race=race.id))
    assert "No contender has reached the cut yet." in words(at)


def test_the_lab_shows_certificate_layers_and_another_budget(store):
    race = fill(store)
    at = healthy(run("lab", race=race.id))
    values = {metric.label: metric.value for metric in at.metric}
    assert values["Logits moved by the cut"] == "0"
    assert values["Predictions changed"] == "0 of 360"
    assert "**lossless**" in words(at)
    at.slider(key="ratio").set_value(0.9).run()
    assert "At 90 %, 15 of 160 channels would stay" in words(healthy(at))
    for number in range(1, 5):
        healthy(at.selectbox[1].select_index(number).run())
    assert "no order of channels" in words(at)


def test_theory_answers_to_its_sliders(store):
    at = healthy(run("theory"))
    before = figures(at)
    assert set(before) == {"portrait", "population", "fates"}
    healthy(at.slider[1].set_value(0.5).run())
    after = figures(at)
    assert "ends pruned" in before["portrait"]["caption"]
    assert "ends preserved" in after["portrait"]["caption"]


def test_a_store_that_cannot_be_opened_is_one_sentence(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("CATALYST_STORE", str(blocked / "races.db"))
    for page in ("race", "runs"):
        at = run(page)
        assert not at.exception
        assert len(at.error) == 1
        assert "cannot be written" in at.error[0].value


def test_our_own_bugs_show_no_traceback(store, monkeypatch):
    monkeypatch.setattr("app.panels.render_welcome", lambda: 1 / 0)
    at = run()
    assert not at.exception
    assert "error of our own (ZeroDivisionError)" in at.error[0].value


def test_no_page_imports_torch(catalyst_home):
    code = """
import sys
from streamlit.testing.v1 import AppTest
from catalyst_core.engine import launcher
launcher.prewarm = lambda: None
at = AppTest.from_file("app/main.py", default_timeout=60).run()
for page in ("results", "lab", "theory", "runs"):
    at.switch_page(f"../pages/{page}.py").run()
    assert not at.exception and not at.error, (page, at.error)
print(sorted(name for name in ("torch", "torchvision", "torch_pruning") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("[]"), done.stderr


def test_there_is_no_pages_folder_beside_main():
    """Streamlit would silently take it for its old way of navigation."""
    assert not (ROOT / "app" / "pages").exists()
    assert {path.stem for path in Path(ROOT / "pages").glob("*.py")} == set(PAGES)
