"""The Runs page: search, compare, rename, delete with undo, pack and import."""

import io

import pytest

from catalyst_core import packing
from tests import synthetic
from tests.app.helpers import fill, healthy, run, words

SMALL = {"methods": ({"name": "catalyst"}, {"name": "none"})}


@pytest.fixture
def races(store):
    """Two finished races and one that is going on, the newest."""
    second = synthetic.config(title="Second <b>race</b>", **SMALL)
    return [fill(store, synthetic.config(**SMALL)), fill(store, second), fill(store, synthetic.config(**SMALL), until=300)]


def button(at, label):
    return next(one for one in at.button if one.label == label)


def test_search_and_state_are_part_of_the_link(store, races):
    at = healthy(run("runs"))
    assert len(at.dataframe[0].value) == 3
    healthy(at.text_input(key="q").input("second group").run())
    assert "No race matches" in words(at)
    healthy(at.text_input(key="q").input("second").run())
    assert at.dataframe[0].value["Title"].tolist() == ["Second <b>race</b>"]
    healthy(at.text_input(key="q").input("").run())
    healthy(at.multiselect(key="state").set_value(["running"]).run())
    assert at.dataframe[0].value["Open"].tolist() == [f"/?race={races[2].id}"]


def test_a_race_in_the_link_is_selected_and_can_be_renamed(store, races):
    at = healthy(runs(race=races[0].id))
    at.text_input(key=f"title_{races[0].id}").input("Renamed").run()
    healthy(button(at, "Rename").click().run())
    assert store.race(races[0].id).title == "Renamed"
    assert "Renamed" in at.dataframe[0].value["Title"].tolist()
    assert "Select rows" in words(healthy(runs(race="")))


def test_a_deleted_race_comes_back_with_undo_after_a_reload_too(store, races):
    at = healthy(runs(race=races[1].id))
    healthy(button(at, "Delete").click().run())
    assert [race.id for race in store.races()] == [races[2].id, races[0].id]
    assert "Second" not in str(at.dataframe[0].value["Title"].tolist())
    again = healthy(run("runs"))
    assert r"Deleted **Second \<b\>race\</b\>**" in words(again)
    healthy(button(again, "Undo").click().run())
    assert store.race(races[1].id) == races[1]
    assert "Deleted **" not in words(again)
    assert again.query_params["race"] == races[1].id


def test_undo_after_the_purge_is_one_sentence(store, races):
    at = healthy(runs(race=races[1].id))
    healthy(button(at, "Delete").click().run())
    store.purge(0)
    button(at, "Undo").click().run()
    assert [error.value for error in at.error] == [
        f"Race '{races[1].id}': it was deleted for good, so it cannot be brought back."
    ]


def test_several_races_are_compared_or_deleted_but_for_those_that_go_on(store, races):
    at = healthy(runs(race=",".join(race.id for race in races)))
    assert "3 races" in words(at)
    links = [one.proto for one in at.get("page_link")]
    wanted = ",".join(race.id for race in races[::-1])
    assert [(one.label, one.query_string) for one in links] == [("Compare in Results", f"race={wanted.replace(',', '%2C')}")]
    healthy(button(at, "Delete 2 finished").click().run())
    assert [race.id for race in store.races()] == [races[2].id]
    healthy(runs(race=races[2].id))
    assert button(runs(race=races[2].id), "Delete").disabled


def test_a_packed_race_can_be_imported_and_what_is_none_is_one_sentence(store, races):
    at = healthy(runs(race=races[0].id))
    assert [one.label for one in at.get("download_button")] == ["Pack into a file"]
    content = packed(store, races[0].id)
    upload(at, content)
    assert "is in the store already" in at.error[0].value
    store.delete_race(races[0].id)
    upload(at, b"no zip")
    assert "it is not a packed race" in at.error[0].value
    healthy(upload(at, content))
    assert store.race(races[0].id).config == races[0].config
    assert at.query_params["race"] == races[0].id
    assert at.toast[0].value == "The race is imported and selected."


def packed(store, race_id):
    file = io.BytesIO()
    packing.pack(store, race_id, file)
    return file.getvalue()


def upload(at, content):
    """Give a file to the field for it."""
    return at.file_uploader[0].set_value(("some.race", content, "application/zip")).run()


def runs(**query):
    """The page by a link."""
    at = run("runs")
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()
