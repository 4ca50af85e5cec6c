"""A race's bundle as one zip or one folder: both appear complete, or not at all."""

import io
import tempfile
import zipfile
from pathlib import Path

from catalyst_core.errors import ConfigError
from catalyst_core.export.bundle import SIGN, bundle_files
from catalyst_core.frames import RaceView
from catalyst_core.frames.view import Reader

MOMENT = (1980, 1, 1, 0, 0, 0)  # the time of every file in a zip, so that the same race gives the same bytes


def bundle_zip(store: Reader, race_id: str) -> bytes:
    """The files of `write_bundle` as a zip, below one folder named after the race. Raises NotFoundError."""
    view = _read(store, race_id)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in bundle_files(view).items():
            entry = zipfile.ZipInfo(f"catalyst-{view.race.id}/{name}", MOMENT)
            entry.external_attr = 0o644 << 16
            # Most of a page is plotly.js, which is packed already.
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 1 if name.endswith(".html") else 6)
    return out.getvalue()


def write_zip(store: Reader, race_id: str, out: Path) -> Path:
    """Write exactly the bytes of `bundle_zip` into the file `out`; returns it.

    An earlier export there is replaced. Raises NotFoundError, and ConfigError for a file that is something else or cannot be
    written.
    """
    out = Path(out)
    if out.is_dir():
        raise ConfigError(f"{out} is a folder; give the name of a zip that is new or an earlier export")
    if out.exists() and not _is_ours(out):
        raise ConfigError(f"the file {out} is not an earlier export; give the name of a zip that is new or an earlier export")
    content = bundle_zip(store, race_id)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
            made = Path(work) / "new"
            made.write_bytes(content)
            made.replace(out)
    except OSError as error:
        raise ConfigError(f"the file {out} cannot be written: {error.strerror or error}") from error
    return out


def write_bundle(store: Reader, race_id: str, out: Path) -> list[Path]:
    """Write a race's figures, ledger, configuration, versions and command into the folder `out`; returns its files.

    The folder appears complete or not at all; an earlier export there is replaced. Raises NotFoundError, and ConfigError for a
    folder that holds something else or cannot be written.
    """
    out = Path(out)
    _check_free(out)
    files = bundle_files(_read(store, race_id))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
            made = Path(work) / "new"
            for name, content in files.items():
                path = made / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if out.exists():
                out.rename(Path(work) / "old")
            made.rename(out)
    except OSError as error:
        raise ConfigError(f"the folder {out} cannot be written: {error.strerror or error}") from error
    return [out / name for name in files]


def _read(store: Reader, race_id: str) -> RaceView:
    view = RaceView(store, race_id)
    view.refresh()
    return view


def _is_ours(file: Path) -> bool:
    """Whether a file is a zip of `bundle_zip`."""
    try:
        with zipfile.ZipFile(file) as archive:
            readme = next((name for name in archive.namelist() if name.endswith("/README.txt")), None)
            return readme is not None and archive.read(readme).startswith(SIGN.encode())
    except (OSError, zipfile.BadZipFile):
        return False


def _check_free(out: Path) -> None:
    readme = out / "README.txt"
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; give a folder that is new, empty or an earlier export")
    ours = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(SIGN)
    if out.is_dir() and any(out.iterdir()) and not ours:
        raise ConfigError(f"the folder {out} holds other files; give one that is new, empty or an earlier export")
