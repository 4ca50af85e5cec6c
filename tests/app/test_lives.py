"""What befalls a race while somebody looks at it: waits, failures, roll-backs, forks, deletion, a store that is away."""

import json
import re

import pytest

from app import panels
from catalyst_core.engine import launcher, room
from catalyst_core.errors import StoreUnavailableError
from catalyst_core.events import Command, Failed, RolledBack, SettingChanged, StateChanged
from catalyst_core.store import Store
from tests import synthetic
from tests.app.helpers import fill, healthy, run, words
from tests.store import made

SMALL = {"methods": ({"name": "catalyst"}, {"name": "l1"})}


def button(at, label):
    return next(one for one in at.button if one.label == label)


def warnings(at):
    """Without the one about sign-in, and without marks before Markdown's own."""
    return [one.value.replace("\\", "") for one in at.warning if "Other machines" not in one.value]


def labels_drawn(at):
    """Names of what the figure of training shows."""
    sent = {}
    for component in at.get("bidi_component"):
        sent |= json.loads(component.proto.bytes)
    return {trace["name"] for trace in sent["curves"]["data"] if trace.get("name")}


def keep(store, run_id, name="000001-aa-kept", step=300):
    """A checkpoint that is said to be kept, and is."""
    store.append(run_id, [made.kept(name, step, reason="strength 0.3 to 1")])
    file = launcher.checkpoint_file(store, run_id, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"state")


def test_who_waits_for_room_says_so_and_a_full_disk_is_announced(store, monkeypatch):
    race = fill(store, synthetic.config(**SMALL), until=300)
    assert warnings(healthy(run(race=race.id))) == []
    store.append(race.runs[0].id, [StateChanged(step=300, state="paused")])
    store.beat(race.runs[0].id, note="waiting for disk space: 3 MiB free")
    at = healthy(run(race=race.id))
    assert len(warnings(at)) == 1
    assert "Catalyst, seed 0: waiting for disk space: 3 MiB free" in warnings(at)[0]
    assert "goes on by itself" in warnings(at)[0]
    store.send(race.runs[1].id, Command(name="stop"))
    assert "it goes on from the same step, by itself" in words(healthy(at.run()))
    store.beat(race.runs[0].id, note="")
    monkeypatch.setattr(room, "lacking", lambda folder, needed=0: "the disk of races has 1 MiB free, 16 are needed")
    assert "The disk is full: the disk of races has 1 MiB free" in warnings(healthy(at.run()))[0]


def test_each_failed_contender_has_its_reason_its_log_and_a_button(store, started):
    race = fill(store, synthetic.config(**SMALL), until=300, fail="the loss is <b>not</b> a number")
    at = healthy(run(race=race.id))
    assert [one.label.count("failed: the loss is") for one in at.expander[:2]] == [1, 1]
    assert [one.value for one in at.code] == ["line one\nline two"] * 2
    healthy([one for one in at.button if one.label == "Go on"][1].click().run())
    assert [(one.state, one.attempt) for one in store.race(race.id).runs] == [("failed", 1), ("queued", 2)]
    assert started == [race.runs[1].id]
    assert len([one for one in at.button if one.label == "Go on"]) == 1


def test_what_was_changed_and_taken_back_is_a_table(store):
    race = fill(store, synthetic.config(**SMALL), until=300)
    store.append(
        race.runs[0].id,
        [
            SettingChanged(step=260, name="solver", old="proximal", new="subgradient", who="<b>ada"),
            RolledBack(step=250, stage="sparse", from_step=300, reason="the loss exploded", key="back:1"),
            SettingChanged(step=250, name="learning_rate", old=0.1, new=0.05, who="automatic"),
        ],
    )
    at = healthy(run(race=race.id))
    shown = next(one.proto.body for one in at.get("html") if "roll-back" in one.proto.body)
    rows = [re.findall("<td>(.*?)</td>", row) for row in shown.split("<tr>")[2:]]
    assert [row[1:] for row in rows] == [
        ["Catalyst", "0", "250", "learning rate", "0.1", "0.05", "automatic", ""],
        ["Catalyst", "0", "250", "roll-back", "300", "250", "automatic", "the loss exploded"],
        ["Catalyst", "0", "260", "solver", "proximal", "subgradient", "&lt;b&gt;ada", ""],
    ]
    rate = next(one for one in at.select_slider if one.label == "Learning rate")
    assert rate.value == 0.1  # halved in one contender by itself: not what all of them have


