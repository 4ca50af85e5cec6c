"""The layer rule: each layer is imported in a process of its own, and what it may not know must not be there."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

TORCH = ("torch", "torchvision", "torch_pruning")
ABOVE_CORE = ("streamlit", "app")

RULES = {  # module -> what importing it must not bring along
    "catalyst_core": (*TORCH, *ABOVE_CORE, "sqlalchemy", "plotly", "pandas", "numpy"),
    "catalyst_core.errors": (*TORCH, *ABOVE_CORE, "pydantic"),
    "catalyst_core.config": (*TORCH, *ABOVE_CORE, "sqlalchemy", "numpy"),
    "catalyst_core.events": (*TORCH, *ABOVE_CORE, "sqlalchemy", "numpy"),
    "catalyst_core.audits": (*TORCH, *ABOVE_CORE, "sqlalchemy", "plotly", "pandas"),
    "catalyst_core.regularizers": (*ABOVE_CORE, "sqlalchemy", "plotly", "pandas", "catalyst_core.training"),
    "catalyst_core.groups": (*ABOVE_CORE, "sqlalchemy", "plotly", "pandas", "catalyst_core.training"),
    "catalyst_core.filters": (*ABOVE_CORE, "sqlalchemy", "plotly", "pandas", "catalyst_core.training"),
    "catalyst_core.surgery": (*ABOVE_CORE, "sqlalchemy", "plotly", "pandas", "catalyst_core.training"),
    "catalyst_core.models": (*ABOVE_CORE, "sqlalchemy", "plotly", "pandas", "catalyst_core.training"),
    "catalyst_core.data": (*TORCH, *ABOVE_CORE, "sqlalchemy", "plotly", "catalyst_core.training"),
    "catalyst_core.training": (*ABOVE_CORE, "sqlalchemy", "plotly", "catalyst_core.store", "catalyst_core.engine"),
    "catalyst_core.store": (*TORCH, *ABOVE_CORE, "plotly", "pandas", "numpy", "catalyst_core.engine"),
    "catalyst_core.engine.launcher": (*TORCH, *ABOVE_CORE, "plotly", "pandas", "catalyst_core.frames"),
    "catalyst_core.frames": (*TORCH, *ABOVE_CORE, "plotly", "catalyst_core.engine"),
    "catalyst_core.figures": (*TORCH, *ABOVE_CORE, "matplotlib", "catalyst_core.engine"),
    "catalyst_core.theory": (*TORCH, *ABOVE_CORE, "plotly", "pandas", "sqlalchemy"),
    "catalyst_core.export": (*TORCH, *ABOVE_CORE, "catalyst_core.engine"),
    "catalyst_core.cli": (*TORCH, *ABOVE_CORE),
    "catalyst_core.deploy": (*ABOVE_CORE, "sqlalchemy", "plotly", "pandas", "onnx", "onnxruntime", "catalyst_core.engine"),
    "catalyst_core.watching": (*ABOVE_CORE, "plotly", "pandas", "lightning"),
    "catalyst_core.owner": (*TORCH, *ABOVE_CORE, "pydantic", "numpy"),
    "catalyst_core.libraries": (*TORCH, *ABOVE_CORE, "pydantic", "numpy", "timm"),
    "catalyst_core.others.tensorboard_read": (*TORCH, *ABOVE_CORE, "tensorboard", "plotly", "catalyst_core.engine"),
    "app.event_files": (*TORCH, "tensorboard", "mlflow"),
    "app.networks": (*TORCH, "timm"),
    "app.panels": TORCH,
    "app.forms": TORCH,
    "app.live": TORCH,
    "app.context": TORCH,
}


def brought_along(module, forbidden):
    code = f"import sys, {module}; print(*[name for name in {tuple(forbidden)!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", RULES)
def test_a_layer_knows_nothing_of_those_above_it(module):
    assert brought_along(module, RULES[module]) == []


def test_the_check_can_fail():
    assert brought_along("catalyst_core.store", ["sqlalchemy", "torch"]) == ["sqlalchemy"]


def test_no_module_of_the_app_hides_a_package():
    """While a page runs, Streamlit looks into the folder of main.py first: `import tensorboard` would find app/tensorboard.py."""
    installed = set(packages_distributions()) | sys.stdlib_module_names
    folders = [Path(__file__).parents[1] / name for name in ("app", "pages")]
    ours = {path.stem for folder in folders for path in folder.glob("*.py")}
    assert ours & installed == set()
