"""The command of a race is read back by the command line as the same race."""

import shlex

import pytest

from catalyst_core import export, frames
from catalyst_core.cli.parser import build_parser
from catalyst_core.cli.racing import race_config
from catalyst_core.config import RaceConfig
from catalyst_core.export import bundle
from catalyst_core.frames import RaceView
from tests import synthetic

RACES = {
    "default": {},
    "augmented": {"data": {"augment": True}},
    "not augmented": {"data": {"name": "cifar10", "augment": False}, "model": "resnet20"},
    "strongly augmented": {"data": {"augment": "strong"}},
    "given weights": {"model": "torchvision:resnet18", "weights": "mine/best.safetensors"},
    "other classes and colours": {
        "data": {"name": "cifar10", "normalisation": "imagenet"},
        "model": "torchvision:resnet18",
        "weights": "r.pt",
        "fresh_head": True,
    },
    "numbers": {"data": {"normalisation": "0.3/0.4"}},
    "settings": {
        "methods": (
            {"name": "catalyst", "start_ratio": 1.3, "strength": 3},
            {"name": "l1", "strength": 0.003, "solver": "subgradient"},
            {"name": "l1", "strength": 0.03},
            {"name": "group_lasso", "magnitude": "folded", "canonicalize": True},
            {"name": "none"},
        ),
        "pruning_ratio": 0.7,
        "seeds": (3, 1, 2),
        "title": "--it's a 'race'; $HOME",
        "schedule": {"dense_epochs": 1, "finetune_epochs": 0, "learning_rate": 0.05, "recalibrate": False, "momentum": 0},
        "data": {"name": "fashion_mnist", "train_images": 1000, "batch_size": 32},
        "model": "resnet20",
    },
    "macs": {
        "macs_ratio": 0.55,
        "methods": ({"name": "catalyst", "allocation": "global", "keep_at_least": 0.2}, {"name": "none", "allocation": "global"}),
    },
    "variants": {"methods": ({"name": "l1"}, {"name": "l1", "variant": "lr=0.05 @ 300"}, {"name": "l1", "variant": "-b"})},
    "recoveries": {
        "methods": ({"name": "catalyst"}, {"name": "catalyst", "recovery": "adapters"}, {"name": "depth", "recovery": "head"})
    },
    "folder": {"data": {"name": "folder", "folder": "my cats", "image_size": 64}, "pruning_ratio": 1 / 3},
}


@pytest.mark.parametrize("name", RACES)
def test_the_command_is_the_race(name):
    config = RaceConfig.build(**RACES[name])
    words = shlex.split(export.repeat_command(config))
    assert words[:4] == ["python", "-m", "catalyst_core", "race"]
    again = race_config(build_parser().parse_args(words[3:]))
    assert [one.model_dump() for one in again.contenders()] == [one.model_dump() for one in config.contenders()]
    assert again.title == config.title


def test_a_fork_leaves_the_command_of_its_race_as_it_was():
    store = synthetic.MemoryStore()
    race = synthetic.half_race(store, synthetic.config([{"name": "l1"}]))
    store.fork(race.runs[0].id, "stronger")
    forked = store.race(race.id)
    assert export.repeat_command(forked.config) == export.repeat_command(race.config)
    assert "stronger" not in export.repeat_command(forked.config)
    assert bundle._readme(RaceView(store, race.id), []).count("The command does not repeat the forks: l1 (stronger).") == 1


def test_the_presets_are_spelled_out():
    assert "--dense-epochs 12 --sparse-epochs 15 --finetune-epochs 5" in export.repeat_command(RaceConfig())


@pytest.fixture(scope="module")
def races():
    store = synthetic.MemoryStore()
    for ratio in (0.5, 0.7):
        methods = ({"name": "catalyst"}, {"name": "l1", "strength": 0.03})
        synthetic.whole_race(store, synthetic.config(methods, pruning_ratio=ratio, title=f"a|b_{ratio}"))
    return store.races()


def test_tables_of_several_races_name_the_race(races):
    ledger = frames.ledger_frame(races)
    lines = export.ledger_markdown(ledger).splitlines()
    assert lines[0].startswith("| contender | race | seeds |")
    assert r"a\|b_0.7" in lines[2]
    assert all(line.replace(r"\|", "").count("|") == 16 for line in lines[:6])
    assert r"a$|$b\_0.7" in export.ledger_latex(ledger)
    assert r"L1, $\lambda$ 0.03" in export.ledger_latex(ledger)


def test_the_largest_logit_change_of_all_seeds_is_shown(races):
    ledger = frames.ledger_frame(races[0])
    twice = ledger.iloc[[0, 0]].assign(max_abs_logit_change=[1e-15, 0.5], seed=[0, 1])
    assert "| 0.5 |" in export.ledger_markdown(twice)


def test_latex_is_plain_and_every_row_has_all_cells(races):
    ledger = frames.ledger_frame(races[0])
    twice = ledger.iloc[[0, 0]].assign(seed=[0, 1], max_abs_logit_change=[1e-15, 2e-15], dense_accuracy=[0.98, 0.99])
    for write, columns in ((export.ledger_latex, 14), (export.ledger_latex_short, 6)):
        text = write(twice, "race 1: python -m catalyst_core race --title 'é\n±'")
        assert text.isascii()
        body = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert [line.count("&") for line in body] == [columns - 1] * 3
        assert r"98.5{\tiny$\pm0.7$}" in text
        assert text.startswith("% race 1: ")
        assert all(line.startswith(("%", "\\")) or "&" in line for line in text.splitlines())
    assert r"$2\cdot10^{-15}$" in export.ledger_latex(twice)
