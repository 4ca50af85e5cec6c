"""Races with a depth cut and with adapters, trained for real: no page breaks on them, and what it says of them is true."""

import io
import zipfile

import numpy as np
import pytest

from catalyst_core import export, frames
from catalyst_core.config import RaceConfig
from catalyst_core.engine import analysis
from catalyst_core.engine.heartbeat import this_process
from catalyst_core.training import Folders, train
from tests.app.helpers import healthy, run, words
from tests.app.test_pages import figures
from tests.threads import one_thread  # noqa: F401

RACE = {
    "data": {"name": "digits", "train_images": 200, "batch_size": 50},
    "schedule": {"dense_epochs": 2, "sparse_epochs": 3, "finetune_epochs": 1},
    "methods": (
        {"name": "depth"},
        {"name": "depth", "recovery": "head"},
        {"name": "catalyst"},
        {"name": "catalyst", "recovery": "adapters"},
    ),
    "pruning_ratio": 0.2,
}


@pytest.fixture
def race(store):
    """Every contender trained in this process, one after the other, with its files where a worker would leave them."""
    race_id = store.create_race(RaceConfig.build(**RACE))
    for contender in store.race(race_id).runs:
        store.claim(contender.id, this_process(), slots=4)
        events = []
        dense = analysis.dense_file(store, contender).parent
        train(contender.config, events.append, list, Folders(store.run_folder(contender.id), dense))
        store.append(contender.id, events)
    return store.race(race_id)


def test_every_page_and_every_file_shows_them(store, race):
    at = healthy(run("race", race=race.id))
    assert {"magnitudes", "margins"} <= set(figures(at))
    at = healthy(run("results", race=race.id))
    ledger = at.dataframe[0].value.set_index("Contender")
    assert list(ledger.index) == ["Depth cut", "Depth cut, head", "Catalyst", "Catalyst, adapters"]
    assert ledger.loc["Depth cut", "Channels pruned"] == "64 (40 %)"
    assert ledger.loc["Depth cut", "Trained again"].endswith("(100 %)")
    assert ledger.loc["Depth cut, head", "Trained again"] == "650 (3 %)"
    assert ledger.loc["Depth cut", ["Gap", "Bias"]].tolist() == ["–", "–"]
    assert "widths" in " ".join(figures(at))
    healthy(run("runs", race=race.id))
    for contender in race.runs:
        at = healthy(run("lab", race=race.id, run=contender.id))
        said = words(at)
        assert ("removes whole blocks" in said) == (contender.config.method.name == "depth")
        assert at.get("download_button")
    with zipfile.ZipFile(io.BytesIO(export.bundle_zip(store, race.id))) as bundle:
        ledgers = [name for name in bundle.namelist() if name.endswith("/ledger.csv")]
        lines = bundle.read(ledgers[0]).decode().splitlines()
        assert {"recovery", "trained_params"} <= set(lines[0].split(","))
        assert any(name.endswith("widths.svg") for name in bundle.namelist())


def test_audits_of_its_decision_are_undefined_and_say_so(store, race):
    report = frames.audit_run(store, race.runs[0].id, draws=5, bootstrap=5)
    assert (report.channels, report.kept, report.undecided, report.flips) == (160, 96, 0, ())
    assert report.smallest_margin == np.inf
    assert np.isnan([report.gap, report.flip_point, report.bias.correlation]).all()
    assert report.certificate.widths["conv3"] == (64, 0)


def test_analyses_that_tell_nothing_of_a_depth_cut_say_why(store, race):
    depth, catalyst = race.runs[0], race.runs[3]
    assert analysis.obstacle(store, depth, "budgets").startswith("It removes whole blocks")
    assert analysis.obstacle(store, depth, "rescale") == (
        "A depth cut looks at no filter, so a planting cannot tell anything about it."
    )
    assert [analysis.obstacle(store, catalyst, kind) for kind in ("budgets", "rescale")] == ["", ""]


def test_the_form_sets_two_ways_of_fine_tuning_side_by_side(store, started):
    at = healthy(run())
    at.multiselect(key="form_methods@").set_value(["catalyst", "depth"]).run()
    healthy(at.selectbox(key="form_recovery@@catalyst").select("both").run())
    healthy(at.selectbox(key="form_recovery@@depth").select("head").run())
    healthy(next(button for button in at.button if button.label == "Start race").click().run())
    assert [method.label for method in store.races()[0].config.methods] == ["catalyst", "catalyst adapters", "depth head"]
