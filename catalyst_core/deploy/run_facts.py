"""What a store knows about a run, in words for its model card. Nothing is measured here, and torch is not needed."""

from typing import TYPE_CHECKING, Any

from catalyst_core.catalog import DATASETS, METHODS, MODELS
from catalyst_core.certificate import Certificate
from catalyst_core.config import ContenderConfig
from catalyst_core.deploy.facts import Facts, Line
from catalyst_core.events import Pruned, RolledBack, SettingChanged, value_text

if TYPE_CHECKING:
    from catalyst_core.store import RunInfo, Store

ACCURACIES = {  # key of the ledger -> its heading, what it means
    "dense": ("dense", "the network before sparse training"),
    "sparse": ("sparse", "after training with the regularizer, before the cut"),
    "post_prune": ("post-prune", "right behind the cut, nothing trained again"),
    "recalibrated": ("recalibrated", "with BatchNorm statistics estimated anew on training images"),
    "finetuned": ("fine-tuned", "at the end"),
}


def run_facts(store: "Store", run: "RunInfo") -> Facts:
    """Everything but the images: data set, method, budget, ledger, certificate, what happened by hand or went wrong."""
    told = [one.event for one in store.events(run.id, kinds=["pruned", "setting", "rollback"])]
    cut = next((one for one in reversed(told) if isinstance(one, Pruned)), None)
    config = run.config
    return Facts(
        title=f"{MODELS[config.model].title}, pruned by {METHODS[config.method.name].title}",
        about=_about(run),
        ledger=tuple(_ledger(run.ledger or {})),
        certificate=None if cut is None else _certificate(cut),
        notes=tuple(_notes(run, told)),
        raw={"run": run.id, "race": run.race_id, "config": config.model_dump(mode="json"), "ledger": run.ledger},
    )


def _about(run: "RunInfo") -> dict[str, str]:
    config, method = run.config, METHODS[run.config.method.name]
    schedule = config.schedule
    about = {
        "network": f"{MODELS[config.model].title} ({config.model})",
        "data set": f"{DATASETS[config.data.name].title} ({config.data.folder or config.data.name})",
        "training images": f"at most {config.data.train_images:,}" if config.data.train_images else "all",
        "method": f"{config.method.label}. {method.sentence}",
        "budget": _budget(config),
        "schedule": f"epochs: {schedule.dense_epochs} dense, {schedule.sparse_epochs} sparse, {schedule.finetune_epochs} of "
        f"fine-tuning; SGD, learning rate {schedule.learning_rate:g} at its peak, momentum {schedule.momentum:g}, weight decay "
        f"{schedule.weight_decay:g}",
        "seed": str(config.seed),
        "run": f"{run.id}, {run.state}" + (f", forked from {run.parent}" if run.parent else ""),
    }
    return about | ({"weights it began with": config.weights} if config.weights else {})


def _budget(config: ContenderConfig) -> str:
    method, blocks = config.method, METHODS[config.method.name].cuts == "blocks"
    if method.start_ratio is not None:
        return f"none: D = {method.start_ratio:g} n as sparse training begins"
    if config.macs_ratio is not None:
        return f"{_percent(config.macs_ratio, 0)} of the multiply-accumulates go"
    share = f"{_percent(config.pruning_ratio, 0)} of the channels"
    if blocks:
        return f"as many multiply-accumulates as a cut of {share} leaves"
    return f"{share} go, " + ("of every group alike" if method.allocation == "uniform" else "in one ranking over all groups")


def _ledger(row: dict[str, Any]) -> list[Line]:
    """What was measured; what does not exist has no line."""
    lines = []
    for key, (what, meaning) in ACCURACIES.items():
        test, validation = row.get(f"{key}_accuracy"), (row.get("validation") or {}).get(key)
        if test is not None:
            more = "" if validation is None else f"; {_percent(validation)} of the validation images"
            lines.append(Line(f"{what} accuracy", _percent(test), f"of the test images{more}: {meaning}"))
    for key, what, form, meaning in (
        (
            "decision_gap",
            "decision gap",
            ".3f",
            "(smallest kept - largest pruned magnitude) / median kept one, mean over the groups",
        ),
        ("magnitude_bias", "magnitude bias", "+.2f", "rank correlation of the magnitudes before sparse training with survival"),
        ("undecided", "undecided channels", "d", "settled by the sign of their margin at the cut"),
        ("strength", "strength", "g", "lambda as the cut was made (of Catalyst: a factor on its ramp)"),
        ("train_seconds", "training", ",.1f", "seconds of sparse training and fine-tuning"),
        ("regularizer_seconds", "of these the regularizer", ",.2f", "seconds"),
        ("trained_params", "trained while fine-tuning", ",d", "numbers"),
    ):
        if row.get(key) is not None:
            lines.append(Line(what, format(row[key], form), meaning))
    return lines


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _certificate(cut: Pruned) -> Certificate:
    return Certificate(cut.max_abs_logit_change, cut.max_abs_logit_change_float32, cut.changed_predictions, cut.images)


def _notes(run: "RunInfo", told: list[Any]) -> list[str]:
    notes = ["It was stopped by hand before its schedule had ended."] if run.state == "stopped" else []
    for one in told:
        if isinstance(one, SettingChanged):
            notes.append(f"Step {one.step}: {one.name} was changed from {value_text(one.old)} to {value_text(one.new)}.")
        elif isinstance(one, RolledBack):
            notes.append(f"Training went back from step {one.from_step} to step {one.step}: {one.reason}.")
    return notes
