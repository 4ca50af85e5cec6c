"""Reading and writing bring neither torch nor TensorFlow, and importing what does it not even TensorBoard or MLflow."""

import subprocess
import sys

import pytest

from tests.others.made import event_file, histo
from tests.test_layers import brought_along

HEAVY = ("torch", "torchvision", "tensorflow", "streamlit")
OPTIONAL = ("tensorboard", "mlflow")
MODULES = {
    "catalyst_core.frames.weights": (*HEAVY, *OPTIONAL, "plotly"),
    "catalyst_core.figures.weight_map": (*HEAVY, *OPTIONAL, "matplotlib"),
    "catalyst_core.export.weights": (*HEAVY, *OPTIONAL, "matplotlib", "catalyst_core.engine"),
    "catalyst_core.others.tensorboard_read": (*HEAVY, *OPTIONAL, "plotly"),
    "catalyst_core.others.tensorboard_write": (*HEAVY, *OPTIONAL),
    "catalyst_core.others.mlflow_write": (*HEAVY, *OPTIONAL),
    "catalyst_core.cli.others": (*HEAVY, *OPTIONAL),
    "app.event_files": (*HEAVY[:3], *OPTIONAL),
}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_optional_or_heavy_is_imported_with_it(module):
    assert brought_along(module, MODULES[module]) == []


def ran(code, *arguments):
    """The modules that are there after some code ran in a process of its own, where a warning is an error."""
    told = f"import sys; {code}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", told, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def test_reading_event_files_needs_neither_torch_nor_tensorflow(tmp_path):
    event_file(tmp_path, [(0, [histo("w", [0.1, 0.2])])])
    code = "from pathlib import Path; from catalyst_core.others.tensorboard_read import read; read(Path(sys.argv[1])).chosen()"
    assert ran(code, str(tmp_path)) == []


@pytest.mark.parametrize("tool", OPTIONAL)
def test_writing_a_race_needs_neither_torch_nor_tensorflow(tool, tmp_path):
    code = (
        f"from pathlib import Path; from tests import synthetic; from catalyst_core.others.{tool}_write import write_{tool}; "
        "store = synthetic.MemoryStore(); race = synthetic.whole_race(store, synthetic.config(({'name': 'none'},))); "
        f"write_{tool}(store, race.id, Path(sys.argv[1]))"
    )
    assert ran(code, str(tmp_path / "out")) == []
    assert any((tmp_path / "out").iterdir())
