"""Commands that change a race: what is left for its workers, and the one sentence for everything that cannot be."""

import getpass
import json

import pytest

from catalyst_core.cli import main
from catalyst_core.cli.parser import build_parser
from catalyst_core.cli.racing import race_config
from catalyst_core.engine import launcher
from catalyst_core.events import Failed, Finished, RolledBack, SettingChanged
from tests.cli.refusal import refusal
from tests.store import made


@pytest.fixture
def race(store):
    """Three contenders: the first is in its sparse stage and kept a checkpoint, two are queued."""
    config = race_config(build_parser().parse_args(["race", "--methods", "catalyst,l1,none"]))
    found = store.race(store.create_race(config))
    first = found.runs[0].id
    store.claim(first, made.ME, slots=1)
    changed = SettingChanged(step=12, name="strength", old=1.0, new=2.0, who="ada")
    back = RolledBack(step=14, stage="sparse", from_step=18, reason="the loss was NaN", key="back:1")
    store.append(first, [made.begun(), made.keyed(10), changed, made.kept("000001-aa-kept", 12), back])
    file = launcher.checkpoint_file(store, first, "000001-aa-kept")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"state")
    return found


def said(capsys, *words):
    """The JSON that a command prints."""
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def waiting(store, run):
    return [(one.command.name, one.command.value, one.command.who) for one in store.commands(run.id)]


def test_a_setting_is_left_for_every_contender_that_has_it_under_my_name(store, race, capsys):
    me = getpass.getuser()
    assert said(capsys, "set", race.id, "strength", "0.5")["sent"] == 2
    assert said(capsys, "set", race.id[:6], "solver", "subgradient", "--contender", "l1")["sent"] == 1
    assert said(capsys, "set", race.runs[0].id, "learning_rate", "0.05")["sent"] == 1
    assert [waiting(store, run) for run in race.runs] == [
        [("strength", 0.5, me), ("learning_rate", 0.05, me)],
        [("strength", 0.5, me), ("solver", "subgradient", me)],
        [],
    ]


def test_pause_continue_and_stop_reach_who_is_live(store, race, capsys):
    assert said(capsys, "pause", race.id) == {"race": race.id, "paused": 3}
    assert said(capsys, "continue", race.runs[0].id) == {"race": race.id, "continued": 1}
    assert said(capsys, "stop", race.id) == {"race": race.id, "stopped": 3}
    assert [name for name, *_ in waiting(store, race.runs[0])] == ["pause", "resume", "stop"]
    assert [run.state for run in store.race(race.id).runs] == ["running", "stopped", "stopped"]


def test_priority_moves_what_is_queued(store, race, capsys):
    assert said(capsys, "priority", race.id, "-5")["runs"] == [run.id for run in race.runs[1:]]
    assert said(capsys, "priority", race.runs[2].id, "7")["runs"] == [race.runs[2].id]
    assert [(run.priority, run.place) for run in store.race(race.id).runs] == [(0, None), (-5, 2), (7, 1)]


def test_a_fork_goes_on_from_a_checkpoint_that_the_beginning_of_its_name_names(store, race, capsys):
    words = ("fork", race.runs[0].id, "000001", "--as", "b", "--set", "strength=3", "--set", "solver=subgradient", "--detach")
    made_ = said(capsys, *words)
    fork = store.run(made_["run"])
    assert (fork.label, fork.parent, made_["checkpoint"]) == ("catalyst (b)", race.runs[0].id, "000001-aa-kept")
    assert [(name, value) for name, value, _ in waiting(store, fork)] == [("strength", 3.0), ("solver", "subgradient")]


def test_show_has_what_a_person_needs_to_go_on(store, race, capsys):
    store.append(race.runs[0].id, [Failed(step=14, reason="killed", log_tail="the last line")])
    first, second, _ = said(capsys, "show", race.id)["runs"]
    assert first["checkpoints"] == [{"name": "000001-aa-kept", "step": 12, "stage": "sparse", "reason": "asked for"}]
    assert [(one["name"], one["from"], one["to"], one["who"], one["step"]) for one in first["changes"]] == [
        ("strength", 1.0, 2.0, "ada", 12),
        ("roll-back", 18, 14, "automatic", 14),
    ]
    assert first["hint"] == f"python -m catalyst_core resume {race.runs[0].id}"
    assert 0 <= first["heartbeat_age"] < 600
    assert (second["hint"], second["priority"], second["parent"], second["heartbeat_age"]) == (None, 0, None, None)
    assert main(["show", race.id]) == 0
    text = capsys.readouterr().out
    for words in ("failed: killed", "strength 1 to 2 by ada", "checkpoint 000001-aa-kept", f"resume {race.runs[0].id}"):
        assert words in text
    assert said(capsys, "resume", race.runs[0].id, "--detach")["resumed"] == 1
    assert store.run(race.runs[0].id).state == "queued"


