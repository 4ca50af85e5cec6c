"""The one live-figure component: many Plotly figures in a grid, updated in place, so that zoom and hidden traces stay."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import plotly
import streamlit as st

from catalyst_core.errors import UsageError
from catalyst_core.figures.sheet import Sheet
from catalyst_core.figures.wire import wire

HERE = Path(__file__).resolve().parent
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
PUBLISHED = HERE / "static" / "plotly.min.js"


@dataclass(frozen=True)
class Panel:
    """One figure of the grid, ready to be sent: written out once, however many browsers it goes to."""

    payload: bytes  # JSON: data and layout as Plotly's, title, caption, span (columns of the grid's six) and v, the version
    version: str  # the browser repaints only when this changes


def publish_plotly() -> None:
    """Copy plotly.min.js out of the installed package to where the server serves it (a link would be refused)."""
    size = PLOTLY.stat().st_size
    if PUBLISHED.is_file() and PUBLISHED.stat().st_size == size:
        return
    half = PUBLISHED.with_suffix(f".{os.getpid()}")
    try:
        PUBLISHED.parent.mkdir(exist_ok=True)
        shutil.copyfile(PLOTLY, half)
        half.replace(PUBLISHED)
    except OSError as error:
        raise UsageError(f"{PUBLISHED.parent}: cannot be written ({error.strerror}); figures are served from there") from None


def as_panel(sheet: Sheet, caption: str, version: str, *, span: int = 6, title: str = "") -> Panel:
    """A figure (`plot_x.sheet(...)`) as the component wants it."""
    figure = wire(sheet) | {"caption": caption, "v": version, "span": span, "title": title}
    return Panel(json.dumps(figure, allow_nan=False).encode(), version)


LIVE = st.components.v2.component(
    "catalyst_live",
    html="<div class='catalyst-live'></div>",
    js=(HERE / "live.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def show(panels: dict[str, Panel], *, key: str) -> None:
    """Draw or update the grid. All its figures are sent each time; the browser skips those whose version it has."""
    figures = b",".join(json.dumps(name).encode() + b":" + panel.payload for name, panel in panels.items())
    # Bytes go through as they are; of a dictionary Streamlit would write and hash the JSON twice, for every browser.
    LIVE(key=key, data=b"{" + figures + b"}")
