"""Analyses in processes of their own, on a tiny run that was really trained: results, one at a time, kills, obstacles."""

import dataclasses
import os
import signal
import time
import zipfile
from pathlib import PurePosixPath

import pytest

from catalyst_core.config import MethodConfig, RaceConfig
from catalyst_core.engine import analysis, analyst
from catalyst_core.engine.channel import Channel
from catalyst_core.engine.heartbeat import is_alive, this_process
from catalyst_core.errors import ConfigError
from catalyst_core.store import open_store
from catalyst_core.training import Folders, train
from catalyst_core.training.rescale import stages

CONFIG = RaceConfig.build(
    data={"name": "digits", "train_images": 100, "batch_size": 50},
    methods=[{"name": "catalyst"}, {"name": "random"}, {"name": "l1"}],
    schedule={"dense_epochs": 1, "sparse_epochs": 3, "finetune_epochs": 0},
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store with a race: Catalyst and a random cut have finished, L1 waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATALYST_HOME", str(tmp_path_factory.mktemp("home")))
        store = open_store()
        race_id = store.create_race(CONFIG)
        for run in store.race(race_id).runs[:2]:
            store.claim(run.id, this_process(), slots=2)
            run = store.run(run.id)
            with Channel(store, run) as channel:
                folders = Folders(run=store.run_folder(run.id), dense=store.files / "dense")
                train(run.config, channel.emit, channel.commands, folders, (), channel.committed)
        yield store, store.race(race_id).runs
        store.close()


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_budgets_are_measured_in_one_process_and_the_run_s_own_comes_out_as_its_ledger_says(trained):
    store, (run, *_) = trained
    analysis.start(store, run, "budgets")
    first = analysis.look(store, run, "budgets")
    analysis.start(store, run, "budgets")
    assert first.state == "running"
    assert analysis.look(store, run, "budgets").process == first.process
    with pytest.raises(ConfigError, match=f"process {first.process.pid} is doing this already"):
        analyst.conduct(store, run, "budgets")
    until(lambda: analysis.look(store, run, "budgets").state != "running")
    found = analysis.look(store, run, "budgets")
    assert found.state == "done", found.log_tail
    assert found.done == found.steps == len(found.result["points"]) == 12
    (own,) = [point for point in found.result["points"] if point["own"]]
    ledger = store.run(run.id).ledger
    assert (own["accuracy"], own["macs"]) == (ledger["validation"]["post_prune"], ledger["macs"])
    assert own["recalibrated_accuracy"] == ledger["validation"]["recalibrated"]
    assert own["max_abs_logit_change"] < 1e-10
    assert found.result["dense_accuracy"] == ledger["validation"]["dense"]
    macs = [point["macs"] for point in found.result["points"]]
    assert macs == sorted(macs, reverse=True)


def test_a_random_cut_is_repeated_with_its_draw(trained):
    store, (_, run, _) = trained
    found = analyst.conduct(store, run, "budgets")
    own = next(point for point in found["points"] if point["own"])
    assert own["accuracy"] == store.run(run.id).ledger["validation"]["post_prune"]


def test_a_killed_analysis_is_told_and_can_be_tried_again_and_given_up(trained):
    store, (run, *_) = trained
    analysis.start(store, run, "rescale")
    killed = analysis.look(store, run, "rescale").process
    os.kill(killed.pid, signal.SIGKILL)
    until(lambda: not is_alive(killed))
    found = analysis.look(store, run, "rescale")
    assert found.state == "failed"
    assert f"pid {killed.pid}) is gone" in found.reason
    analysis.start(store, run, "rescale")
    again = analysis.look(store, run, "rescale")
    assert again.state == "running"
    analysis.stop(store, run, "rescale")
    assert analysis.look(store, run, "rescale").state == "none"
    until(lambda: not is_alive(again.process))


def test_the_audit_is_of_this_contender_alone(trained, monkeypatch):
    store, (run, *_) = trained
    race = analyst.race_of(run)
    assert race.contenders() == [run.config]
    assert stages(race) == analysis.RESCALE_STAGES

    def audit(race, dense, tell):
        tell(race.methods[0].label)
        return []

    monkeypatch.setattr("catalyst_core.training.rescale.rescale_audit", audit)
    assert analyst.conduct(store, run, "rescale") == {"results": []}
    assert analysis.look(store, run, "rescale").done == 1


def test_what_goes_wrong_is_one_sentence(trained, monkeypatch):
    store, (run, *_) = trained

    def fail(race, dense, tell):
        raise MemoryError

    monkeypatch.setattr("catalyst_core.training.rescale.rescale_audit", fail)
    with pytest.raises(MemoryError):
        analyst.conduct(store, run, "rescale")
    found = analysis.look(store, run, "rescale")
    assert (found.state, found.reason[:13]) == ("failed", "out of memory")


def test_obstacles_are_sentences_and_nothing_starts(trained):
    store, (_, random, waiting) = trained
    assert "looks at no filter" in analysis.obstacle(store, random, "rescale")
    with pytest.raises(ConfigError, match="it has not been cut"):
        analysis.start(store, waiting, "budgets")
    assert analysis.look(store, waiting, "budgets").state == "none"


def test_the_small_network_is_made_into_files_in_a_process_of_its_own_and_stale_ones_are_told(trained):
    store, (run, *_) = trained
    run = store.run(run.id)
    analysis.start(store, run, "model-8")
    until(lambda: analysis.look(store, run, "model-8").state != "running", 120)
    found = analysis.look(store, run, "model-8")
    assert found.state == "done", found.log_tail
    assert (found.done, found.steps) == (5, 5)
    assert found.result["rounding"]["multiple"] == 8
    assert found.result["checks"]["network.py"]["max_abs_logit_difference"] == 0
    assert found.result["checks"]["network.onnx"]["max_abs_logit_difference"] <= 1e-4
    with zipfile.ZipFile(analysis.model_zip(store, run, "model-8")) as archive:
        assert {PurePosixPath(name).name for name in archive.namelist()} == {"README.md", *found.result["files"]}
    os.utime(analysis.pruned_file(store, run), ns=(1, 1))
    assert analysis.look(store, run, "model-8").state == "none"


def test_a_killed_maker_of_files_leaves_nothing_behind(trained):
    store, (run, *_) = trained
    run = store.run(run.id)
    analysis.start(store, run, "model")
    out = analysis.model_zip(store, run, "model")
    until(lambda: list(out.parent.glob(f".{out.name}-*")))
    os.kill(analysis.look(store, run, "model").process.pid, signal.SIGKILL)
    until(lambda: analysis.look(store, run, "model").state == "failed")
    assert list(out.parent.glob(f".{out.name}-*"))
    analysis.start(store, run, "model")
    analysis.stop(store, run, "model")
    assert not list(out.parent.glob(f".{out.name}-*"))
    assert analysis.look(store, run, "model").state == "none"


def test_no_files_are_made_of_a_run_that_goes_on_or_of_rounded_blocks(trained):
    store, (run, _, waiting) = trained
    assert "at its end" in analysis.obstacle(store, waiting, "model")
    depth = dataclasses.replace(store.run(run.id), config=run.config.model_copy(update={"method": MethodConfig(name="depth")}))
    assert analysis.obstacle(store, depth, "model") == ""
    assert "no widths to round" in analysis.obstacle(store, depth, "model-8")
