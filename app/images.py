"""A user's own images in the setup form: a look at a folder in a dialog, and a field for a zip."""

from pathlib import PurePath
from typing import Any

import streamlit as st

from app import access, context, live, panels, words
from catalyst_core import uploads
from catalyst_core.config import RaceConfig
from catalyst_core.data.report import Report, Thumbnail, glance
from catalyst_core.engine import inspector
from catalyst_core.errors import CatalystError
from catalyst_core.figures.balance import caption_balance, plot_balance
from catalyst_core.frames.balance import balance_frame

THUMBNAILS, SIDE = 12, 72  # pictures, pixels
SECONDS = 900.0  # that decoding all images may take
SAID = "_zip_said"  # session state: what came of the last zip, and whether it was taken
ZIP = "One folder a class, or train/ and test/ with such folders. The name of the zip becomes that of the folder."


def bring(folder: str, image_size: int | None) -> None:
    """Below the field for the folder: buttons for a look at it and for a zip to be unpacked."""
    reason = access.why_not()
    viewer: dict[str, Any] = {"disabled": True, "help": reason} if reason else {}
    with st.container(horizontal=True):
        if st.button("Look at the images", **viewer or {"disabled": not folder.strip()}):
            show(folder.strip(), image_size)
        with st.popover("Upload a zip"):
            key = f"zip@{st.session_state.get('_zips', 0)}"
            more: dict[str, Any] = {"max_upload_size": context.UPLOAD_MB} | (viewer or {"help": ZIP})
            st.file_uploader("A zip with images", type="zip", key=key, on_change=take_in, args=(key,), **more)
    said, taken = st.session_state.pop(SAID, ("", False))
    if said:
        (st.success if taken else st.error)(said)


@context.changes
def take_in(key: str) -> None:
    """A callback: unpack the zip that was uploaded."""
    file = st.session_state[key]
    if file is None:
        return
    st.session_state["_zips"] = st.session_state.get("_zips", 0) + 1  # an empty field again, whatever happens
    try:
        found = uploads.unpack(context.store(), file, PurePath(file.name).stem)
        st.session_state[SAID] = (f"{panels.plain(found.told)}. Write its name into the field above.", True)
    except CatalystError as error:
        st.session_state[SAID] = (context.sentence(error), False)


@st.dialog("The images", width="large")
@context.guarded
def show(folder: str, image_size: int | None) -> None:
    """What a race on this folder would be given."""
    access.check_change()  # it reads files and costs time, so it is not for viewers
    data = RaceConfig.build(data={"name": "folder", "folder": folder, "image_size": image_size}).data
    report, thumbnails = glance(data, THUMBNAILS)
    place = st.container()
    if st.button("Check every image", help="Decodes what a race would read, in a process of its own; the race finds it decoded"):
        with st.spinner("Decoding"):
            report = checked(folder, image_size)
    with place:
        render(report, thumbnails)


def checked(folder: str, image_size: int | None) -> Report:
    """What `data --json` says of the folder: decoding may take more memory than whoever serves pages should.

    Raises as `inspector.asked`.
    """
    return Report.of_record(inspector.asked("data", {"folder": folder, "image-size": image_size}, SECONDS))


def render(report: Report, thumbnails: tuple[Thumbnail, ...]) -> None:
    """Counts, what is odd, the balance of the classes, and some images as the network sees them."""
    splits = ", ".join(f"{split.images:,} {split.name} ({split.origin})" for split in report.splits)
    need = words.size(report.bytes)
    st.markdown(
        f"**{panels.plain(report.data)}**: {sum(report.found):,} images of {len(report.classes):,} classes; "
        f"{panels.plain(report.shape)}. A race takes {panels.plain(splits)}; a contender needs {need} for them."
    )
    damage = f"Damage: {panels.plain(report.damage)}."
    (st.warning if report.damaged else st.caption)(damage)
    if report.warnings:
        st.markdown("\n".join(f"- {panels.plain(said[0].upper() + said[1:])}." for said in report.warnings))
    frame = balance_frame(report)
    version = f"{hash(report)}{context.theme()}"
    figure = live.as_panel(
        plot_balance.sheet(frame, theme=context.theme()), caption_balance(frame), version, title="Images of each class"
    )
    live.show({"balance": figure}, key="balance")
    if thumbnails:
        st.caption("As the network sees them:")
        st.image([one.pixels for one in thumbnails], [panels.plain(one.label[:16]) for one in thumbnails], SIDE)
