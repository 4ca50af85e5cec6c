"""The form's values <-> a validated race."""

import pytest

from app import forms
from catalyst_core.catalog import DATASETS
from catalyst_core.config import RaceConfig
from catalyst_core.errors import ConfigError

RACES = {
    "default": {},
    "seeds and ratio": {"seeds": (0, 3), "pruning_ratio": 0.7, "title": "Mine"},
    "one strong method": {"methods": ({"name": "l1", "strength": 0.03, "solver": "subgradient"},)},
    "fixed ratio": {"methods": ({"name": "catalyst", "start_ratio": 1.3, "canonicalize": True, "magnitude": "folded"},)},
    "evidence": {"methods": ({"name": "catalyst", "evidence_share": 0.2, "schedule": "constant"},)},
    "peers": {"methods": ({"name": "tp_group_norm", "strength": 0.005}, {"name": "tp_magnitude"})},
    "variant": {"methods": ({"name": "l1", "variant": "b"}, {"name": "none", "variant": "lr=0.05 @ 300"})},
    "adapters": {"methods": ({"name": "l1", "recovery": "adapters"}, {"name": "depth", "recovery": "head"})},
    "both": {
        "methods": (
            *({"name": "catalyst", "recovery": recovery} for recovery in ("full", "adapters")),
            *({"name": "tp_magnitude", "recovery": recovery} for recovery in ("full", "adapters")),
            *({"name": "depth", "recovery": recovery} for recovery in ("full", "head")),
        )
    },
    "macs": {"macs_ratio": 0.6, "pruning_ratio": 0.4},
    "global": {
        "methods": (
            {"name": "catalyst", "allocation": "global", "keep_at_least": 0.2},
            {"name": "random", "allocation": "global"},
        )
    },
    "another set": {"data": {"name": "fashion_mnist", "train_images": 500, "batch_size": 32}, "model": "resnet20"},
    "folder": {"data": {"name": "folder", "folder": "flowers", "image_size": 48}, "model": "vgg_small"},
    "given weights": {
        "data": {"name": "cifar10", "normalisation": "0.49,0.48,0.45/0.25,0.24,0.26"},
        "weights": "a.pt",
        "fresh_head": True,
    },
    "normalised": {"data": {"normalisation": "unit"}},
    "schedule": {"schedule": {"dense_epochs": 2, "finetune_epochs": 0, "learning_rate": 0.05, "recalibrate": False}},
}


@pytest.mark.parametrize("name", RACES)
def test_a_race_survives_the_form(name):
    config = RaceConfig.build(**RACES[name])
    assert forms.to_config(forms.from_config(config)) == config


def test_an_untouched_preset_stays_a_preset():
    for name in DATASETS:
        data = {"name": name} | ({"folder": "flowers"} if name == "folder" else {})
        config = forms.to_config(forms.from_config(RaceConfig.build(data=data)))
        assert config.schedule.dense_epochs is None
        assert config.data.train_images is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seeds": "one"}, "seeds: .one. is not a whole number"),
        ({"seeds": " "}, "seeds: ' ' is not a whole number"),
        ({"seeds": "1, 1"}, "a seed is listed twice"),
        ({"seeds": "-1"}, "seeds: .-1. is not a whole number"),
        ({"methods": {}}, "methods: choose at least one"),
        ({"normalisation": ""}, "data.normalisation: one of imagenet, half, unit"),
        ({"fresh_head": True}, "fresh_head is for given weights"),
        ({"learning_rate": 0.0}, "schedule.learning_rate: .*greater than 0"),
        ({"methods": {"l1": {"strength": -1.0}}}, "strength: .*greater than 0"),
        ({"data": "folder", "folder": " "}, "'folder' names an image folder"),
    ],
)
def test_bad_input_is_one_sentence(changes, sentence):
    values = forms.from_config(RaceConfig.build()) | changes
    with pytest.raises(ConfigError, match=sentence) as found:
        forms.to_config(values)
    assert "\n" not in str(found.value)
