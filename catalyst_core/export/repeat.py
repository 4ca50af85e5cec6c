"""What it takes to run a race again: its command, what that leaves out, and the versions of what is installed here."""

import platform
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import catalyst_core
from catalyst_core import frames
from catalyst_core.catalog import WATCHED
from catalyst_core.config import DataConfig, MethodConfig, RaceConfig, Schedule
from catalyst_core.frames import RaceView

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

    What was changed by hand while the race was going is not part of it, nor are its forks. Of a watched race there is none:
    then it is a comment that says so.
    """
    if config.data.is_own:
        return f"# cannot be repeated from here: {WATCHED}"
    filled = config.contenders()[0]
    flags: dict[str, str] = {"dataset": config.data.name, "model": config.model}
    if config.weights:
        flags["weights"] = config.weights
    flags["methods"] = ",".join(_method(method) for method in config.methods)
    if config.macs_ratio is not None:
        flags["macs-ratio"] = _text(config.macs_ratio)
    flags |= {"pruning-ratio": _text(config.pruning_ratio), "seeds": ",".join(str(seed) for seed in config.seeds)}
    flags |= _flags(filled.data, skip=("name", "augment")) | _flags(filled.schedule, skip=("recalibrate",))
    if config.title:
        flags["title"] = config.title
    # A value that begins with a dash has to be joined to its option.
    words = [f"--{name}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}" for name, value in flags.items()]
    if (augment := filled.data.augment) is not None:
        words.append({True: "--augment", False: "--no-augment"}.get(augment, f"--augment {augment}"))
    words += ["--fresh-head"] * config.fresh_head + ["--no-recalibrate"] * (not config.schedule.recalibrate)
    return " ".join(["python -m catalyst_core race", *words])


def unrepeated(view: RaceView) -> list[str]:
    """What the command of a race leaves out, in sentences: changes by hand and forks."""
    said = []
    if len(frames.changes_frame(view)):
        said.append("Settings were changed while it was going (changes.csv); the command does not repeat that.")
    if forks := [run.label for run in view.race.runs if run.parent]:
        said.append(f"The command does not repeat the forks: {', '.join(forks)}.")
    return said


def versions() -> dict[str, object]:
    """This program and its commit, Python, the operating system and the packages that shape the numbers: as installed here.

    The commit is None where this is no git checkout, and ends in '-dirty' where files differ from it.
    """
    return {
        "catalyst": catalyst_core.__version__,
        "commit": _commit(Path(catalyst_core.__file__).resolve().parents[1]),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "byteorder": sys.byteorder,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _commit(root: Path) -> str | None:
    if not (root / ".git").exists() or (git := shutil.which("git")) is None:
        return None
    command = [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None


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
