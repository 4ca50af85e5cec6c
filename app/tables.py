"""Ledgers and layers as tables for reading: rounded, in percent, the best said in words."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from app import words
from catalyst_core import frames, markup
from catalyst_core.events import value_text
from catalyst_core.figures import style

ACCURACIES = {
    "dense_accuracy": "Dense",
    "sparse_accuracy": "Sparse",
    "post_prune_accuracy": "Post-prune",
    "recalibrated_accuracy": "Recalibrated",
    "finetuned_accuracy": "Fine-tuned",
}
BEST = {  # column -> (what being best at it is called, whether more is better)
    "post_prune_accuracy": ("post-prune", True),
    "finetuned_accuracy": ("fine-tuned", True),
    "macs": ("MACs", False),
}
HELP = {
    "Sparse": "Before the cut, as sparse training left the network",
    "Post-prune": "Right after the cut, nothing trained again",
    "Recalibrated": "After the cut, BatchNorm statistics estimated anew",
    "Logits moved": "Largest change of a logit by the cut itself, in float64: lossless means at most 1e-10",
    "Gap": "Decision gap: how far kept and pruned magnitudes were apart, in medians of the kept ones",
    "Bias": "Rank correlation of the initial magnitude with survival, within groups: 0 is unbiased",
    "Trained again": "Parameters that fine-tuning trains, beside those of the small network: all, adapters, or a new head",
    "Best at": "Best of its race by the mean, before rounding",
}


def ledger_table(summary: pd.DataFrame) -> pd.DataFrame:
    """A `ledger_summary` as text: one row a race and contender, mean ± deviation where there are several seeds."""
    several = summary["race"].nunique() > 1
    columns: dict[str, object] = {"Race": summary["race_title"]} if several else {}
    columns |= {
        "Contender": [style.title(label) for label in summary["label"]],
        "Seeds": summary["seeds"],
        "Best at": _best(summary),
    }
    columns |= {title: _text(summary, name, _percent) for name, title in ACCURACIES.items()}
    columns |= {
        "MACs": _of(summary, "macs", "macs_dense"),
        "Parameters": _of(summary, "params", "params_dense"),
        "File": _of(summary, "bytes", "bytes_dense"),
        "Latency": _of(summary, "latency_ms", "latency_ms_dense"),
        "Channels pruned": _of(summary, "channels_pruned", "channels_total"),
        "Logits moved": _text(summary, "max_abs_logit_change", _short),
        "Predictions changed": _text(summary, "changed_predictions", _whole),
        "Gap": _text(summary, "decision_gap", _two),
        "Bias": _text(summary, "magnitude_bias", _signed),
        "Training": _text(summary, "train_seconds", _seconds),
        "Regularizer": _text(summary, "regularizer_seconds", _seconds),
        "Trained again": _of(summary, "trained_params", "params"),
    }
    return pd.DataFrame(columns)


def render_ledger(summary: pd.DataFrame, *, key: str) -> None:
    """The ledger, as a table that can be searched and scrolled."""
    table = ledger_table(summary)
    config = {name: st.column_config.TextColumn(help=text) for name, text in HELP.items()}
    config["Best at"] = st.column_config.TextColumn(help=HELP["Best at"], width=160)
    config["Contender"] = st.column_config.TextColumn(pinned=True)
    st.dataframe(table, hide_index=True, column_config=config, key=key, alt="Ledger")


def changes_table(changes: pd.DataFrame) -> pd.DataFrame:
    """A `changes_frame` in words, newest first; times are this machine's."""
    newest = changes.iloc[::-1]
    table = pd.DataFrame(
        {
            "When": [f"{time.astimezone():%Y-%m-%d %H:%M:%S}" for time in newest["time"].dt.to_pydatetime()],
            "Contender": [style.title(label) for label in newest["label"]],
            "Seed": [str(seed) for seed in newest["seed"]],
            "Step": [str(step) for step in newest["step"]],
            "What": [name.replace("_", " ") for name in newest["name"]],
            "From": [value_text(value) for value in newest["old"]],
            "To": [value_text(value) for value in newest["new"]],
            "Who": newest["who"].to_numpy(),
            "Why": newest["reason"].to_numpy(),
        }
    )
    return table if newest["reason"].any() else table.drop(columns="Why")