def test_a_checkpoint_that_is_not_there_any_more_is_not_offered(store, race, capsys):
    launcher.checkpoint_file(store, race.runs[0].id, "000001-aa-kept").unlink()
    assert said(capsys, "show", race.id)["runs"][0]["checkpoints"] == []


def test_deleting_asks_first_and_space_says_what_is_left(store, race, capsys):
    before = said(capsys, "space")
    assert set(before) == {"store", "folder", "database", "files", "limit", "free"}
    assert min(before["database"], before["files"], before["limit"], before["free"]) > 0
    said(capsys, "stop", race.id)
    store.append(race.runs[0].id, [Finished(step=14, ledger={}, stopped=True)])
    assert "--yes" in refusal(capsys, ["delete", race.id])
    assert store.races()
    assert said(capsys, "delete", race.id, "--yes") == {"race": race.id, "deleted": True}
    assert store.races() == []
    assert said(capsys, "space")["files"] < before["files"]


WRONG = {
    "set RUN0 strength nan": "finite number, not 'nan'",
    "set RUN0 strength -1": "between 0 and 10000",
    "set RACE learning_rate 11": "between 0 and 10",
    "set RACE pruning_ratio 1": "between 0 and 1",
    "set RACE macs_ratio 0.5": "the budget of this race is pruning_ratio",
    "set RACE solver <b>": "one of proximal, subgradient, not '<b>'",
    "set RACE colour red": "'colour' cannot be changed",
    "set RUN2 strength 1": "none has no strength",
    "set RACE strength 1 --contender nobody": "one of catalyst, l1, none",
    "set RUN9 strength 1": "has RUN0 to RUN2",
    "fork RACE 000001 --as b": "has 3 runs: name one, such as RUN0",
    "fork RUN0 000009 --as b": "no checkpoint '000009'",
    "fork RUN1 000001 --as b": "no checkpoint '000001'",
    "fork RUN0 000001 --as <script>": "only letters",
    "fork RUN0 000001 --as b --set strength": "NAME=VALUE",
    "fork RUN0 000001 --as b --set strength=x": "finite number",
    "priority RUN0 1": "only a queued run",
    "priority RACE 101": "between -100 and 100",
    "priority RACE x": "whole number",
    "resume RUN0": "only a failed or stopped one can go on",
    "delete RACE --yes": "stop it before deleting",
    "list --limit 0": "1 or more",
    "list --store postgresql://u:secret@localhost:1/x": "postgresql+psycopg://u:***@localhost:1/x",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_sentence_and_changes_nothing(line, store, race, capsys):
    def filled(text):
        for number in (0, 1, 2, 9):
            text = text.replace(f"RUN{number}", f"{race.id}-0{number}")
        return text.replace("RACE", race.id)

    words = refusal(capsys, filled(line).split())
    assert filled(WRONG[line]) in words
    assert "secret" not in words
    after = store.race(race.id)
    assert [run.id for run in after.runs] == [run.id for run in race.runs]
    assert [waiting(store, run) for run in after.runs] == [[], [], []]


@pytest.mark.parametrize("name", ["x" * 10_000, "<script>alert(1)</script>" * 400, "\u202e" * 10_000])
def test_a_name_without_end_is_repeated_in_part(name, store, race, capsys):
    for words in (
        ["fork", race.runs[0].id, "000001", "--as", name],
        ["set", race.id, name, "1"],
        ["set", race.id, "solver", name],
    ):
        sentence = refusal(capsys, words)
        assert len(sentence) < 400
        assert sentence.strip().isprintable()
    assert len(store.race(race.id).runs) == 3


@pytest.mark.parametrize("words", ["set RUN strength 1", "pause RUN", "continue RUN", "stop RUN", "priority RUN 1"])
def test_a_finished_run_takes_no_more_commands(words, store, race, capsys):
    first = race.runs[0].id
    store.append(first, [Finished(step=14, ledger={"method": "catalyst"})])
    assert f"run {first} is completed: it takes no more commands" in refusal(capsys, words.replace("RUN", first).split())
    said(capsys, "stop", race.id)
    assert f"race {race.id} is stopped: it takes no more" in refusal(capsys, words.replace("RUN", race.id).split())
