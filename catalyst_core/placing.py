"""Where an export goes: a folder or a zip that appears whole or not at all. An earlier export there is replaced, nothing else."""

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalyst_core.errors import ConfigError


@dataclass(frozen=True)
class Export:
    """One kind of export, known by how a file in it begins."""

    what: str  # "export of a model"
    readme: str  # the name of that file
    sign: str

    def check_folder(self, out: Path) -> None:
        """Raise `ConfigError`, one sentence, where there is something else than an earlier one."""
        if out.exists() and not out.is_dir():
            raise ConfigError(f"{out} is a file; give a folder that is new, empty or an earlier {self.what}, or a name in .zip")
        readme = out / self.readme
        ours = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(self.sign)
        if out.is_dir() and any(out.iterdir()) and not ours:
            raise ConfigError(f"the folder {out} holds other files; give one that is new, empty or an earlier {self.what}")

    def check_zip(self, out: Path) -> None:
        """The same for a file."""
        if out.is_dir():
            raise ConfigError(f"{out} is a folder; give the name of a zip that is new or an earlier {self.what}")
        if out.exists() and not self._is_ours(out):
            raise ConfigError(
                f"the file {out} is not an earlier {self.what}; give the name of a zip that is new or such an export"
            )

    @contextlib.contextmanager
    def folder(self, out: Path) -> Iterator[Path]:
        """A folder to fill; once the block has ended well, it is `out`.

        Raises `ConfigError` as `check_folder`, and where it cannot be written; then everything is as it was.
        """
        self.check_folder(out)
        with _beside(out) as work:
            made = work / "new"
            made.mkdir()
            yield made
            if out.exists():
                out.rename(work / "old")
            made.rename(out)

    @contextlib.contextmanager
    def zip(self, out: Path) -> Iterator[Path]:
        """The name of a file to write; once the block has ended well, it is `out`. Raises `ConfigError` as `folder` does."""
        self.check_zip(out)
        with _beside(out) as work:
            yield work / "new.zip"
            (work / "new.zip").replace(out)

    def _is_ours(self, file: Path) -> bool:
        try:
            with zipfile.ZipFile(file) as archive:
                readme = next((name for name in archive.namelist() if name.endswith(f"/{self.readme}")), None)
                return readme is not None and archive.read(readme).startswith(self.sign.encode())
        except (OSError, zipfile.BadZipFile):
            return False


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder beside it for what is not whole yet."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
            yield Path(work)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror or error}") from error
