"""A contender that is killed anywhere, any number of times, says and leaves what an undisturbed one does."""

import pytest

from catalyst_core.errors import DivergedError
from catalyst_core.events import CheckpointKept, Command, Noted, RolledBack, SettingChanged
from catalyst_core.training import keeper, loop, plan
from tests.training.lives import Lives, moments, same_weights, told
from tests.training.tiny import contender


@pytest.fixture(autouse=True)
def checkpoint_at_every_step(monkeypatch):
    monkeypatch.setattr(keeper, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(keeper, "COST", 0.0)


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "catalyst"},
        {"method": "catalyst", "canonicalize": True, "solver": "subgradient"},
        {"method": "catalyst", "allocation": "global"},
        {"method": "l1"},
        {"method": "growing_reg"},
        {"method": "random"},
        {"method": "none", "recalibrate": False},
    ],
    ids=lambda fields: " ".join(str(value) for value in fields.values()),
)
def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(tmp_path, fields):
    config = contender(**fields)
    plain = Lives(tmp_path / "plain", config)
    plain.run()
    killed = Lives(tmp_path / "killed", config, moments(len(str(fields)), count=7, most=18))
    killed.run()
    assert killed.lives == 8
    assert told(killed.stored) == told(plain.stored)
    assert same_weights(tmp_path / "plain", tmp_path / "killed")


@pytest.mark.parametrize("every", [1, 1000])
def test_it_does_not_matter_how_much_had_been_committed(tmp_path, every):
    config = contender("group_lasso", sparse_epochs=1)
    plain = Lives(tmp_path / "plain", config, every=1).run()
    killed = Lives(tmp_path / "killed", config, moments(every, count=10, most=9), every=every).run()
    assert told(killed) == told(plain)


def test_rare_checkpoints_only_mean_that_more_is_done_again(tmp_path, monkeypatch):
    plain = Lives(tmp_path / "plain", contender()).run()
    monkeypatch.setattr(keeper, "EVERY_SECONDS", 1e9)
    killed = Lives(tmp_path / "killed", contender(), [7, 16, 28, 33]).run()
    assert told(killed) == told(plain)


def test_changes_are_carried_out_once_and_where_they_were(tmp_path):
    sent = [(12, Command(name="strength", value=2.0, who="ada")), (12, Command(name="learning_rate", value=0.05))]
    sent += [(17, Command(name="pruning_ratio", value=0.4)), (20, Command(name="solver", value="subgradient"))]

    def run(name, deaths):
        lives = Lives(tmp_path / name, contender(), deaths, every=1)
        lives.waiting = list(sent)
        return lives.run()

    plain = run("plain", [])
    changes = of(plain, SettingChanged)
    assert [change.name for change in changes] == ["strength", "learning_rate", "pruning_ratio", "solver"]
    kept = [event.reason for event in of(plain, CheckpointKept)]
    assert "; ".join(kept[:-1]) == (
        "strength 1 to 2; learning_rate 0.1 to 0.05; pruning_ratio 0.5 to 0.4; solver proximal to subgradient"
    )
    assert kept[-1] == "before the cut"
    killed = run("killed", [21, 3, 4, 2])
    assert [(change.name, change.old, change.new) for change in of(killed, SettingChanged)] == [
        (change.name, change.old, change.new) for change in changes
    ]
    again = Lives(tmp_path / "again", contender(), [4, 9, 3, 7], every=1)
    again.stored = list(changes)  # told what was changed and where, it needs no commands
    assert [event for event in told(again.run()) if event["kind"] != "setting"] == [
        event for event in told(plain) if event["kind"] != "setting"
    ]
    assert same_weights(tmp_path / "plain", tmp_path / "again")


def test_dense_training_that_another_contender_began_is_gone_on_with(tmp_path):
    plain = Lives(tmp_path / "plain", contender("l1")).run()
    Lives(tmp_path / "both", contender("catalyst"), [6]).live()
    second = Lives(tmp_path / "both", contender("l1"), run="second").run()
    steps = [event.step for event in second if event.kind == "step" and event.stage == "dense"]
    assert steps[0] > 1
    assert steps[-1] == 8
    assert not_of_dense(second) == not_of_dense(plain)


def not_of_dense(events):
    return [event for event in told(events) if event.get("stage") != "dense"]