def html_table(table: pd.DataFrame) -> str:
    """A small table of text as HTML that can be read aloud and searched; everything that is not ours is escaped."""
    return markup.html_table(table.columns, table.to_numpy(), "contenders high")


def layer_table(filters: pd.DataFrame) -> pd.DataFrame:
    """One row a filter group of one run's `filters_frame`: channels, decisions, and the magnitudes on both sides."""
    rows = []
    for group, part in filters.groupby("group", observed=True, sort=False):
        kept, gone = part[part["kept"]]["magnitude"], part[~part["kept"]]["magnitude"]
        rows.append(
            {
                "Group": group,
                "Channels": len(part),
                "Kept": len(kept),
                "Pruned": len(gone),
                "Undecided": int((~part["decided"]).sum()),
                "Smallest kept magnitude": kept.min(),
                "Largest pruned magnitude": gone.max(),
                "Threshold": part["threshold"].iloc[0],
            }
        )
    # A settled Catalyst has no threshold any more.
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def what_if(filters: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """Which channels would stay at another pruning ratio, by the order of their stored margins (see `frames.stays`).

    One row a group: channels, would stay, of these kept by the run itself, and the numbers of the channels that stay.
    """
    stay, kept, channel = frames.stays(filters, ratio), filters["kept"].to_numpy(dtype=bool), filters["channel"].to_numpy()
    ids, names = pd.factorize(filters["group"])
    rows = []
    for name, here in zip(names, np.split(np.arange(len(ids)), np.flatnonzero(np.diff(ids)) + 1), strict=True):
        staying = here[stay[here]]
        rows.append(
            {
                "Group": name,
                "Channels": len(here),
                "Would stay": len(staying),
                "Of these kept by the run": int(kept[staying].sum()),
                "Channels that would stay": ", ".join(str(number) for number in sorted(channel[staying])),
            }
        )
    return pd.DataFrame(rows)


def _best(summary: pd.DataFrame) -> list[str]:
    found: list[list[str]] = [[] for _ in range(len(summary))]
    for _, race in summary.reset_index(drop=True).groupby("race", sort=False):
        for name, (title, more) in BEST.items():
            values = race[name].dropna()
            if len(values) > 1 and values.nunique() > 1:
                found[values.idxmax() if more else values.idxmin()].append(title)
    return [", ".join(titles) for titles in found]


def _text(summary: pd.DataFrame, name: str, say: Callable[[float], str]) -> list[str]:
    pairs = zip(summary[name], summary[f"{name}_std"], strict=True)
    return ["–" if np.isnan(mean) else say(mean) + ("" if np.isnan(std) else f" ± {say(std).lstrip('+')}") for mean, std in pairs]


def _of(summary: pd.DataFrame, part: str, whole: str) -> list[str]:
    return [
        "–" if np.isnan(some) or not every else f"{amount(part, some)} ({100 * some / every:.0f} %)"
        for some, every in zip(summary[part], summary[whole], strict=True)
    ]


def amount(name: str, value: float) -> str:
    """What a ledger says of a cost: `name` is its key, such as "bytes" or "macs"."""
    if name == "bytes":
        return words.size(value)
    if name == "latency_ms":
        return f"{value:.2g} ms"
    if value < 1e4:
        return f"{value:.4g}"
    return f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value / 1e3:.3g} k"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _short(value: float) -> str:
    return f"{value:.1e}" if value and abs(value) < 1e-3 else f"{value:.3g}"


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _two(value: float) -> str:
    return f"{value:.2f}"


def _signed(value: float) -> str:
    return f"{value:+.2f}"


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
