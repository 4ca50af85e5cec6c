"""Where the export of a model goes: a folder, or a zip with its files below one folder."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from catalyst_core.placing import Export

README = "README.md"
SIGN = "# Catalyst model"  # how README.md begins, and how an export of ours is known
MODEL = Export("export of a model", README, SIGN)


def is_zip(out: Path) -> bool:
    """Whether the name asks for a zip."""
    return out.suffix.lower() == ".zip"


def check_free(out: Path) -> None:
    """Raise `ConfigError`, one sentence, where there is something else than an earlier export."""
    (MODEL.check_zip if is_zip(out) else MODEL.check_folder)(out)


@contextlib.contextmanager
def placing(out: Path) -> Iterator[Path]:
    """A folder to fill; once the block has ended well, its files are at `out`. Raises `ConfigError` as `Export.folder`."""
    if not is_zip(out):
        with MODEL.folder(out) as made:
            yield made
        return
    with MODEL.zip(out) as file:
        made = file.with_name("files")
        made.mkdir()
        yield made
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # numbers hardly get smaller
            for one in sorted(made.iterdir()):
                archive.write(one, f"{out.stem}/{one.name}")