@pytest.mark.parametrize("damage", ["torn", "altered", "empty", "gone"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_it_used(tmp_path, damage, caplog):
    plain = Lives(tmp_path / "plain", contender()).run()
    killed = Lives(tmp_path / "killed", contender(), [25])
    killed.live()
    files = sorted((tmp_path / "killed" / "run" / "checkpoints").glob("*.pt"))
    assert len(files) == 2
    content = files[-1].read_bytes()
    if damage == "gone":
        files[-1].unlink()
    else:
        parts = {"torn": content[: len(content) // 2], "altered": content[:-200] + bytes(200), "empty": b""}
        files[-1].write_bytes(parts[damage])
    assert told(killed.run()) == told(plain)
    assert ("damaged" in caplog.text) == (damage != "gone")


def test_without_any_checkpoint_it_begins_again_and_says_nothing_twice(tmp_path):
    plain = Lives(tmp_path / "plain", contender()).run()
    killed = Lives(tmp_path / "killed", contender(), [25])
    killed.live()
    for file in (tmp_path / "killed" / "run" / "checkpoints").glob("*.pt"):
        file.unlink()
    assert told(killed.run()) == told(plain)


def test_a_finished_run_keeps_one_checkpoint_and_a_stopped_one_can_go_on(tmp_path):
    done = Lives(tmp_path / "done", contender())
    done.run()
    kept = [file.stem for file in (tmp_path / "done" / "run" / "checkpoints").glob("*.pt")]
    assert kept == [event.name for event in of(done.stored, CheckpointKept)]
    stopped = Lives(tmp_path / "stopped", contender(), every=1)
    stopped.waiting = [(18, Command(name="stop"))]
    events = stopped.run()
    stops = [place for place, event in enumerate(events) if event.kind == "state"]
    stopped.stored = [e for place, e in enumerate(events) if place < stops[0] or e.kind == "checkpoint"]  # as the store does
    assert told(stopped.run()) == told(done.stored)
    assert same_weights(tmp_path / "done", tmp_path / "stopped")


class Exploding:
    """Makes the loss infinite at a step, as often as it is told to."""

    def __init__(self, monkeypatch, at, times):
        self.left, original = times, loop.functional.cross_entropy
        self.now = lambda: -1  # no step yet: the network is only looked at

        def cross_entropy(logits, y):
            value = original(logits, y)
            if logits.requires_grad and self.left and self.now() >= at:
                self.left -= 1
                return value * float("inf")
            return value

        monkeypatch.setattr(loop.functional, "cross_entropy", cross_entropy)
        real = loop.Loop._train_step

        def train_step(this, *arguments):
            self.now = lambda: this.step
            return real(this, *arguments)

        monkeypatch.setattr(loop.Loop, "_train_step", train_step)


@pytest.mark.parametrize(("at", "stage"), [(13, "sparse"), (25, "finetune")])
def test_a_loss_that_explodes_goes_back_and_on_at_half_the_rate_once(tmp_path, monkeypatch, at, stage):
    Exploding(monkeypatch, at, times=1)
    events = Lives(tmp_path, contender()).run()
    (back,) = of(events, RolledBack)
    assert (back.stage, back.step, back.from_step) == (stage, at, at)
    assert "became inf" in back.reason
    (halved,) = of(events, SettingChanged)
    assert (halved.name, halved.old, halved.new, halved.step) == ("learning_rate", 0.1, 0.05, at)
    keys = [event.key for event in events if event.key]
    assert len(set(keys)) == len(keys)
    assert events[-1].ledger["finetune_steps"] == 4


def test_a_loss_that_explodes_again_ends_the_run_with_the_reason(tmp_path, monkeypatch):
    Exploding(monkeypatch, 13, times=2)
    with pytest.raises(DivergedError, match=r"became inf at step 13 of the sparse stage.*half the learning rate"):
        Lives(tmp_path, contender()).run()


def test_dense_training_that_explodes_begins_again_for_everybody(tmp_path, monkeypatch):
    Exploding(monkeypatch, 5, times=1)
    first = Lives(tmp_path, contender("l1")).run()
    assert of(first, RolledBack)[0].step == 0
    assert [event.step for event in first if event.kind == "step" and event.stage == "dense"] == list(range(1, 9))
    second = Lives(tmp_path, contender("group_lasso"), run="second").run()
    for events in (first, second):
        assert any("half the learning rate" in event.text for event in of(events, Noted))


def test_who_trained_the_dense_network_and_who_loaded_it_say_the_same_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "LOGGED", 9)  # every third of 28 steps: dense training ends between two words
    trained = Lives(tmp_path, contender("l1")).run()
    loaded = Lives(tmp_path, contender("l1"), run="second").run()
    assert not_of_dense(trained) == not_of_dense(loaded)
