"""What a watched loop leaves in the store is what it did, and however it ends the run says so."""

import inspect
import math

import numpy as np
import pytest
import torch

import catalyst_core
from catalyst_core import certify, cost, watch
from catalyst_core.config import RaceConfig
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.errors import ConfigError, NoGroupsError, StoreError
from catalyst_core.events import Command
from catalyst_core.frames import unpack
from catalyst_core.regularizers import build_regularizer
from catalyst_core.watching import Unwatched, Watched
from catalyst_core.watching.pace import EVERY_SECONDS, Mean, Pace
from tests.core.loops import RATE, digits
from tests.watching.loops import STEPS, loop


def kinds(store, *wanted):
    """The events of the newest race of these kinds."""
    return [one.event for one in store.events(store.newest_race().runs[0].id, kinds=wanted or None)]


def run(store):
    return store.newest_race().runs[0]


def notes(store):
    return [one.text for one in kinds(store, "note")]


@pytest.fixture
def mine():
    return loop()


@pytest.fixture
def finished(store, mine, every_step):
    """A whole training, with the certificate of its cut."""
    images = digits().test_x[:100]
    with watch(mine.model, mine.groups, mine.reg, store=store, title="my net") as watched:
        watched.evaluated(0.9, split="test")
        mine.steps(watched)
        watched.evaluated(0.91, 0.3)
        mine.steps(watched, 1)
        watched.evaluated(0.8, split="test")
        small = mine.cut()
        certificate = watched.pruned(mine.model, small, images)
        watched.evaluated(0.7, split="test")
        mine.reg = loop("none").reg  # there is nothing left to regularize
        mine.model, mine.optimizer = small, torch.optim.SGD(small.parameters(), lr=RATE)
        mine.steps(watched, 3)
        watched.finish(finetuned=0.95)
    return certificate


def test_the_race_is_this_process_own_and_says_what_it_is(store, mine):
    with watch(mine.model, mine.groups, mine.reg, store=store, title="my net") as watched:
        race = store.race(watched.race_id)
        assert race.runs[0].process == this_process()
        assert (race.title, race.state, race.config.data.name, race.config.model) == ("my net", "running", "own", "own")
        assert race.labels == ("catalyst",)
        assert store.assign("anywhere", 8) == []  # no worker is started for it
    assert store.race(watched.race_id).state == "completed"
    assert catalyst_core.watch is watch


def test_every_step_is_told_with_its_loss_and_a_look_at_every_filter(store, mine, finished):
    logged, looks = kinds(store, "step"), kinds(store, "filters")
    assert [one.step for one in logged] == list(range(1, STEPS + 5))
    assert [one.loss for one in logged] == pytest.approx(mine.losses, rel=1e-6)
    assert {one.accuracy for one in logged} == {0.5}
    assert {one.learning_rate for one in logged} == {RATE}
    assert [one.stage for one in logged] == ["sparse"] * (STEPS + 1) + ["finetune"] * 3
    assert [one.stage for one in kinds(store, "stage")] == ["sparse", "prune", "finetune", "finetune"]
    assert kinds(store, "stage")[0].total_steps == STEPS
    assert run(store).total_steps == STEPS + 4  # it took more in the end
    kept = np.concatenate([mask.numpy() for mask in loop_decisions(looks)])
    now = torch.cat([group.magnitudes() for group in catalyst_core.find_groups(mine.model, digits().test_x[:2])])
    np.testing.assert_allclose(unpack(looks[-1].magnitudes)[kept], now.numpy(), rtol=1e-6)


def loop_decisions(looks):
    """What the look that the cut was made from keeps."""
    (decided,) = [one for one in looks if one.decided]
    return [torch.from_numpy(unpack(decided.margins) > 0)]


