"""The pruned network of a real run in a real store, and what the store knows about it on its card."""

import dataclasses
from array import array

import numpy as np
import pytest
import torch

from catalyst_core.catalog import METHODS
from catalyst_core.config import DataConfig, RaceConfig
from catalyst_core.data import READERS, load_data
from catalyst_core.deploy import network, of_run
from catalyst_core.deploy.of_run import _standing, write_run
from catalyst_core.deploy.run_facts import run_facts
from catalyst_core.deploy.run_images import images_of
from catalyst_core.errors import CheckpointError, ConfigError
from catalyst_core.events import RolledBack, SettingChanged
from catalyst_core.models import build_model
from catalyst_core.store import open_store
from catalyst_core.training import load_pruned
from tests import synthetic
from tests.deploy.runs import finish, trained


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """A store with one finished run of Catalyst on 200 digits."""
    store = open_store(str(tmp_path_factory.mktemp("store") / "races.db"))
    yield store, trained(store)
    store.close()


@pytest.fixture(scope="module")
def written(raced, tmp_path_factory):
    """The run's export, rounded to 16."""
    store, run = raced
    return write_run(store, run, tmp_path_factory.mktemp("out") / "model", round_to=16, seconds=0)


def test_the_files_are_the_network_that_the_run_left(raced, written):
    store, run = raced
    own = load_pruned(store.files / "runs" / run.id / "pruned.pt")
    images = load_data(run.config.data).test_x
    with torch.no_grad():
        assert (own(images) - network.load(written.out)(images)).abs().max() < 1e-5
    assert [one for one in written.warnings if "was not written" in one] == []
    assert written.record["rounding"]["multiple"] == 16
    assert written.record["rounding"]["max_abs_logit_change"] <= 1e-10
    (cut,) = (one.event for one in store.events(run.id, kinds=["pruned"]))
    widths = written.record["widths"]
    assert {name: (one["dense"], one["pruned"]) for name, one in widths.items()} == cut.widths


def test_it_is_measured_on_the_test_images_and_agrees_with_the_ledger(raced, written):
    _, run = raced
    assert written.record["checked_on"]["images"] == 397
    assert written.record["accuracy"] == pytest.approx(run.ledger["finetuned_accuracy"], abs=1 / 397)
    assert written.record["cost"]["pruned"]["macs"] == run.ledger["macs"]
    assert written.record["cost"]["dense"]["params"] == run.ledger["params_dense"]


def test_channels_stand_as_they_did_when_the_run_decided(raced):
    """By margin, among equals (the pruned are all at minus infinity) by magnitude."""
    store, run = raced
    (decided,) = (one.event for one in store.events(run.id, kinds=["filters"]) if one.event.decided)
    sizes = list(synthetic.GROUPS.values())
    margins, magnitudes = (array("f", vector).tolist() for vector in (decided.margins, decided.magnitudes))
    standing = _standing(store, run)
    assert {name: len(ranks) for name, ranks in standing.items()} == synthetic.GROUPS
    start = 0
    for ranks, size in zip(standing.values(), sizes, strict=True):
        order = sorted(range(size), key=lambda channel: (margins[start + channel], magnitudes[start + channel]))
        assert ranks.argsort().tolist() == order
        start += size


def test_the_card_tells_data_method_budget_ledger_and_pixels(raced, written):
    _, run = raced
    card = (written.out / "README.md").read_text()
    raw = load_data(DataConfig(name="digits", train_images=200))
    assert written.record["facts"]["classes"] == raw.classes
    facts = [
        METHODS["catalyst"].sentence,
        "50 % of the channels go",
        run.id,
        "learning rate 0.1 at its peak",
        "whole numbers, 0 to 16",
    ]
    stages = ("dense", "sparse", "post_prune", "recalibrated", "finetuned")
    facts += [f"{100 * run.ledger[f'{stage}_accuracy']:.1f} %" for stage in stages]
    facts += [f"{run.ledger['decision_gap']:.3f}", "on 397 images", "397 test images"]
    assert [fact for fact in facts if fact not in card] == []


def test_pixels_become_images_by_the_mean_and_deviation_on_the_card(raced, written):
    from sklearn.datasets import load_digits

    (mean,), (std,) = written.record["facts"]["mean"], written.record["facts"]["std"]
    pixels = torch.from_numpy(load_digits().images).float()
    images = load_data(raced[1].config.data).test_x[:, 0]
    mine = {tuple(one) for one in ((pixels - mean) / std).flatten(1).mul(1000).round().int().tolist()}
    assert all(tuple(one) in mine for one in images.flatten(1).mul(1000).round().int().tolist())


def recipe_of(store, run):
    return torch.load(store.files / "runs" / run.id / "pruned.pt", weights_only=True)["recipe"]


