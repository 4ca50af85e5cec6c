"""`bench ledger`: one real run, interrupted and resumed; and what is refused before anything is made."""

import json
import time
from contextlib import closing

import pytest

from catalyst_core.bench.ledger import report, run
from catalyst_core.bench.ledger.plan import main_steps
from catalyst_core.bench.ledger.suites import SUITES, Heat, Suite, Sweep, Task
from catalyst_core.cli import main
from catalyst_core.cli.ledgers import _Progress, chosen_suite, command
from catalyst_core.cli.parser import build_parser
from catalyst_core.engine import launcher
from catalyst_core.store import open_store
from tests.cli.refusal import refusal

OURS = {
    "source", "task", "section", "ratio", "state", "reason", "race", "run", "commit", "schedule", "settings", "flip_point",
}  # fmt: skip
SHORT = {"dense_epochs": 1, "sparse_epochs": 1, "finetune_epochs": 1}
TINY = Suite(
    "Tiny",
    0.01,
    (Task("digits", "Digits, CNN", {"name": "digits", "train_images": 200}, "cnn", SHORT),),
    (Heat("digits", (0.7,), ({"name": "catalyst"}, {"name": "none"}, {"name": "tp_group_norm"})),),
    Sweep({"tp_group_norm": (5e-4,)}),
    seeds=(0,),
)


def asked(*words):
    options = build_parser().parse_args(["bench", "ledger", *words])
    return chosen_suite(options), command(options)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The suite of a few seconds, in a folder of this test's own; its figures are not drawn."""
    monkeypatch.setitem(SUITES, "quick", TINY)
    monkeypatch.setattr(run, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(report, "pictures", lambda ledger: [])
    yield tmp_path / "out"
    while launcher._children._started:  # workers that have reported their end, and are about to go
        launcher._children.reap()
        time.sleep(0.05)


def test_an_interrupted_run_goes_on_and_nothing_is_raced_twice(tiny, monkeypatch, capsys):
    words = ["bench", "ledger", "--out", str(tiny)]
    begun, looks = [], []
    start, look = launcher.start_race, _Progress.look

    def started(store, config, *more):
        begun.append(config.title)
        return start(store, config, *more)

    def interrupted(progress, race):
        looks.append(race.id)
        if len(set(looks)) == 2:
            monkeypatch.setattr(_Progress, "look", look)
            raise KeyboardInterrupt
        look(progress, race)

    monkeypatch.setattr(launcher, "start_race", started)
    monkeypatch.setattr(_Progress, "look", interrupted)
    assert main(words) == 130
    assert "The same command goes on from there" in capsys.readouterr().err
    assert main(words) == 0
    assert "report.html" in capsys.readouterr().out
    assert begun == ["Digits, CNN: sweep, ratio 0.7", "Digits, CNN: main, ratio 0.7"]
    before = json.loads((tiny / "ledger.json").read_text(encoding="utf-8"))
    for more in ([], ["--report-only"]):
        begun.clear()
        assert main([*words, *more, "--json"]) == 0
        again = json.loads(capsys.readouterr().out)
        assert begun == []
        assert (again["rows"], again["curves"], again["not_run"]) == (before["rows"], before["curves"], [])
    _check_rows(tiny, before)


def _check_rows(out, ledger):
    """Sweep and main race are all there, with the keys of `race --json` and ours; one seed is called no result."""
    labels = [row["label"] for row in ledger["rows"] if row["section"] == "main"]
    assert labels == ["catalyst", "none", "tp_group_norm"]  # the sweep picked the documented strength: it races once
    with closing(open_store(str(out / "races.db"))) as store:
        for row in ledger["rows"]:
            measured = next(one for one in store.race(row["race"]).runs if one.id == row["run"]).ledger
            assert row["state"] == "completed"
            assert set(row) == set(measured) | OURS
            assert {name: row[name] for name in measured} == measured
    assert {row["source"] for row in ledger["rows"]} == {"ours", "Torch-Pruning 1.6.1"}
    assert "no result" in (out / "report.html").read_text(encoding="utf-8")


def test_further_methods_race_in_every_heat(catalyst_home):
    catalyst_home.mkdir(exist_ok=True)
    (catalyst_home / "catalyst.toml").write_text('[regularizers.ridge]\nclass = "docs.own_regularizer:Ridge"\n')
    suite, text = asked("--also", "ridge,l1:strength=0.5")
    more = ({"name": "ridge"}, {"name": "l1", "strength": "0.5"})
    assert [heat.methods for heat in suite.heats] == [(*heat.methods, *more) for heat in SUITES["quick"].heats]
    assert text.endswith("--suite quick --also ridge,l1:strength=0.5")
    labels = next(main_steps(suite, suite.heats[0], {})).config.methods
    assert [one.label for one in labels[-2:]] == ["ridge", "l1 0.5"]


def test_other_seeds_ratios_and_data_make_another_suite_and_are_in_the_command(catalyst_home):
    suite, text = asked(*"--seeds 3,4,100 --dataset fashion_mnist --model resnet20 --train-images 500 --ratios 0.6".split())
    assert (suite.seeds, suite.sweep.seed) == ((3, 4, 100), 101)
    (task,) = suite.tasks
    assert (task.title, dict(task.data)) == ("Fashion-MNIST, ResNet-20", {"name": "fashion_mnist", "train_images": 500})
    assert [(heat.task, heat.ratios, heat.methods) for heat in suite.heats] == [
        ("fashion_mnist", (0.6,), SUITES["quick"].heats[0].methods)
    ]
    assert text == (
        "python -m catalyst_core bench ledger --suite quick --dataset fashion_mnist --model resnet20 --train-images 500 "
        "--ratios 0.6 --seeds 3,4,100"
    )
    other, _ = asked("--suite", "standard", "--dataset", "digits")
    assert (other.studies, other.audits, {heat.task for heat in other.heats}) == ((), (), {"digits"})
    assert asked()[0] == SUITES["quick"]


WRONG = {
    "--suite nothing": "invalid choice",
    "--seeds x": "comma-separated",
    "--seeds 1,1": "listed twice",
    "--also l1x": "there is no 'l1x'; did you mean l1",
    "--ratios 1.5": "pruning_ratio",
    "--dataset nothing": "data.name",
    "--dataset folder --folder nowhere": "no folder 'nowhere'",
    "--dataset digits --model nothing": "model",
    "--dataset digits --train-images 5": "train_images",
    "--model cnn": "--model belongs to --dataset",
    "--report-only": "nothing has been raced",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_sentence_and_nothing_is_made(line, capsys, tmp_path, monkeypatch, catalyst_home):
    monkeypatch.chdir(tmp_path)
    assert WRONG[line] in refusal(capsys, ["bench", "ledger", *line.split()])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_with_something_else_is_refused(capsys, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "mine.txt"):
        assert "something else" in refusal(capsys, ["bench", "ledger", "--out", str(place)])
    (tmp_path / "done.json").write_text("no json")
    assert "damaged" in refusal(capsys, ["bench", "ledger", "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir() if path.suffix in (".txt", ".json")} == {"mine.txt", "done.json"}