def test_learning_rate_solver_and_schedule_are_left_for_the_contenders(store):
    race = fill(store, synthetic.config(**SMALL), until=300)
    at = healthy(run(race=race.id))
    healthy(next(one for one in at.select_slider if one.label == "Learning rate").set_value(0.0501).run())
    healthy(next(one for one in at.selectbox if one.label == "Solver: L1").select("subgradient").run())
    healthy(next(one for one in at.selectbox if one.label == "Schedule: Catalyst").select("constant").run())
    sent = [[(one.command.name, one.command.value) for one in store.commands(each.id)] for each in race.runs]
    assert sent == [
        [("learning_rate", 0.0501), ("schedule", "constant")],
        [("learning_rate", 0.0501), ("solver", "subgradient")],
    ]
    assert not any(one.label == "Schedule: L1" for one in at.selectbox)


def test_a_race_in_macs_is_steered_in_macs(store):
    race = fill(store, synthetic.config(macs_ratio=0.6, **SMALL), until=300)
    at = healthy(run(race=race.id))
    healthy(next(one for one in at.slider if one.label.startswith("Budget")).set_value(0.7).run())
    assert [one.command.name for one in store.commands(race.runs[0].id)] == ["macs_ratio"]


def test_a_fork_begins_from_a_checkpoint_with_what_was_typed(store, started):
    race = fill(store, synthetic.config(**SMALL))
    assert not any(one.label == "Checkpoint" for one in run(race=race.id).selectbox)
    race = fill(store, synthetic.config(**SMALL), until=300)
    keep(store, race.runs[0].id)
    at = healthy(run(race=race.id))
    assert next(one for one in at.selectbox if one.label == "Checkpoint").options == [
        "Catalyst, seed 0 · step 300 · strength 0.3 to 1"
    ]
    next(one for one in at.text_input if one.label == "Name").input("stronger")
    next(one for one in at.number_input if one.label == "Strength").set_value(3.0)
    healthy(button(at, "Fork from here").click().run())
    fork = store.race(race.id).runs[-1]
    assert (fork.label, fork.parent, started) == ("catalyst (stronger)", race.runs[0].id, [race.runs[1].id, fork.id])
    assert [(one.command.name, one.command.value) for one in store.commands(fork.id)] == [("strength", 3.0)]
    assert "Catalyst (stronger)" in labels_drawn(at)
    assert any(one.label == "Strength: Catalyst (stronger)" for one in at.select_slider)
    next(one for one in at.text_input if one.label == "Name").input("<b>")
    button(at, "Fork from here").click().run()
    assert len(at.error) == 1
    assert "only letters" in at.error[0].value
    assert len(store.race(race.id).runs) == 3


def test_a_race_that_somebody_deletes_while_one_looks_is_one_sentence_and_a_link(store):
    race, other = fill(store, synthetic.config(**SMALL)), fill(store, synthetic.config(title="Other", **SMALL))
    at = healthy(run(race=race.id))
    store.delete_race(race.id)
    at.run()
    assert not at.exception
    assert [one.value for one in at.error] == [f"Race '{race.id}' is not there any more: somebody has deleted it."]
    assert any(one.proto.label == "All races" for one in at.get("page_link"))
    assert "Other" in words(at)
    healthy(at.text_input(key="form_seeds@").input("1").run())  # the form stays
    assert button(at, "Open this race")
    assert store.races()[0].id == other.id


def away(monkeypatch):
    """Nobody reaches the store any more, until `monkeypatch.undo`."""

    def refuse(self):
        raise StoreUnavailableError("store postgresql://ada:***@db/races: connection refused")

    for name in ("_read", "_write"):
        monkeypatch.setattr(Store, name, refuse)