def test_the_cut_comes_with_its_certificate_and_what_both_networks_cost(store, finished):
    assert finished.lossless
    (pruned,) = kinds(store, "pruned")
    assert pruned.widths == {"conv1": (32, 16), "conv2": (64, 32), "conv3": (64, 32)}
    assert (pruned.max_abs_logit_change, pruned.images) == (finished.max_abs_logit_change, 100)
    ledger, dense = run(store).ledger, cost.count(loop().model, digits().test_x[:1])
    assert (ledger["macs_dense"], ledger["params_dense"]) == (dense.macs, dense.params)
    assert ledger["params"] < 0.6 * dense.params
    assert [ledger[f"{name}_accuracy"] for name in ("dense", "sparse", "post_prune", "recalibrated", "finetuned")] == [
        0.9, 0.8, 0.7, None, 0.95,
    ]  # fmt: skip
    assert ledger["validation"] == {"dense": None, "sparse": 0.91, "post_prune": None, "finetuned": None}
    assert (ledger["sparse_steps"], ledger["finetune_steps"], ledger["channels_pruned"]) == (STEPS + 1, 3, 80)
    assert run(store).accuracy == 0.91


def broken(store, mine, error):
    """A training that this ends."""
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        mine.steps(watched, 2)
        raise error


def test_an_exception_marks_the_run_failed_and_is_raised_again(store, mine):
    with pytest.raises(ZeroDivisionError, match="of my own"):
        broken(store, mine, ZeroDivisionError("of my own\nand a second line"))
    assert (run(store).state, run(store).step) == ("failed", 2)
    assert run(store).reason == "ZeroDivisionError: of my own and a second line"
    assert "raise error" in run(store).log_tail
    assert kinds(store, "step")[-1].step == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_marks_it_stopped(store, mine, error):
    with pytest.raises(error):
        broken(store, mine, error())
    assert (run(store).state, run(store).ledger) == ("stopped", None)


def test_without_a_cut_there_is_no_ledger_and_a_note_says_why(store, mine):
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        mine.steps(watched, 2)
    assert (run(store).state, run(store).ledger) == ("completed", None)
    assert notes(store) == ["nothing was cut (Watched.pruned), so there is no ledger"]


def send(store, name, value=None):
    store.send(run(store).id, Command(name=name, value=value, who="ada"))


def hear(mine, watched, until):
    """Train until something has happened."""
    for _ in range(2000):
        mine.steps(watched, 1)
        if until():
            return
    raise AssertionError("waited in vain")


def test_strength_and_budget_from_the_dashboard_act_on_the_regularizer(store):
    mine = loop(total_steps=None)
    with watch(mine.model, mine.groups, mine.reg, store=store, learning_rate=RATE) as watched:
        send(store, "strength", 2.0)
        send(store, "pruning_ratio", 0.75)
        hear(mine, watched, lambda: mine.reg.pruning_ratio == 0.75)
        assert mine.reg.strength == 2.0
    changed = kinds(store, "setting")
    assert [(one.name, one.old, one.new, one.who) for one in changed] == [
        ("strength", 1.0, 2.0, "ada"),
        ("pruning_ratio", 0.5, 0.75, "ada"),
    ]


def test_what_cannot_be_done_is_left_as_it_is_and_a_note_says_why(store):
    mine = loop(total_steps=None)
    before = mine.reg.settings
    commands = [("pause", None), ("learning_rate", 0.5), ("solver", "subgradient"), ("strength", 1000.0), ("macs_ratio", 0.5)]
    with watch(mine.model, mine.groups, mine.reg, store=store, learning_rate=RATE) as watched:
        for name, value in commands:
            send(store, name, value)
        hear(mine, watched, lambda: len(notes(store)) == len(commands))
    assert mine.reg.settings == before
    for note, (name, _) in zip(notes(store), commands, strict=False):
        assert note.startswith(f"{name} was left as it is: ")
    assert "watched, not run" in notes(store)[0]
    assert "strength must stay below 10, not 1000" in notes(store)[3]


def test_the_strength_of_catalyst_stays_while_nobody_knows_how_large_the_learning_rate_gets(store):
    mine = loop(total_steps=None)
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        send(store, "strength", 2.0)
        hear(mine, watched, lambda: notes(store))
    assert mine.reg.strength == 1.0
    assert "watch(learning_rate=...)" in notes(store)[0]


