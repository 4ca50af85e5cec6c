"""The Runs page's "From TensorBoard": histograms of weights out of event files, as our own figures, and as files."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import access, context, live
from catalyst_core.errors import ConfigError
from catalyst_core.export.weights import WEIGHT_FIGURES, WeightFigure, weights_file
from catalyst_core.figures.weights import MOST
from catalyst_core.frames.weights import Look, Series, weights_frame
from catalyst_core.others import check_installed, tensorboard_read
from catalyst_core.others.tensorboard_read import Found
from catalyst_core.places import data_root

FILES = {"HTML": ("html", "text/html"), "PDF": ("pdf", "application/pdf"), "CSV": ("csv", "text/csv")}
ABOUT = (
    "Histograms that `SummaryWriter.add_histogram` or `tf.summary.histogram` wrote, on the axis of our magnitudes: several runs "
    "over each other, or over time. They hold single weights and no filters."
)


@st.fragment
@context.guarded
def render() -> None:
    """A folder or a file to read, what to show of it, and the figure."""
    with st.expander("From TensorBoard"), context.guard():
        st.caption(ABOUT)
        try:
            check_installed("tensorboard")
        except ConfigError as missing:
            st.info(context.sentence(missing))
            return
        reason = access.why_not()
        closed: dict[str, Any] = {"disabled": True, "help": reason} if reason else {}
        left, right = st.columns(2)
        hint = f"With event files in it or below, such as `runs`, below `{data_root()}`"
        folder = left.text_input("Folder below the data root", key="tensorboard_folder", **{"help": hint} | closed).strip()
        upload = right.file_uploader("Or one event file", max_upload_size=context.UPLOAD_MB, key="tensorboard_file", **closed)
        if reason or not (folder or upload):
            return
        access.check_change()  # the server reads its own disk for whoever asks
        name, found = _uploaded(upload) if upload else _in_folder(folder)
        _show(name, found)


def _uploaded(upload: Any) -> tuple[str, Found]:
    """What an uploaded file holds; it is read once a session."""
    known = st.session_state.get("_tensorboard_upload")
    if known is None or known[0] != upload.file_id:
        known = st.session_state["_tensorboard_upload"] = (upload.file_id, tensorboard_read.read_stream(upload, upload.name))
    return known


def _in_folder(folder: str) -> tuple[str, Found]:
    """What the event files of a folder hold; they are read again when one of them has changed."""
    root = data_root()
    version = tensorboard_read.version_of(root / folder, root, folder)
    return repr(version), _read(str(root), folder, version)


@st.cache_resource(show_spinner="Reading event files", max_entries=2)
def _read(root: str, folder: str, version: object) -> Found:
    return tensorboard_read.read(Path(root) / folder, root=Path(root), named=folder)


def _show(name: str, found: Found) -> None:
    """Which series, which figure, which step; and the figure. `name`: another one when other files are read."""
    series = list(found.chosen())
    tags, runs = (list(dict.fromkeys(one[place] for one in series)) for place in (1, 0))
    key = hash(name)
    left, right = st.columns(2)
    some = left.multiselect("Histograms", tags, default=tags[:1], key=f"tensorboard_tags@{key}")
    among = right.multiselect("Runs", runs, default=runs[:MOST], key=f"tensorboard_runs@{key}")
    wanted: WeightFigure | None = st.segmented_control(
        "Figure",
        list(WEIGHT_FIGURES),
        default="overlay",
        required=True,
        format_func=lambda one: WEIGHT_FIGURES[one].text.capitalize(),
        key=f"tensorboard_figure@{key}",
    )
    chosen = {one: found.looks[one] for one in series if one.tag in some and one.run in among}
    if not chosen:
        st.info("Choose at least one histogram and a run that has it.")
        return
    _draw(name, chosen, wanted or "overlay")
    if found.left_out:
        st.caption(f"{found.left_out} histograms were left out: their buckets do not rise, or hold no numbers.")


def _draw(name: str, chosen: dict[Series, list[Look]], which: WeightFigure) -> None:
    frame, kind = weights_frame(chosen), WEIGHT_FIGURES[which]
    step = _step(frame, name) if kind.moves else None
    theme = context.theme()
    sheet, caption = kind.draw(frame, step, theme)
    version = repr((hash(name), list(chosen), which, step, theme))
    live.show({"weights": live.as_panel(sheet, caption, version, title=kind.title)}, key="tensorboard_weights")
    with st.container(horizontal=True):
        for title, (ending, mime) in FILES.items():
            st.download_button(
                title,
                data=partial(weights_file, frame, ending, which, step),
                file_name=f"weights-{which}.{ending}",
                mime=mime,
                on_click="ignore",
                key=f"tensorboard_{ending}",
            )


def _step(frame: pd.DataFrame, name: str) -> int | None:
    """The step to look at, where there are several; the last one at first."""
    steps = [int(step) for step in sorted(frame["step"].unique())]
    if len(steps) < 2:
        return None
    return st.select_slider("Step", steps, value=steps[-1], key=f"tensorboard_step@{hash((name, tuple(steps)))}")
