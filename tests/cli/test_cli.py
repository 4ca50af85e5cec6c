"""The command line: options become a configuration; wrong input is one sentence and exit code 2."""

import json

import pytest

from catalyst_core.cli import main
from catalyst_core.cli.parser import build_parser
from catalyst_core.cli.racing import race_config
from catalyst_core.cli.report import print_json
from catalyst_core.events import Command, Finished
from catalyst_core.store import Process
from tests.cli.refusal import refusal


def parsed(*arguments):
    return race_config(build_parser().parse_args(["race", *arguments]))


def test_the_defaults_are_the_default_race():
    config = parsed()
    assert [method.name for method in config.methods] == ["catalyst", "l1", "group_lasso", "none", "random"]
    assert (config.data.name, config.model, config.pruning_ratio, config.seeds) == ("digits", "cnn", 0.5, (0,))


def test_options_for_every_method_leave_peers_alone():
    options = "--solver subgradient --magnitude weight --allocation global --canonicalize".split()
    config = parsed("--methods", "l1,tp_group_norm,tp_magnitude", *options)
    assert [method.label for method in config.methods] == [
        "l1 subgradient weight global canonical",
        "tp_group_norm",
        "tp_magnitude",
    ]


def test_every_option_lands_where_it_belongs():
    config = parsed(
        *"--dataset folder --folder pets --model vgg_small --methods catalyst,l1,none --strength l1=0.003,0.01".split(),
        *"--start-ratio 1.3 --pruning-ratio 0.7 --seeds 3,4 --dense-epochs 2 --sparse-epochs 3 --finetune-epochs 0".split(),
        *"--learning-rate 0.05 --weight-decay 0 --momentum 0.5 --batch-size 32 --train-images 500 --image-size 48".split(),
        *"--no-augment --solver subgradient --magnitude weight --no-recalibrate --title mine".split(),
    )
    assert [method.label for method in config.methods] == [
        "catalyst c=1.3 subgradient weight",
        "l1 0.003 subgradient weight",
        "l1 0.01 subgradient weight",
        "none weight",
    ]
    assert config.data.model_dump() == {
        "name": "folder",
        "folder": "pets",
        "train_images": 500,
        "image_size": 48,
        "batch_size": 32,
        "augment": False,
    }
    schedule = config.schedule
    assert (schedule.dense_epochs, schedule.sparse_epochs, schedule.finetune_epochs) == (2, 3, 0)
    assert (schedule.learning_rate, schedule.weight_decay, schedule.momentum, schedule.recalibrate) == (0.05, 0, 0.5, False)
    assert (config.pruning_ratio, config.seeds, config.title) == (0.7, (3, 4), "mine")


def test_a_budget_in_macs_and_one_ranking_for_every_method_that_has_a_budget():
    config = parsed(*"--methods catalyst,catalyst:start_ratio=1.3,none --macs-ratio 0.6 --allocation global".split())
    assert config.macs_ratio == 0.6
    assert [method.label for method in config.methods] == ["catalyst global", "catalyst c=1.3", "none global"]
    assert {one.macs_ratio for one in config.contenders()} == {0.6}
    assert parsed().macs_ratio is None


def test_a_method_may_carry_its_own_settings():
    config = parsed("--methods", "catalyst,catalyst:start_ratio=1.3:strength=3,l1:solver=subgradient:variant=b")
    assert [method.label for method in config.methods] == ["catalyst", "catalyst c=1.3 3", "l1 subgradient (b)"]


def test_the_model_follows_the_data_set():
    assert parsed("--dataset", "cifar10").model == "resnet20"


