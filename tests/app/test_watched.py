"""Every page on a race that is only watched: live, finished, failed; what it cannot do is not offered."""

import pytest

from catalyst_core import watch
from catalyst_core.events import Command
from catalyst_core.watching import pace
from tests.app.helpers import healthy, run, words
from tests.app.test_pages import figures
from tests.core.loops import RATE, digits
from tests.watching.loops import loop

WATCHED = "this training is watched, not run, by Catalyst"


@pytest.fixture(autouse=True)
def _every_step(monkeypatch):
    monkeypatch.setattr(pace, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(pace, "COST", 0)


@pytest.fixture
def live(store):
    """A loop in its sparse stage, with the steps that it has told."""
    mine = loop(total_steps=None)
    with watch(mine.model, mine.groups, mine.reg, store=store, title="my net", learning_rate=RATE) as watched:
        mine.steps(watched, 3)
        watched.evaluated(0.5)
        yield mine, watched


@pytest.fixture
def finished(store):
    """A race with a cut."""
    mine = loop()
    with watch(mine.model, mine.groups, mine.reg, store=store, title="my net") as watched:
        watched.evaluated(0.9, split="test")
        mine.steps(watched)
        watched.evaluated(0.9, split="test")
        watched.pruned(mine.model, mine.cut(), digits().test_x[:50])
    return store.race(watched.race_id)


@pytest.fixture
def failed(store):
    """A race that broke after some steps."""
    with pytest.raises(ZeroDivisionError):
        break_after(3, store)
    return store.newest_race()


def break_after(steps, store):
    mine = loop()
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        mine.steps(watched, steps)
        raise ZeroDivisionError("in the loop")


def buttons(at):
    return [one.label for one in at.button]


def hear(mine, watched, until):
    for _ in range(2000):
        mine.steps(watched, 1)
        if until():
            return
    raise AssertionError("waited in vain")


def test_a_live_one_shows_its_figures_and_offers_what_its_loop_can_do(store, live):
    mine, watched = live
    hear(mine, watched, lambda: store.race(watched.race_id).runs[0].step >= 3)
    at = healthy(run(race=watched.race_id))
    assert WATCHED in words(at)
    assert "Stop" in buttons(at)
    assert not {"Pause", "Resume", "Change and race again", "Go on with all"} & set(buttons(at))
    assert [one.label for one in at.select_slider] == ["Strength: Catalyst"]
    assert "Budget: share to prune" in [one.label for one in at.slider]
    assert {"magnitudes", "margins", "curves", "bifurcation"} <= set(figures(at))
    for page in ("results", "lab", "runs"):
        healthy(run(page, race=watched.race_id))


def test_a_slider_acts_on_the_loop(store, live):
    mine, watched = live
    at = healthy(run(race=watched.race_id))
    budget = next(one for one in at.slider if one.label == "Budget: share to prune")
    healthy(budget.set_value(0.75).run())
    hear(mine, watched, lambda: mine.reg.pruning_ratio == 0.75)


def test_what_it_refused_is_said(store, live):
    mine, watched = live
    store.send(f"{watched.race_id}-00", Command(name="pause", who="ada"))
    hear(mine, watched, lambda: store.events(f"{watched.race_id}-00", kinds=["note"]))
    at = healthy(run(race=watched.race_id))
    assert "pause was left as it is" in words(at).replace("\\", "")


def test_a_finished_one_on_every_page(store, finished):
    at = healthy(run(race=finished.id))
    assert {"magnitudes", "margins", "curves", "bifurcation"} <= set(figures(at))
    at = healthy(run("results", race=finished.id))
    assert "no logit moved by more than" not in words(at)  # it says that of fine-tuned ones
    assert at.dataframe[0].value["Dense"].tolist() == ["90.0 %"]
    assert {"accuracy_macs", f"widths_{finished.id}"} <= set(figures(at))
    at = healthy(run("lab", race=finished.id))
    assert "lossless" in words(at)
    assert words(at).count("Its network is not in the store") == 2
    assert not {"Measure on validation images", "Run the audit"} & set(buttons(at))
    healthy(run("runs", race=finished.id))


def test_a_failed_one_says_why_and_that_it_cannot_go_on_from_here(store, failed):
    at = healthy(run(race=failed.id))
    assert "ZeroDivisionError" in "".join(one.label for one in at.expander)
    assert f"It cannot go on from here: {WATCHED}." in words(at)
    assert not {"Go on", "Go on with all", "Change and race again"} & set(buttons(at))
    for page in ("results", "lab", "runs"):
        assert f"It cannot go on from here: {WATCHED}." in words(healthy(run(page, race=failed.id)))


def test_a_form_cannot_begin_with_it(store, finished):
    at = run(race="new", **{"from": finished.id})
    assert not at.exception
    assert f"The form cannot begin with the settings of my net: {WATCHED}." in words(at)
    assert at.selectbox(key="form_data@").value == "digits"
    assert "own" not in at.selectbox(key="form_data@").options


def test_the_newest_race_may_be_one(store, finished):
    at = healthy(run())
    assert "Newest race" in words(at)
    assert WATCHED in words(at)
