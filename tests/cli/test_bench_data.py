"""`bench data`: how long a step waits for its images. No figure is asserted."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from catalyst_core.bench import feeding
from catalyst_core.cli import main
from catalyst_core.config import AUGMENTATIONS
from tests.cli.refusal import refusal
from tests.threads import one_thread  # noqa: F401


@pytest.fixture
def small(monkeypatch):
    """Few images for a network that is quick."""
    monkeypatch.setattr(feeding, "IMAGES", 200)
    monkeypatch.setattr(feeding, "MODEL", "cnn")


@pytest.mark.usefixtures("small")
def test_the_json_object_holds_the_share_of_every_preset(capsys):
    assert main("bench data --steps 4 --json".split()) == 0
    found = json.loads(capsys.readouterr().out)
    presets = found.pop("presets")
    assert list(presets) == list(AUGMENTATIONS)
    for one in presets.values():
        assert one["data_wait"] == pytest.approx(one["wait_ms"] / (one["wait_ms"] + one["step_ms"]))
        assert 0 < one["data_wait"] < 1
    assert found.pop("data_wait") == presets["shift_flip"]["data_wait"]
    assert found == {
        "load_s": [],
        "images": 200,
        "image": [3, 32, 32],
        "model": "cnn",
        "batch": 64,
        "threads": 1,
        "steps": 4,
    }


@pytest.mark.usefixtures("small")
def test_a_folder_is_loaded_twice(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CATALYST_DATA", str(tmp_path))
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(60):
            out = io.BytesIO()
            Image.fromarray(np.random.default_rng(number).integers(0, 256, (12, 12, 3)).astype(np.uint8)).save(out, "PNG")
            (tmp_path / "pets" / name / f"{number}.png").write_bytes(out.getvalue())
    assert main("bench data --folder pets --steps 2".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cnn, 84 images of 3 x 12 x 12, 64 a step, 1 thread(s)"
    assert [line.split()[0] for line in lines[1:]] == [*AUGMENTATIONS, "loaded"]


WRONG = {
    "--steps 0": "--steps must lie in 1..",
    "--threads 0": "--threads must lie in 1..",
    "--folder none": "there is no folder 'none'",
    "--dataset none": "data.name",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_sentence(line, capsys):
    assert WRONG[line] in refusal(capsys, ["bench", "data", *line.split()])


def test_the_promise_is_for_resnet20_and_what_colour_images_get():
    assert (feeding.MODEL, feeding.BATCH, AUGMENTATIONS[feeding.PRESET]) == ("resnet20", 64, True)
