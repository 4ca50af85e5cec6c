"""The setup form: settings of a race <-> widgets (`app.fields`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import choices, form_network, images
from app.fields import Fields, about, listed, titles
from catalyst_core.catalog import DATASETS, METHODS
from catalyst_core.config import DataConfig, MethodConfig, RaceConfig, Schedule
from catalyst_core.errors import ConfigError, shown
from catalyst_core.places import data_root

SOLVERS = {"proximal": "Proximal steps (exact zeros)", "subgradient": "Penalty added to the loss"}
MAGNITUDES = {"response": "Response", "folded": "BatchNorm folded in", "weight": "Weights alone"}
ALLOCATIONS = {"uniform": "Every group alike", "global": "One ranking over all groups"}
RAMPS = {"ramp": "Ramp", "constant": "Constant"}
BOTH = "both"  # ways to fine-tune: two contenders
RECOVERIES = {"full": "All weights", "adapters": "Low-rank adapters", "head": "The new head alone", BOTH: "Both, side by side"}
BUDGETS = {"channels": "Share of the channels", "macs": "Share of the MACs"}
AUGMENT = {
    None: "Shift and flip colour images",
    False: "Nothing",
    "shift": "Shift",
    True: "Shift and flip",
    "strong": "Shift, flip, light, erase",
}
EPOCHS = {"dense_epochs": "Dense epochs", "sparse_epochs": "Sparse epochs", "finetune_epochs": "Fine-tuning epochs"}
RATES = {"learning_rate": ("Learning rate", 0.01), "momentum": ("Momentum", 0.05), "weight_decay": ("Weight decay", 1e-4)}
OF_DATA = ("image_size", "augment", "batch_size", "normalisation")
LONGEST_SEED = 10  # digits
OF_SCHEDULE = ("learning_rate", "momentum", "weight_decay", "recalibrate")


def setup_form(main: DeltaGenerator, more: DeltaGenerator, base: RaceConfig, tag: str) -> dict[str, Any]:
    """Draw the form, what everybody needs in `main`, the rest in `more`; returns what is in it, unchecked: see `to_config`.

    It begins with the settings of `base`; `tag` tells one base from another.
    """
    values = from_config(base)
    with main:
        values = _main_fields(values, tag)
    with more:
        with st.expander("Methods"):
            methods = {name: _Settings(values["methods"][name], f"{tag}@{name}").method(name) for name in values["methods"]}
        with st.expander("Training"):
            kind = "@weights" * _is_trained(values)  # other epochs are usual then
            training = _Settings(values, f"{tag}@{values['data']}{kind}").training()
        title = Fields(values, tag).text(RaceConfig, "title", "Name", placeholder="optional")
    return {**values, **training, "methods": methods, "title": title}


def to_config(values: dict[str, Any]) -> RaceConfig:
    """What the form holds as a validated race. Raises `ConfigError`: one sentence on the first thing that is wrong."""
    preset = DATASETS[values["data"]]
    data = {name: values[name] for name in OF_DATA} | {"name": values["data"], "folder": values["folder"].strip()}
    # An untouched preset stays a preset, so that the command which repeats the race stays short.
    data["train_images"] = None if values["train_images"] == preset.images else values["train_images"]
    usual_epochs = _usual_epochs(values["data"], trained=_is_trained(values))
    epochs = {name: None if values[name] == usual else values[name] for name, usual in usual_epochs.items()}
    if not values["methods"]:
        raise ConfigError("methods: choose at least one")
    return RaceConfig.build(
        data=data,
        model=values["model"],
        weights=values["weights"],
        fresh_head=values["fresh_head"],
        methods=[fields for name, settings in values["methods"].items() for fields in _contenders(name, settings)],
        pruning_ratio=values["pruning_ratio"],
        macs_ratio=values["macs_ratio"] if values["budget"] == "macs" else None,
        seeds=parse_seeds(values["seeds"]),
        schedule=epochs | {name: values[name] for name in OF_SCHEDULE},
        title=values["title"].strip(),
    )


def from_config(config: RaceConfig) -> dict[str, Any]:
    """What a form would hold for this race: the inverse of `to_config`. Of a method with several settings, the last."""
    preset, schedule = DATASETS[config.data.name], config.schedule
    epochs = {
        name: usual if getattr(schedule, name) is None else getattr(schedule, name)
        for name, usual in _usual_epochs(config.data.name, trained=bool(config.weights) and not config.fresh_head).items()
    }
    return {
        "data": config.data.name,
        "folder": config.data.folder,
        "model": config.model,
        "weights": config.weights,
        "fresh_head": config.fresh_head,
        "budget": "channels" if config.macs_ratio is None else "macs",
        "pruning_ratio": config.pruning_ratio,
        "macs_ratio": config.pruning_ratio if config.macs_ratio is None else config.macs_ratio,
        "seeds": ", ".join(str(seed) for seed in config.seeds),
        "methods": {method.name: _shown_settings(method, config.methods) for method in config.methods},
        "title": config.title,
        "train_images": config.data.train_images or preset.images,
        **{name: getattr(config.data, name) for name in OF_DATA},
        **{name: getattr(schedule, name) for name in OF_SCHEDULE},
        **epochs,
    }


def parse_seeds(text: str) -> tuple[int, ...]:
    """'0, 1 2' -> (0, 1, 2). Raises `ConfigError`."""
    parts = text.replace(",", " ").split()
    wrong = next((part for part in parts if not part.isdecimal() or len(part) > LONGEST_SEED), None)
    if wrong is not None or not parts:
        raise ConfigError(f"seeds: {shown(wrong or text)} is not a whole number such as 0, or a list such as 0, 1, 2")
    return tuple(int(part) for part in parts)


def _shown_settings(method: MethodConfig, methods: Sequence[MethodConfig] = ()) -> dict[str, Any]:
    """`methods`: of the race, where one that differs in nothing but its fine-tuning may stand beside it."""
    beside = {one.recovery for one in methods if one.model_copy(update={"recovery": method.recovery}) == method}
    shown = {"recovery": BOTH} if len(beside) > 1 else {}
    settings = method.model_dump(exclude={"name"})
    return settings | {"strength": method.strength if method.strength is not None else METHODS[method.name].strength} | shown


def _contenders(name: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """One, or two that differ in how they are fine-tuned."""
    strength, recovery = settings.get("strength"), settings.get("recovery", "full")
    fields = {"name": name, **settings, "strength": None if strength == METHODS[name].strength else strength}
    return [fields | {"recovery": one} for one in (_recoveries(name) if recovery == BOTH else (recovery,))]


def _recoveries(name: str) -> tuple[str, str]:
    return ("full", "head" if METHODS[name].cuts == "blocks" else "adapters")


def _main_fields(values: dict[str, Any], tag: str) -> dict[str, Any]:
    fields = Fields(values, tag)
    data = fields.pick(DataConfig, "data", "Data", titles(DATASETS), text=about(DataConfig, "name") + ": " + listed(DATASETS))
    if data != values["data"]:
        preset = DATASETS[data]
        fresh = {"data": data, "folder": "", "model": preset.model, "train_images": preset.images}
        values = values | _usual_epochs(data, trained=False) | fresh | form_network.NOTHING_GIVEN
    of_data = Fields(values, f"{tag}@{data}")
    chosen = {"data": data, "image_size": None, "folder": ""}
    if data == "folder":
        where = f"{about(DataConfig, 'folder')}. The data root is {data_root()}; CATALYST_DATA moves it."
        chosen["folder"] = of_data.text(DataConfig, "folder", "Folder below the data root", placeholder="flowers", text=where)
        chosen["image_size"] = of_data.number(DataConfig, "image_size", "Image size, pixels", step=8, placeholder="as they are")
        images.bring(chosen["folder"], chosen["image_size"])
    chosen |= form_network.network(of_data)
    if (trained := _is_trained(chosen)) != _is_trained(values):
        values = values | {"dense_epochs": _usual_epochs(data, trained=trained)["dense_epochs"]}
    methods = st.multiselect(
        "Methods",
        list(dict.fromkeys((*choices.methods(), *values["methods"]))),
        default=list(values["methods"]),
        format_func=lambda name: METHODS[name].title,
        help=about(RaceConfig, "methods"),
        key=f"form_methods@{tag}",
        persist_state="session",
    )
    _formulas(methods)
    chosen["methods"] = {name: values["methods"].get(name, _shown_settings(MethodConfig(name=name))) for name in methods}
    text = f"{about(RaceConfig, 'pruning_ratio')}, or {RaceConfig.model_fields['macs_ratio'].description}"
    chosen["budget"] = fields.pick(RaceConfig, "budget", "Budget", BUDGETS, text=text)
    if chosen["budget"] == "macs":
        chosen["macs_ratio"] = fields.share(RaceConfig, "macs_ratio", "Budget: share of MACs to remove")
    else:
        chosen["pruning_ratio"] = fields.share(RaceConfig, "pruning_ratio", "Budget: share of channels to prune")
    chosen["seeds"] = fields.text(RaceConfig, "seeds", "Seeds")
    return values | chosen


def _is_trained(values: Mapping[str, Any]) -> bool:
    """Whether the network is trained already as the race begins."""
    return bool(values["weights"]) and not values["fresh_head"]


def _usual_epochs(data: str, *, trained: bool) -> dict[str, int]:
    """The preset of a data set; a network that is `trained` has no dense stage."""
    usual = dict(zip(EPOCHS, DATASETS[data].epochs, strict=True))
    return usual | {"dense_epochs": 0} if trained else usual


def _formulas(methods: list[str]) -> None:
    """A card a method. Not inside an expander: a popover does not open in one that was opened by hand."""
    with st.popover("What they do", type="tertiary", icon=":material/info:"):
        for name in methods:
            st.markdown(f"**{METHODS[name].title}**: ${METHODS[name].formula}$  \n{METHODS[name].sentence}")


class _Settings(Fields):
    """Widgets for the settings that belong together."""

    def method(self, name: str) -> dict[str, Any]:
        """The settings of one method."""
        titles = {one: RECOVERIES[one] for one in (*_recoveries(name), BOTH)}
        chosen = self.regularizing(name)
        return chosen | {"recovery": self.pick(MethodConfig, "recovery", f"{METHODS[name].title}: fine-tuning", titles)}

    def regularizing(self, name: str) -> dict[str, Any]:
        """How it regularizes and chooses."""
        method = METHODS[name]
        if method.strength is None:
            st.caption(f"{method.title} has no strength.")
            return {} if method.is_peer or method.cuts == "blocks" else self.allocation(method.title)
        settings = {"strength": self.number(MethodConfig, "strength", f"{method.title}: strength", step=method.strength / 10)}
        if method.is_peer:
            st.caption(f"{method.title} is {method.source}'s own code: solver, magnitude and allocation are its own.")
            return settings
        if name == "catalyst":
            settings["start_ratio"] = self.number(MethodConfig, "start_ratio", "Catalyst: fixed ratio", placeholder="budget")
            if settings["start_ratio"] is None:
                settings |= self.evidence()
            settings["canonicalize"] = self.tick(MethodConfig, "canonicalize", "Canonical form")
        settings["solver"] = self.pick(MethodConfig, "solver", f"{method.title}: solver", SOLVERS)
        settings["magnitude"] = self.pick(MethodConfig, "magnitude", f"{method.title}: magnitude", MAGNITUDES)
        return settings | self.allocation(method.title)

    def evidence(self) -> dict[str, Any]:
        """How Catalyst with a budget begins, and goes on."""
        title = "Catalyst: evidence, share of sparse"
        share = self.number(MethodConfig, "evidence_share", title, step=0.05, placeholder="0.1")
        return {"evidence_share": share, "schedule": self.pick(MethodConfig, "schedule", "Catalyst: schedule", RAMPS)}

    def allocation(self, title: str) -> dict[str, Any]:
        """How a method spreads its budget over the groups."""
        chosen = self.pick(MethodConfig, "allocation", f"{title}: allocation", ALLOCATIONS)
        if chosen == "uniform":
            return {"allocation": chosen}
        label = f"{title}: keep at least, share of a group"
        kept = self.number(MethodConfig, "keep_at_least", label, step=0.05, placeholder="0.1")
        return {"allocation": chosen, "keep_at_least": kept}

    def training(self) -> dict[str, Any]:
        """Schedule and batches."""
        values: dict[str, Any] = {name: self.number(Schedule, name, label, step=1) for name, label in EPOCHS.items()}
        values["batch_size"] = self.number(DataConfig, "batch_size", "Batch size", step=8)
        values["train_images"] = self.number(DataConfig, "train_images", "Training images", step=100, placeholder="all of them")
        values["augment"] = self.pick(DataConfig, "augment", "Augmentation", AUGMENT)
        values |= {name: self.number(Schedule, name, label, step=step) for name, (label, step) in RATES.items()}
        values["recalibrate"] = self.tick(Schedule, "recalibrate", "Recalibrate BatchNorm after the cut")
        return values
