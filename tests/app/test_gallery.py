"""Which figures are drawn when: all that have changed, or, of very many filters, those that have waited longest."""

import json

import pytest

from app import gallery as galleries
from app.gallery import AT_A_TIME, Sight, gallery
from catalyst_core.frames import RaceView
from tests import synthetic

FIGURES = 6


@pytest.fixture
def watched():
    """A race that is going on, a view of it, and what somebody looks at."""
    store = synthetic.MemoryStore()
    race = synthetic.half_race(store)
    view = RaceView(store, race.id)
    view.refresh()
    return store, view, Sight(None, "step", "margins", "stacked", view.labels, (), "light")


def drawn(view, sight):
    """The version of each figure."""
    return {name: panel.version for row in gallery(view, sight) for name, panel in row.items()}


def go_on(store, view):
    """The first contender is measured and logged once more."""
    run = view.race.runs[0]
    known = [one.event for one in store.events(run.id)]
    later = {"step": 1 + max(event.step for event in known)}
    for kind in ("filters", "step"):
        store.append(run.id, [event for event in known if event.kind == kind][-1].model_copy(update=later))
    view.refresh()


def test_every_figure_that_changed_is_drawn_again_and_no_other(watched):
    store, view, sight = watched
    before = drawn(view, sight)
    assert len(before) == FIGURES
    assert drawn(view, sight) == before
    go_on(store, view)
    after = drawn(view, sight)
    assert {name for name in before if before[name] != after[name]} == set(before)


def test_of_very_many_filters_some_figures_wait_for_their_turn_and_none_for_ever(watched, monkeypatch):
    store, view, sight = watched
    monkeypatch.setattr(galleries, "MANY", 100)
    before = drawn(view, sight)
    assert len(before) == FIGURES  # what was never drawn does not wait
    go_on(store, view)
    late = []
    for _ in range(FIGURES // AT_A_TIME):
        now = drawn(view, sight)
        late.append(sum(now[name] == before[name] for name in before))
    assert late == [4, 2, 0]
    go_on(store, view)
    past = Sight(200, *list(vars(sight).values())[1:])
    assert len(drawn(view, past)) == FIGURES  # whoever scrubs sees all figures at one step


def test_two_who_look_at_the_same_thing_get_the_same_bytes(watched):
    _, view, sight = watched
    again = Sight(*vars(sight).values())
    for row, other in zip(gallery(view, sight), gallery(view, again), strict=True):
        assert all(row[name].payload is other[name].payload for name in row)
    dark = Sight(*list(vars(sight).values())[:-1], "dark")
    assert gallery(view, dark)[0]["bias"].payload != gallery(view, sight)[0]["bias"].payload


def test_what_is_sent_is_json_without_holes(watched):
    _, view, sight = watched
    for row in gallery(view, sight):
        for panel in row.values():
            sent = json.loads(panel.payload, parse_constant=pytest.fail)
            assert {"data", "layout", "caption", "title", "span", "v"} <= set(sent)
