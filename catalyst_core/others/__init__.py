"""Others' tools: races written for TensorBoard and MLflow, TensorBoard's histograms read. Both packages are optional."""

from importlib.util import find_spec

from catalyst_core.errors import ConfigError

PACKAGES = {"tensorboard": "TensorBoard", "mlflow": "MLflow"}


def check_installed(package: str) -> None:
    """Raise ConfigError, with what to do, where an optional package is missing. It is not imported."""
    if find_spec(package) is None:
        raise ConfigError(f"{PACKAGES[package]} is not installed here: pip install -r requirements-extras.txt")