def test_a_larger_learning_rate_than_announced_counts(store):
    mine = loop(total_steps=None)
    with watch(mine.model, mine.groups, mine.reg, store=store, learning_rate=1e-3) as watched:
        send(store, "strength", 15.0)  # below 1 / (2 * 0.001), not below 1 / (2 * 0.05)
        hear(mine, watched, lambda: notes(store))
    assert mine.reg.strength == 1.0


def test_stop_is_up_to_the_loop(store):
    mine = loop(total_steps=None)
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        send(store, "stop")
        hear(mine, watched, lambda: watched.stopping)
        watched.pruned(mine.model, mine.cut(), digits().test_x[:10])
    assert run(store).state == "stopped"
    assert run(store).ledger["stopped"] is True
    assert [one.state for one in kinds(store, "state")] == ["stopping"]


def test_a_regularizer_from_elsewhere_needs_the_contract_and_nothing_else(store, mine, every_step):
    class Foreign:
        """Forwards to one of ours, and is none."""

        name, strength, current_strength = "my_ridge", 0.25, 0.25

        def __init__(self, inner):
            self._inner = inner
            self.penalty, self.measure, self.decisions = inner.penalty, inner.measure, inner.decisions

        pruning_ratio = property(lambda self: self._inner.pruning_ratio)
        undecided = property(lambda self: self._inner.undecided)
        seconds = property(lambda self: self._inner.seconds)
        steps = property(lambda self: self._inner.steps)

    with watch(mine.model, mine.groups, Foreign(mine.reg), store=store) as watched:
        mine.steps(watched)
        assert watched.pruned(mine.model, mine.cut(), digits().test_x[:10]).lossless
    assert (run(store).label, run(store).state) == ("my_ridge 0.25", "completed")
    assert run(store).ledger["channels_pruned"] == 80
    with (
        pytest.raises(ConfigError, match=r"reg is a SGD without name, strength, .*build_regularizer"),
        watch(mine.model, mine.groups, mine.optimizer, store=store),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({"method": "l1", "strength": 0.02}, "l1 0.02"),
        ({"method": "none"}, "none"),
        ({"start_ratio": 1.3, "pruning_ratio": None, "total_steps": None}, "catalyst c=1.3"),
        ({"allocation": "global", "keep_at_least": 0.2, "strength": 3.0}, "catalyst 3 global keep=0.2"),
        ({"schedule": "constant", "evidence_share": 0.0, "solver": "subgradient"}, "catalyst evidence=0 constant subgradient"),
        ({"macs_ratio": 0.4, "pruning_ratio": None}, "catalyst"),
        ({"strength": 0.0}, "catalyst"),
    ],
)
def test_the_store_is_told_the_regularizers_own_settings(store, settings, label):
    mine = loop(**settings)
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        mine.steps(watched, 1)
    config = store.newest_race().config
    assert run(store).label == label
    assert (config.macs_ratio, config.pruning_ratio) == (settings.get("macs_ratio"), 0.5)
    assert RaceConfig.build(**config.model_dump() | {"title": "renamed"}).title == "renamed"


def test_what_does_not_belong_together_is_refused_before_anything_is_made(store, mine):
    other, smaller = loop(), build_regularizer("l1", loop().groups[:1])
    wrong = {
        "other groups": (mine.model, mine.groups, smaller),
        "another network": (mine.model, other.groups, other.reg),
        "find_groups": (mine.model, [], mine.reg),
        "learning_rate": (mine.model, mine.groups, mine.reg),
    }
    for said, (model, groups, reg) in wrong.items():
        rate = -1.0 if said == "learning_rate" else None
        with pytest.raises((ConfigError, NoGroupsError), match=said), watch(model, groups, reg, store=store, learning_rate=rate):
            pass
    with pytest.raises(ConfigError, match="title"), watch(mine.model, mine.groups, mine.reg, store=store, title="a\nb"):
        pass
    with (
        pytest.raises(StoreError, match="only SQLite and PostgreSQL"),
        watch(mine.model, mine.groups, mine.reg, store="mysql://x/y"),
    ):
        pass
    assert store.races() == []


