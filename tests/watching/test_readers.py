"""Whoever reads a race that was only watched finds it whole: frames, export, packed file, command line."""

import io
import json
import zipfile

import pytest

from catalyst_core import export, frames, packing, watch
from catalyst_core.cli import main
from catalyst_core.engine import analysis
from catalyst_core.errors import DataError
from catalyst_core.export.repeat import repeat_command
from catalyst_core.store import open_store
from catalyst_core.training.rescale import rescale_audit
from tests.core.loops import digits
from tests.watching.loops import STEPS, loop

WATCHED = "this training is watched, not run, by Catalyst"


@pytest.fixture
def race(store, every_step):
    """A watched race with a cut."""
    mine = loop()
    with watch(mine.model, mine.groups, mine.reg, store=store, title="my net") as watched:
        watched.evaluated(0.9, split="test")
        mine.steps(watched)
        watched.evaluated(0.91, 0.3)
        watched.pruned(mine.model, mine.cut(), digits().test_x[:50])
    return store.race(watched.race_id)


@pytest.fixture
def failed(store):
    """A watched race that broke."""
    mine = loop()
    with pytest.raises(ZeroDivisionError), watch(mine.model, mine.groups, mine.reg, store=store, title="mine") as watched:
        raise ZeroDivisionError(watched.stopping)
    return store.newest_race()


def refused(capsys, words):
    """The sentence that a command ends with, behind a bar of progress that has not moved."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err.splitlines()[-1].rpartition("catalyst: ")[2]


def test_frames(store, race):
    view = frames.RaceView(store, race.id)
    view.refresh()
    curves, filters = frames.curves_frame(view), frames.filters_frame(view, until_cut=True)
    assert curves["split"].value_counts().to_dict() == {"train": STEPS, "validation": 1}
    assert (len(filters), int(filters["kept"].sum())) == (160, 80)
    assert filters["decided"].all()
    assert frames.status_frame(view)["progress"].tolist() == [1.0]
    assert frames.widths_frame(view)["after"].tolist() == [16, 32, 32]
    assert frames.ledger_frame(race)["max_abs_logit_change"].item() <= 1e-10
    assert frames.density_frame(view)["step"].nunique() == STEPS + 1
    (report,) = frames.audit_race(store, race.id)
    assert (report.kept, report.certificate.images) == (80, 50)


def test_the_export_says_that_it_cannot_be_repeated_and_invents_no_schedule(store, race):
    with zipfile.ZipFile(io.BytesIO(export.bundle_zip(store, race.id))) as bundle:
        texts = {name.partition("/")[2]: bundle.read(name).decode("utf-8", "replace") for name in bundle.namelist()}
    line = f"# cannot be repeated from here: {WATCHED}"
    assert repeat_command(race.config) == line
    for name in ("README.txt", "report.html", "ledger.tex"):
        assert line in texts[name]
    config = json.loads(texts["config.json"])
    assert config["title"] == "my net"
    assert not {"data", "model", "schedule", "weights"} & set(config)
    assert "learning_rate" not in texts["report.html"]


def test_it_travels_to_another_store(store, race, tmp_path):
    file = io.BytesIO()
    packing.pack(store, race.id, file)
    there = open_store(str(tmp_path / "elsewhere.db"))
    again = there.race(packing.unpack(there, file))
    there.close()
    assert (again.config, again.runs[0].ledger) == (race.config, race.runs[0].ledger)
    assert WATCHED in json.loads(zipfile.ZipFile(file).read("race.json"))["provenance"]["command"]


def test_the_command_line_shows_it_and_gives_no_hint_to_go_on(store, race, failed, capsys):
    assert main(["show", race.id]) == 0
    assert "80" not in capsys.readouterr().err
    assert main(["show", failed.id, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["runs"][0]["hint"], record["runs"][0]["state"]) == (None, "failed")
    assert "schedule" not in record["config"]
    assert main(["list"]) == 0
    assert "my net" in capsys.readouterr().out
    assert main(["audit", "run", race.id]) == 0


@pytest.mark.parametrize("words", ["resume {}", "resume {}-00", "fork {}-00 000001-kept --as again", "audit budgets {}"])
def test_what_needs_a_race_of_ours_is_one_sentence(store, failed, capsys, words):
    assert WATCHED in refused(capsys, words.format(failed.id).split())
    assert store.race(failed.id).state == "failed"


@pytest.mark.parametrize(
    "words",
    [
        "race --dataset own",
        "race --dataset own --model own --methods l1",
        "race --dataset digits --model own",
        "audit rescale --dataset own",
        "network --model cnn --dataset own",
        "data --dataset own",
        "bench ledger --suite quick --dataset own --out {tmp}/ledger",
    ],
)
def test_nothing_here_can_race_it(store, capsys, tmp_path, words):
    assert "own" in refused(capsys, words.format(tmp=tmp_path).split())
    assert store.races() == []


def test_no_analysis_is_offered(store, race):
    for kind in ("budgets", "rescale"):
        assert analysis.obstacle(store, race.runs[0], kind) == f"Its network is not in the store: {WATCHED}."
    with pytest.raises(DataError, match="'own' are the data"):
        rescale_audit(race.config, store.files / "dense")


def test_it_can_be_renamed_and_deleted(store, race):
    store.rename(race.id, "another name")
    assert store.race(race.id).title == "another name"
    store.hide_race(race.id)
    store.delete_race(race.id)
    assert store.races() == []
