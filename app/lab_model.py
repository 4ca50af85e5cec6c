"""The Lab's way out: the small network as files that need nothing of ours, and what was measured as they were made."""

import shlex
from typing import Any

import pandas as pd
import streamlit as st

from app import panels, words
from catalyst_core.engine import analysis
from catalyst_core.engine.analysis import Analysis, Kind
from catalyst_core.figures.words import number
from catalyst_core.latencies import share, side_by_side
from catalyst_core.store import RunInfo, Store

WIDTHS: dict[str, Kind] = {"as cut": "model", "multiples of 8": "model-8", "multiples of 16": "model-16"}
ROUNDING = "Pruned channels come back as zeros until every width is a multiple: the same function, and faster on some machines"
WATCHED = (
    'Its network is with the training loop that was watched. There, `catalyst_core.write_model("small.zip", model, images)` '
    "writes what a race of ours would offer here: ONNX, PyTorch without Catalyst, a model card."
)
NETWORKS = {"dense": "Before the cut", "pruned": "Pruned", "rounded": "Rounded"}
MATCHES = {"network.py": "`network.py`: the same bits", "network.onnx": "ONNX: {:.1g}", "network.pt2": "`torch.export`: {:.1g}"}
LOAD = """\
from network import load   # network.py of the zip, and PyTorch

model = load(".")          # a torch.nn.Module

import onnxruntime

session = onnxruntime.InferenceSession("network.onnx")
"""
OWN = """\
from catalyst_core.training import load_pruned

model = load_pruned("{}")  # a torch.nn.Module
"""


def choose() -> Kind:
    """Which widths the files are to have; a link says it too."""
    chosen = st.segmented_control(
        "Widths", list(WIDTHS), default="as cut", help=ROUNDING, required=True, key="widths", bind="query-params",
        persist_state="session",
    )  # fmt: skip
    return WIDTHS[chosen or "as cut"]


def render_result(store: Store, run: RunInfo, kind: Kind, now: Analysis) -> None:
    """What was made: the zip, how fast the network in it is, and how close every file comes to it."""
    if now.state != "done" or now.result is None:
        return
    made = now.result
    file = analysis.model_zip(store, run, kind)
    st.markdown("  \n".join(said(made)))
    st.download_button(
        f"Model as a zip ({words.size(file.stat().st_size)})",
        data=file.read_bytes,
        file_name=file.name,
        mime="application/zip",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
        key=f"take_{kind}",
    )
    for one in made["warnings"]:
        st.warning(panels.plain(one))
    with st.expander("What is in it, how fast it is, how to load it"):
        left, right = st.columns(2)
        left.dataframe(files_table(made), hide_index=True, key="model_files", alt="Files of the model")
        right.dataframe(latency_table(made), hide_index=True, key="model_latency", alt="Latencies of the networks")
        st.caption(f"Medians of a forward pass on the CPU that made the files (threads: {made['threads']}), in turns.")
        st.code(f"{LOAD}\n# the same files without a browser: {command(run, kind)}", language="python")


def said(made: dict[str, Any]) -> list[str]:
    """What the record of an export says, in Markdown sentences."""
    return [one for one in (fastness(made), closeness(made), rounding(made)) if one]


def fastness(made: dict[str, Any]) -> str:
    """The latency of one image in every engine, beside that of the network before the cut."""
    parts = []
    for (engine, batch), row in side_by_side(made["latency"]).items():
        if batch == 1 and (left := share(row)) is not None:
            parts.append(f"**{number(list(row.values())[-1], 3)} ms** in {engine} ({words.percent(left)} of the dense network's)")
    return f"One image takes {' and '.join(parts)}." if parts else ""


def closeness(made: dict[str, Any]) -> str:
    """How far the logits of each file are from the network's."""
    parts = [MATCHES[name].format(one["max_abs_logit_difference"]) for name, one in made["checks"].items()]
    on = made["checked_on"]
    accuracy = "" if made["accuracy"] is None else f" It classifies {words.percent(made['accuracy'], 1)} of them correctly."
    where = f"on {on['images']} {panels.plain(on['of'])}"
    return f"Largest difference of a logit {where}: {', '.join(parts)}.{accuracy}" if parts else ""


def rounding(made: dict[str, Any]) -> str:
    """What rounding the widths up did."""
    effect = made["rounding"]
    if effect is None:
        return ""
    if not effect["channels_back"]:
        return f"Every width is a multiple of {effect['multiple']} as it is."
    return (
        f"{effect['channels_back']} pruned channels are back, so that widths are multiples of {effect['multiple']}; they compute "
        f"nothing, and a logit changed by {effect['max_abs_logit_change']:.1g} at most."
    )


def latency_table(made: dict[str, Any]) -> pd.DataFrame:
    """A row an engine and number of images: milliseconds of every network, and the share of the last."""
    rows = []
    for (engine, batch), row in side_by_side(made["latency"]).items():
        times = {NETWORKS[name]: f"{number(ms, 3)} ms" for name, ms in row.items()}
        rows.append({"Engine": engine, "Images": batch} | times | {"Left": words.percent(share(row))})
    return pd.DataFrame(rows)


def files_table(made: dict[str, Any]) -> pd.DataFrame:
    """Every file and its size; that of the model card is not part of what it says."""
    sizes = [(name, words.size(count)) for name, count in made["files"].items()]
    return pd.DataFrame([("README.md", "the model card"), *sizes], columns=["File", "Size"])


def command(run: RunInfo, kind: Kind) -> str:
    """What makes the same files without a browser."""
    rounded = analysis.ROUNDED[kind]
    given = ["python", "-m", "catalyst_core", "model", run.id, "--out", "small.zip"]
    return shlex.join(given + ([] if rounded is None else ["--round-to", str(rounded)]))


def render_own(store: Store, run: RunInfo) -> None:
    """The small network for whoever has Catalyst, and the two lines that load it."""
    file = analysis.pruned_file(store, run)
    if not file.is_file():
        return
    name = f"{run.id}-pruned.pt"
    with st.expander("For Python with Catalyst: the network alone"):
        st.download_button(
            f"Pruned network ({words.size(file.stat().st_size)})",
            data=file.read_bytes,
            file_name=name,
            on_click="ignore",
            help="Weights and widths, for torch.load(..., weights_only=True).",
        )
        st.code(
            f'from catalyst_core.training import load_pruned\n\nmodel = load_pruned("{name}")  # a torch.nn.Module',
            language="python",
        )
