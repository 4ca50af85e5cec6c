"""Where an export goes: a folder or a zip that appears whole or not at all. An earlier export there is replaced, nothing else."""

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from catalyst_core.errors import ConfigError

README = "README.md"
SIGN = "# Catalyst model"  # how README.md begins, and how an export of ours is known


def is_zip(out: Path) -> bool:
    """Whether the name asks for a zip."""
    return out.suffix.lower() == ".zip"


def check_free(out: Path) -> None:
    """Raise `ConfigError`, one sentence, where there is something else than an earlier export."""
    if is_zip(out):
        if out.is_dir():
            raise ConfigError(f"{out} is a folder; give the name of a zip that is new or an earlier export of a model")
        if out.exists() and not _is_ours(out):
            raise ConfigError(f"the file {out} is not an earlier export of a model; name a zip that is new or such an export")
        return
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; give a folder that is new, empty or an earlier export of a model, or a name in .zip")
    readme = out / README
    ours = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(SIGN)
    if out.is_dir() and any(out.iterdir()) and not ours:
        raise ConfigError(f"the folder {out} holds other files; give one that is new, empty or an earlier export of a model")


@contextlib.contextmanager
def placing(out: Path) -> Iterator[Path]:
    """A folder to fill; once the block has ended well, its files are at `out`, in a zip below one folder.

    Raises `ConfigError` as `check_free`, and where it cannot be written; then everything is as it was.
    """
    check_free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
            made = Path(work) / "new"
            made.mkdir()
            yield made
            if is_zip(out):
                _zipped(made, out.stem).replace(out)
                return
            if out.exists():
                out.rename(Path(work) / "old")
            made.rename(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror or error}") from error


def _zipped(folder: Path, name: str) -> Path:
    """The files of the folder in a zip beside it."""
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # numbers hardly get smaller
        for one in sorted(folder.iterdir()):
            archive.write(one, f"{name}/{one.name}")
    return file


def _is_ours(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            readme = next((name for name in archive.namelist() if name.endswith(f"/{README}")), None)
            return readme is not None and archive.read(readme).startswith(SIGN.encode())
    except (OSError, zipfile.BadZipFile):
        return False
