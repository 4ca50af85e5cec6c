"""A race's bundle as one zip or one folder: both appear complete, or not at all."""

import io
import zipfile
from pathlib import Path

from catalyst_core.export.bundle import SIGN, bundle_files
from catalyst_core.frames import RaceView
from catalyst_core.frames.view import Reader
from catalyst_core.placing import Export

BUNDLE = Export("export", "README.txt", SIGN)
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
    BUNDLE.check_zip(out)
    content = bundle_zip(store, race_id)
    with BUNDLE.zip(out) as file:
        file.write_bytes(content)
    return out


def write_bundle(store: Reader, race_id: str, out: Path) -> list[Path]:
    """Write a race's figures, ledger, configuration, versions and command into the folder `out`; returns its files.

    The folder appears complete or not at all; an earlier export there is replaced. Raises NotFoundError, and ConfigError for a
    folder that holds something else or cannot be written.
    """
    out = Path(out)
    BUNDLE.check_folder(out)
    files = bundle_files(_read(store, race_id))
    with BUNDLE.folder(out) as made:
        for name, content in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return [out / name for name in files]


def _read(store: Reader, race_id: str) -> RaceView:
    view = RaceView(store, race_id)
    view.refresh()
    return view
