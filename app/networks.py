"""A user's own network: a file of weights put among the models, and a look at what can be pruned of it."""

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import access, context, forms, panels, words
from catalyst_core import shelf
from catalyst_core.catalog import MODELS
from catalyst_core.config import RaceConfig
from catalyst_core.engine import inspector
from catalyst_core.errors import CatalystError, ConfigError

WEIGHTS = "Weights of a trained network, as safetensors or as a state dict of torch.save; choose under Model which network it is"
LARGER = "A larger file: put it into the models folder by hand, and reload this page"
FOUND = "network_report"  # session state: (configuration, report or sentence)


@context.changes
def take_in(key: str) -> None:
    """A callback: put an uploaded file among the models."""
    file = st.session_state[key]
    if file is None:
        return
    shelf.put(file.name, file, file.size)
    _let_go(file.file_id)
    st.session_state["_weights"] = st.session_state.get("_weights", 0) + 1  # an empty field again
    st.toast(f"{file.name} is among the models: choose it under Weights")


def _let_go(file_id: str) -> None:
    """Streamlit would hold an uploaded file in memory until its tab is closed."""
    run = get_script_run_ctx()
    if run is not None and isinstance(run.uploaded_file_mgr, MemoryUploadedFileManager):
        run.uploaded_file_mgr.remove_file(run.session_id, file_id)


def bring(values: dict[str, Any]) -> None:
    """Beside the form: a field for weights, and what can be pruned of the network that is chosen there."""
    with st.expander("Your own network: weights, and what can be pruned of it"):
        context.say()
        reason = access.why_not()
        viewer: dict[str, Any] = {"disabled": True, "help": reason} if reason else {}
        key = f"weights@{st.session_state.get('_weights', 0)}"
        kinds = [suffix.removeprefix(".") for suffix in shelf.SUFFIXES]
        more: dict[str, Any] = {"max_upload_size": shelf.LARGEST // shelf.MIB} | (viewer or {"help": LARGER})
        st.file_uploader(WEIGHTS, type=kinds, key=key, on_change=take_in, args=(key,), **more)
        if st.button("What can be pruned?", **viewer):
            look(values)
        render_found(values)


def look(values: dict[str, Any]) -> None:
    """Ask, and keep the answer with what it was asked for."""
    try:
        access.check_change()  # it costs a process
        config = forms.to_config(values)
        with st.spinner("Building the network and trying a cut"):
            st.session_state[FOUND] = (_asked(config), inspector.network(config))
    except CatalystError as error:
        st.session_state[FOUND] = (None, str(error))


def render_found(values: dict[str, Any]) -> None:
    """The last answer, while the form still asks for the same network."""
    asked, found = st.session_state.get(FOUND, (None, None))
    if isinstance(found, str):
        st.error(context.sentence(ConfigError(found)))
    elif found is not None:
        try:
            current = _asked(forms.to_config(values))
        except ConfigError:
            current = None
        if asked == current:
            render_report(found)


def render_report(found: dict[str, Any]) -> None:
    """The report as sentences and two tables."""
    images, name = f"{found['channels']} × {found['size']} × {found['size']}", panels.plain(MODELS[found["model"]].title)
    same = "masked and cut are the same function" if found["lossless"] else "masked and cut are **not** the same function"
    params, macs = (words.percent(found[f"{cost}_after"] / found[cost]) for cost in ("params", "macs"))
    share = words.percent(found["pruning_ratio"])
    said = [
        f"**{name}** on images of {images}, {found['classes']} classes: {found['params']:,} parameters, {found['macs']:,} "
        f"multiply-accumulates. {found['prunable_channels']:,} channels in {len(found['groups'])} groups can be pruned.",
        f"A trial without {share} of every group leaves {params} of the parameters and {macs} of the multiply-accumulates: "
        f"{same}.",
    ]
    if found["validation_accuracy"] is not None:
        said.append(f"The weights classify {words.percent(found['validation_accuracy'], 1)} of the validation images correctly.")
    st.markdown("  \n".join(said + [panels.plain(note) for note in found["notes"]]))
    left, right = st.columns(2)
    groups = pd.DataFrame(list(found["groups"].items()), columns=["Group", "Channels"])
    left.dataframe(groups, hide_index=True, key="report_groups", alt="Groups that can be pruned")
    skipped = pd.DataFrame(list(found["skipped"].items()), columns=["Left out", "Why"])
    right.dataframe(skipped, hide_index=True, key="report_skipped", alt="Groups that are left out")


def _asked(config: RaceConfig) -> tuple[Any, ...]:
    data = config.data
    images = (data.name, data.folder, data.image_size, data.normalisation)
    return *images, config.model, config.weights, config.fresh_head, config.pruning_ratio