WRONG = {
    "--dataset nothing": "data.name",
    "--model nothing": "model",
    "--methods catalyst,nothing": "'nothing'",
    "--methods l1,l1": "listed twice",
    "--methods l1:strength": "setting=value",
    "--methods l1:wrong=1": "wrong",
    "--methods l1:variant=<b>": "only letters",
    "--pruning-ratio 0": "greater than 0",
    "--pruning-ratio 1": "less than 1",
    "--pruning-ratio nan": "finite",
    "--macs-ratio 1": "macs_ratio",
    "--allocation local": "allocation",
    "--methods l1:keep_at_least=0.2": "keep_at_least is a setting of global",
    "--methods catalyst:start_ratio=1.3:allocation=global": "no budget",
    "--strength catalyst=5": "catalyst 5: with a learning rate of 0.1 the strength must stay below 5, not 5",
    "--strength catalyst=1 --learning-rate 0.5": "stay below 1, not 1",
    "--methods catalyst:start_ratio=1.3:strength=10": "stay below 10, not 10",
    "--pruning-ratio x": "invalid float",
    "--strength l1=-1": "greater than 0",
    "--strength l1": "METHOD=VALUE",
    "--strength none=1": "no strength",
    "--strength nothing=1": "not among the methods",
    "--seed 1,1": "listed twice",
    "--seed x": "comma-separated",
    "--seed -1": "outside 0..",
    "--dense-epochs 0": "dense_epochs",
    "--batch-size 1": "batch_size",
    "--dataset folder": "image folder",
    "--dataset folder --folder missing": "missing",
    "--folder pets": "image folder",
    "--store mysql://x/y": "only SQLite and PostgreSQL",
    "--nonsense": "nonsense",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_sentence_and_exit_code_2(line, capsys, catalyst_home):
    assert WRONG[line] in refusal(capsys, ["race", *line.split()])
    assert not list(catalyst_home.rglob("runs/*")), "nothing half-made is left behind"


OF_A_RACE = ("show", "resume", "stop", "pause", "continue", "set", "fork", "priority", "delete", "export")


@pytest.mark.parametrize("command", OF_A_RACE)
def test_a_race_that_is_not_there_is_one_sentence(command, capsys, store, tmp_path):
    more = {"export": ["--out", str(tmp_path / "out")], "set": ["strength", "1"], "fork": ["1", "--as", "b"], "priority": ["1"]}
    for name in ("nowhere", "nowhere-01", "<b>" * 4000):
        said = refusal(capsys, [command, name, *more.get(command, [])])
        assert f"race '{name[:7]}" in said
        assert "none in" in said
        assert len(said) < 300
    assert not (tmp_path / "out").exists()


def test_listing_and_showing_what_the_store_holds(capsys, store):
    assert main(["list"]) == 0
    assert "Start one" in capsys.readouterr().out
    race = store.race(store.create_race(parsed("--methods", "catalyst,l1")))
    store.claim(race.runs[0].id, Process(1, 1.0, "another-host"), slots=1)
    store.append(race.runs[0].id, [Finished(step=9, ledger={"method": "catalyst", "decision_gap": float("nan")})])
    store.send(race.runs[1].id, Command(name="stop"))
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["races"][0]["race"] == race.id
    assert listed["races"][0]["states"] == {"completed": 1, "stopped": 1}
    assert (listed["races"][0]["state"], listed["races"][0]["contenders"]) == ("stopped", 2)
    store.create_race(parsed())
    assert main(["list", "--limit", "1"]) == 0
    assert capsys.readouterr().out.split()[1] == "queued"
    assert main(["show", race.id[:5], "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["ledger"] == [{"method": "catalyst", "decision_gap": None}]
    assert {"pid", "state", "label", "seed", "reason"} <= set(shown["runs"][0])


def test_numbers_that_are_not_finite_become_null(capsys):
    print_json({"a": [float("nan"), {"b": float("inf")}], "c": 1.5})
    assert json.loads(capsys.readouterr().out) == {"a": [None, {"b": None}], "c": 1.5}


def test_help_names_every_method_model_and_data_set(capsys):
    with pytest.raises(SystemExit):
        main(["race", "--help"])
    said = capsys.readouterr().out
    for name in ("group_lasso", "vgg_small", "fashion_mnist", "--pruning-ratio", "--strength", "--store", "--json"):
        assert name in said