def test_a_named_normalisation_is_on_the_card_in_the_levels_of_the_pixels():
    recipe = {"channels": 1, "size": 8, "classes": 10}
    config = RaceConfig.build(data={"normalisation": "0.25/0.5"}).contenders()[0]
    known, sample, note = images_of(config, recipe)
    assert (known.mean, known.std) == ((4.0,), (8.0,))
    assert sample.images.equal(load_data(config.data).test_x)
    assert "as they are by now" in note  # nothing was kept with this network


def test_what_was_trained_on_is_kept_and_images_that_are_others_by_now_are_not_taken(raced, monkeypatch):
    store, run = raced
    recipe = recipe_of(store, run)
    known, sample, note = images_of(run.config, recipe)
    wanted = load_data(run.config.data)
    assert (known.classes, known.counts["train"], known.white, note) == (wanted.classes, 200, 16, "")
    assert sample.images.equal(wanted.test_x)
    raw = READERS["digits"](run.config.data, np.random.default_rng(0))
    renamed = dataclasses.replace(raw, classes=(*raw.classes[:-1], "ten"))
    redrawn = dataclasses.replace(raw, test=dataclasses.replace(raw.test, x=raw.test.x + 1))
    for other in (renamed, redrawn):
        monkeypatch.setitem(READERS, "digits", lambda config, generator, other=other: other)
        found, sample, note = images_of(run.config, recipe)
        assert (found, sample) == (known, None)
        assert "are others than those of the race, so the files were checked on random numbers" in note


def test_a_run_without_a_network_and_a_torn_file_are_refused(raced, tmp_path):
    store, _ = raced
    race = store.race(store.create_race(RaceConfig.build(methods=[{"name": "l1"}])))
    with pytest.raises(CheckpointError, match="has no pruned network"):
        write_run(store, race.runs[0], tmp_path / "model")
    (store.run_folder(race.runs[0].id) / "pruned.pt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"pruned.pt cannot be read"):
        write_run(store, race.runs[0], tmp_path / "model")
    assert list(tmp_path.iterdir()) == [tmp_path / "home"] or list(tmp_path.iterdir()) == []


def test_a_depth_cut_says_what_stays_and_has_no_widths_to_round(raced, tmp_path):
    store, _ = raced
    run = trained(store, method="depth")
    with pytest.raises(ConfigError, match="removes whole blocks"):
        write_run(store, run, tmp_path / "model", round_to=8)
    facts = run_facts(store, run)
    assert facts.about["budget"] == "as many multiply-accumulates as a cut of 50 % of the channels leaves"


def test_images_that_are_not_here_are_said_and_random_numbers_taken(raced, monkeypatch, tmp_path):
    store, run = raced
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path / "nothing"))
    config = run.config.model_copy(update={"data": DataConfig(name="cifar10")})
    known, sample, found = images_of(config, {})
    assert (known, sample) == (None, None)
    assert found == "The images of cifar10 are not on this machine, so nothing is said about their classes and pixels."
    monkeypatch.setattr(of_run, "write_model", lambda out, model, example, **given: given)
    given = write_run(store, dataclasses.replace(run, config=config), tmp_path / "model")
    assert given["sample"] is None
    assert given["facts"].notes == (
        "The images of cifar10 are not on this machine, so the files were checked on random numbers.",
    )
    assert given["facts"].classes == tuple(load_data(DataConfig(name="digits")).classes)  # they were kept


def test_other_images_under_the_same_name_are_noticed(raced):
    recipe = {"channels": 3, "size": 8, "classes": 10}
    assert "not those that it was trained on" in images_of(raced[1].config, recipe)[2]


def test_what_happened_while_it_trained_is_on_the_card(raced):
    store, _ = raced
    race = store.race(store.create_race(RaceConfig.build(methods=[{"name": "catalyst"}], macs_ratio=0.4)))
    changed = SettingChanged(step=12, name="strength", old=1.0, new=3.0, who="ada@example.org")
    rolled = RolledBack(step=20, stage="sparse", from_step=31, reason="the loss exploded")
    run = finish(store, race.runs[0], [changed, rolled])
    facts = run_facts(store, run)
    assert facts.notes == (
        "Step 12: strength was changed from 1 to 3.",
        "Training went back from step 31 to step 20: the loss exploded.",
    )
    assert "ada" not in repr(facts)
    assert facts.about["budget"] == "40 % of the multiply-accumulates go"
    assert facts.certificate is None
    assert facts.ledger == ()


def test_build_model_is_asked_with_what_the_file_says(raced):
    store, run = raced
    recipe = torch.load(store.files / "runs" / run.id / "pruned.pt", weights_only=True)["recipe"]
    again = build_model(**{name: recipe[name] for name in ("name", "channels", "size", "classes", "seed")})
    assert sum(one.numel() for one in again.parameters()) == run.ledger["params_dense"]