WRONG = {
    "it is a share, not a percentage": lambda watched, mine: watched.evaluated(97.0),
    "split must be one of test, validation": lambda watched, mine: watched.evaluated(0.5, split="train"),
    "loss must be one number, not a tensor of 3": lambda watched, mine: watched.step(loss=torch.zeros(3)),
    "accuracy must be a number": lambda watched, mine: watched.step(accuracy="high"),
    "in front of the cut it is one of dense, sparse": lambda watched, mine: watched.stage("finetune"),
    "'best' is no column of the ledger": lambda watched, mine: watched.finish(best=0.9),
    "inputs must be a tensor": lambda watched, mine: watched.pruned(mine.model, mine.cut(), [1.0]),
    r"after has 32 channels in group 'conv1', and reg.decisions\(\) keeps 16": lambda watched, mine: watched.pruned(
        mine.model, mine.model, digits().test_x[:10]
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_wrong_arguments_are_one_sentence(store, mine, said):
    with pytest.raises(ConfigError, match=said), watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        WRONG[said](watched, mine)
    assert run(store).state == "failed"


def test_behind_the_cut_there_is_no_other(store, mine):
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        mine.steps(watched)
        small = mine.cut()
        watched.pruned(mine.model, small, digits().test_x[:10])
        with pytest.raises(ConfigError, match="one cut"):
            watched.pruned(mine.model, small, digits().test_x[:10])
        with pytest.raises(ConfigError, match="behind the cut it is one of recalibrate, finetune"):
            watched.stage("sparse")
        watched.stage("recalibrate")
        watched.evaluated(0.6, split="test")
    assert run(store).ledger["recalibrated_accuracy"] == 0.6


def test_a_dense_stage_may_come_first(store, every_step):
    mine = loop("l1", total_steps=30)
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        watched.stage("dense", steps=5)
        for _ in range(5):
            watched.step(loss=1.0)
        watched.evaluated(0.5)
        watched.stage("sparse")
        mine.steps(watched, 2)
    told = [(one.stage, one.step, one.steps, one.total_steps) for one in kinds(store, "stage")]
    assert told == [("dense", 0, 5, 35), ("sparse", 5, 30, 35)]
    assert [one.stage for one in kinds(store, "step")] == ["dense"] * 5 + ["sparse"] * 2


def test_a_look_that_fails_is_the_last_one_and_the_training_goes_on(store, every_step, caplog):
    mine = loop("none")
    with watch(mine.model, mine.groups, mine.reg, store=store) as watched:
        watched.step(loss=1.0)
        with torch.no_grad():
            mine.groups[0].parameters()[0].fill_(math.nan)
        for _ in range(5):
            watched.step(loss=1.0)
    assert run(store).state == "completed"
    assert [one.step for one in kinds(store, "step")] == [1]
    assert [text for text in notes(store) if text.startswith("nothing more is measured: NaN or infinity in ")]
    assert caplog.text.count("nothing more is measured") == 1


def test_looks_are_a_second_apart_or_more_if_they_take_long(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("catalyst_core.watching.pace.time.monotonic", lambda: clock[0])
    pace = Pace()
    assert pace.is_due
    for took, pause in ((0.001, EVERY_SECONDS), (0.5, 50.0)):
        pace.took(took)
        clock[0] += pause - 0.01
        assert not pace.is_due
        clock[0] += 0.02
        assert pace.is_due


def test_means_are_of_what_was_told_since():
    mean = Mean("loss")
    assert math.isnan(mean.take())
    for value in (1.0, torch.tensor(2.0, requires_grad=True), torch.tensor([6.0], dtype=torch.bfloat16), None):
        mean.add(value)
    assert mean.take() == 3.0
    assert math.isnan(mean.take())


def test_the_null_object_has_the_same_methods(mine):
    for name, method in inspect.getmembers(Unwatched, inspect.isfunction):
        assert str(inspect.signature(method)) == str(inspect.signature(getattr(Watched, name))), name
    public = {name for name in dir(Watched) if not name.startswith("_")} - {"end"}
    assert public <= {name for name in dir(Unwatched) if not name.startswith("_")} | {"race_id"}
    mine.steps(Unwatched())
    small = mine.cut()
    assert Unwatched().pruned(mine.model, small, digits().test_x[:10]) == certify(mine.model, small, digits().test_x[:10])
