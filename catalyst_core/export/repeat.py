"""What it takes to run a race again: its command, and the versions it ran with."""

import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version

import catalyst_core
from catalyst_core.config import DataConfig, MethodConfig, RaceConfig, Schedule

PACKAGES = (
    "torch",
    "torchvision",
    "scikit-learn",
    "numpy",
    "pandas",
    "plotly",
    "matplotlib",
    "SQLAlchemy",
    "pydantic",
)


def repeat_command(config: RaceConfig) -> str:
    """The line for a shell that runs this race again, with the data set's preset spelled out.

    What was changed by hand while the race was going is not part of it, nor are its forks.
    """
    filled = config.contenders()[0]
    flags: dict[str, str] = {"dataset": config.data.name, "model": config.model}
    flags["methods"] = ",".join(_method(method) for method in config.methods)
    if config.macs_ratio is not None:
        flags["macs-ratio"] = _text(config.macs_ratio)
    flags |= {"pruning-ratio": _text(config.pruning_ratio), "seeds": ",".join(str(seed) for seed in config.seeds)}
    flags |= _flags(filled.data, skip=("name", "augment")) | _flags(filled.schedule, skip=("recalibrate",))
    if config.title:
        flags["title"] = config.title
    # A value that begins with a dash has to be joined to its option.
    words = [f"--{name}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}" for name, value in flags.items()]
    if filled.data.augment is not None:
        words.append("--augment" if filled.data.augment else "--no-augment")
    words += ["--no-recalibrate"] * (not config.schedule.recalibrate)
    return " ".join(["python -m catalyst_core race", *words])


def versions() -> dict[str, object]:
    """This program, Python, the operating system and the packages that shape the numbers."""
    return {
        "catalyst": catalyst_core.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "byteorder": sys.byteorder,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _method(method: MethodConfig) -> str:
    """'l1:strength=0.03': the settings that differ from their default."""
    given = method.model_dump(exclude_defaults=True, exclude={"name"})
    return ":".join([method.name, *(f"{name}={_text(value)}" for name, value in given.items())])


def _flags(part: DataConfig | Schedule, skip: tuple[str, ...]) -> dict[str, str]:
    given = part.model_dump(exclude=set(skip))
    return {name.replace("_", "-"): _text(value) for name, value in given.items() if value not in (None, "")}


def _text(value: object) -> str:
    """Floats without a needless '.0', and without losing a digit."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