def test_a_store_that_is_away_leaves_the_last_picture_and_one_sentence(store):
    race = fill(store, synthetic.config(**SMALL), until=300)
    at = healthy(run(race=race.id))
    drawn = labels_drawn(at)
    with pytest.MonkeyPatch.context() as patched:
        away(patched)
        at = healthy(at.run())
        assert len(warnings(at)) == 1
        assert "connection refused" in warnings(at)[0]
        assert "goes on by itself" in warnings(at)[0]
        assert labels_drawn(at) == drawn
        button(at, "Pause").click().run()
        assert [one.value for one in at.error] == ["Store postgresql://ada:\\*\\*\\*@db/races: connection refused."]
        assert labels_drawn(at) == drawn
    assert warnings(healthy(at.run())) == []


def test_the_list_of_races_outlives_a_store_that_is_away(store):
    fill(store, synthetic.config(**SMALL))
    at = healthy(run("runs"))
    with pytest.MonkeyPatch.context() as patched:
        away(patched)
        at.run()
        assert not at.exception
        assert len(at.dataframe[0].value) == 1
        assert "connection refused" in warnings(at)[0]
    assert warnings(healthy(at.run())) == []


@pytest.mark.parametrize("page", ["race", "results", "lab", "runs"])
def test_a_page_opened_while_the_store_is_away_tries_again(page, store, monkeypatch):
    away(monkeypatch)
    monkeypatch.setattr(Store, "__init__", lambda self, url=None: Store._read(self))
    at = run(page)
    assert not at.exception
    assert len(at.error) == 1
    assert "This page tries again by itself." in at.error[0].value


def test_two_people_who_start_the_same_race_have_two(store):
    first, second = run(), run()
    for at in (first, second):
        healthy(button(at, "Start race").click().run())
    assert len({one.id for one in store.races()}) == 2
    assert first.query_params["race"] != second.query_params["race"]


def test_whoever_saw_a_race_going_is_told_of_its_end_once_on_any_page(store):
    race = fill(store, until=300)
    at = healthy(run(race=race.id))
    assert not at.toast
    for one in store.race(race.id).runs:
        store.append(one.id, [Failed(step=300, reason="no power")])
    healthy(at.switch_page("../pages/theory.py").run())
    assert [toast.value for toast in at.toast] == [f"**{panels.plain(race.title)}** has ended: 5 contenders: 5 failed."]
    assert not healthy(at.run()).toast


def test_looking_writes_nothing(store, monkeypatch):
    race = fill(store, synthetic.config(({"name": "catalyst"},)), until=300)
    keep(store, race.runs[0].id)
    viewers = [healthy(run(race=race.id)), healthy(run("runs")), healthy(run("results", race=race.id))]
    written = []
    write = Store._write
    monkeypatch.setattr(Store, "_write", lambda self: written.append(self) or write(self))
    for at in viewers:
        healthy(at.run())
    assert written == []
    store.send(race.runs[0].id, Command(name="pause"))
    assert len(written) == 1


def test_no_page_reads_the_runs_of_all_races(store, monkeypatch):
    race = fill(store, synthetic.config(**SMALL))
    monkeypatch.setattr(Store, "races", lambda self: 1 / 0)
    for page in ("race", "results", "lab", "runs"):
        healthy(run(page))
        healthy(run(page, race=race.id))


def test_the_runs_page_shows_the_queue_and_the_room_and_lets_a_race_go_first(store):
    first, second = (store.create_race(synthetic.config(title=title, **SMALL)) for title in ("One", "Two"))
    at = healthy(run("runs", race=second))
    queue = at.dataframe[1].value
    assert queue["Race"].tolist() == ["One", "One", "Two", "Two"]
    healthy(at.number_input(key=f"priority_{second}").set_value(5).run())
    assert at.dataframe[1].value["Race"].tolist() == ["Two", "Two", "One", "One"]
    assert {one.priority for one in store.race(first).runs} == {0}
    assert "of the files" not in words(at)
    assert "at most 52.4 GB together" in words(at)
    assert "sqlite:" in words(at)
