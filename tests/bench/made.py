"""A ledger of made-up rows: every kind of row that a suite brings, with numbers that are told apart."""

from typing import Any

import numpy as np

from catalyst_core.catalog import METHODS

STRENGTHS = {"tp_group_norm": (0.005, 0.05), "tp_bn_scale": (0.05,), "l1": (0.1,)}  # picked: post-prune, then fine-tuned
HOSTILE = "<script>alert(1)</script> a|b"


def row(method: str = "catalyst", seed: int = 0, ratio: float = 0.5, section: str = "main", **more: Any) -> dict[str, Any]:
    """One contender; `more` overwrites any key, and `strength` and `solver` also its settings and label."""
    given = {name: more[name] for name in ("strength", "solver", "start_ratio") if name in more}
    label = " ".join([method, *(str(value) for value in given.values())])
    draw = np.random.default_rng([seed, round(100 * ratio), *label.encode()])
    cut, tuned = (0.95 if method == "catalyst" else 0.4) - ratio / 5, 0.985 - ratio / 50
    post_prune, finetuned = cut + 0.05 * draw.random(), tuned + 0.01 * draw.random()
    usual = {
        "method": method,
        "label": label,
        "seed": seed,
        "solver": "subgradient" if METHODS[method].is_peer else "proximal",
        "dense_accuracy": 0.98,
        "sparse_accuracy": 0.97,
        "post_prune_accuracy": post_prune,
        "recalibrated_accuracy": post_prune + 0.01,
        "finetuned_accuracy": finetuned,
        "macs": round(1000 * (1 - ratio) ** 2),
        "macs_dense": 1000,
        "params": round(500 * (1 - ratio)),
        "params_dense": 500,
        "latency_ms": 0.2 + 0.1 * (1 - ratio) + 0.01 * draw.random(),
        "latency_ms_dense": 0.3,
        "max_abs_logit_change": 1e-15,
        "channels_pruned": round(100 * ratio),
        "channels_total": 100,
        "decision_gap": 0.4,
        "magnitude_bias": -0.3,
        "strength": METHODS[method].strength or 0.0,
        "pruning_ratio": ratio,
        "regularizer_seconds": 0.1,
        "train_seconds": 5.0 + draw.random(),
        "validation": {"post_prune": cut, "finetuned": tuned},
        "source": METHODS[method].source,
        "task": "digits",
        "section": section,
        "ratio": ratio,
        "state": "completed",
        "reason": "",
        "race": "abcd0123",
        "run": f"{label}-{seed}",
        "commit": "0" * 40,
        "schedule": {"dense_epochs": 12, "sparse_epochs": 15, "finetune_epochs": 5},
        "settings": {"name": method, **given},
        "flip_point": 0.05,
    }
    return usual | more


def failed(method: str, seed: int, reason: str, **more: Any) -> dict[str, Any]:
    """A contender that never reached its cut."""
    kept = (
        "method",
        "label",
        "seed",
        "solver",
        "source",
        "task",
        "section",
        "ratio",
        "race",
        "run",
        "commit",
        "schedule",
        "settings",
    )
    whole = row(method, seed, **more)
    return {name: whole[name] for name in kept} | {"state": "failed", "reason": reason, "flip_point": None}


def main_rows(seeds: tuple[int, ...] = (0, 1, 2), ratios: tuple[float, ...] = (0.5, 0.7)) -> list[dict[str, Any]]:
    """Every method with its default strength, and with those of STRENGTHS."""
    found = []
    for ratio in ratios:
        for seed in seeds:
            for method in METHODS:
                found.append(row(method, seed, ratio))
                found += [row(method, seed, ratio, strength=strength) for strength in STRENGTHS.get(method, ())]
    return found


def sweep_rows() -> list[dict[str, Any]]:
    """One seed of its own, from which STRENGTHS follow."""
    found = []
    for method, strengths in STRENGTHS.items():
        for strength in (METHODS[method].strength, *strengths):
            validation = {"post_prune": 0.9 * (strength == strengths[0]), "finetuned": 0.9 * (strength == strengths[-1])}
            found.append(row(method, 100, 0.7, "sweep", strength=strength, validation=validation))
    return found


def study_rows() -> list[dict[str, Any]]:
    """A study of the strength, one of the length, one of the solver."""
    found = []
    for seed in (0, 1, 2):
        for strength in (0.01, 0.1, 1.0):
            found += [row(method, seed, 0.7, "strength", strength=strength) for method in ("catalyst", "l1")]
        for sparse in (5, 10, 15):
            schedule = {"dense_epochs": 12, "sparse_epochs": sparse, "finetune_epochs": 20 - sparse}
            found += [row(method, seed, 0.7, "length", schedule=schedule) for method in ("catalyst", "none")]
        for solver in ("proximal", "subgradient"):
            found += [row(method, seed, 0.7, "solver", solver=solver) for method in ("l1", "slimming")]
    return found


def audit_rows() -> list[dict[str, Any]]:
    """A planted rescale audit of three methods; a bootstrap's interval may miss the correlation itself."""
    numbers = {"low": -0.1, "high": 0.1, "max_abs_logit_change": 0.0, "max_abs_logit_change_float32": 0.0}
    return [
        {"task": "digits", "ratio": 0.5, "method": method, "factors": factors, "seeds": [0, 1, 2]}
        | {"correlation": 0.12 if method == "none" else 0.02}
        | {"jaccard": 0.9, "identical": method == "catalyst canonical", "bit_identical": False, **numbers}
        for method in ("catalyst canonical", "l1", "none")
        for factors in ("powers_of_two", "any")
    ]


def curve_points() -> list[dict[str, Any]]:
    """Validation accuracy of two methods along training, one cut at once."""
    found = []
    for label, cut in (("catalyst", 60), ("none", 20)):
        for seed in (0, 1, 2):
            for step in range(10, 101, 10):
                stage = "dense" if step <= 20 else "sparse" if step <= cut else "finetune"
                found.append({"label": label, "seed": seed, "stage": stage, "step": step, "accuracy": 0.5 + step / 250})
            found.append({"label": label, "seed": seed, "stage": "prune", "step": cut, "accuracy": 0.4})
    return [
        point | {"task": "digits", "run": f"{point['label']}-{point['seed']}", "seconds": 1 + point["step"] / 20}
        for point in sorted(found, key=lambda point: point["step"])
    ]


def ledger(rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """What `Bench.ledger` gives, of these rows or of all kinds; `more` overwrites any key."""
    everything = main_rows() + sweep_rows() + study_rows() + [failed("growing_reg", 3, "the loss is not finite")]
    task = {"name": "digits", "title": "Digits, CNN", "data": {"name": "digits"}, "model": "cnn", "schedule": {}}
    studies = {"strength": "Strength", "length": "Length of the sparse stage", "solver": "Solver"}
    versions = {"catalyst": "0.1.0", "commit": "0" * 40, "python": "3.11.7", "system": "Linux x86_64", "byteorder": "little"}
    machine = {"processor": "Made-up", "cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "accelerator": None}
    usual = {
        "suite": "quick",
        "title": "Quick: digits",
        "command": "python -m catalyst_core bench ledger --suite quick",
        "started": "2026-11-24 19:33 UTC",
        "written": "2026-11-24 20:33 UTC",
        "machine": machine | {"workers": 2, "threads": 1},
        "versions": versions | {"packages": {"torch": "2.14.1"}},
        "seeds": [0, 1, 2],
        "sweep": {"seed": 100, "ratio": 0.7},
        "tasks": [task | {"note": "8 x 8 pixels.", "accelerator": False}],
        "studies": [{"name": name, "title": title, "task": "digits"} for name, title in studies.items()],
        "rows": everything if rows is None else rows,
        "audits": audit_rows(),
        "timings": [
            {"task": "digits", "label": label, "source": "ours", "ratio": 1.002, "plain_ms": 9.0} for label in ("catalyst", "l1")
        ],
        "curves": curve_points(),
        "not_run": [{"task": "cifar10", "title": "CIFAR-10, CNN", "reason": "this machine has no accelerator"}],
    }
    return usual | more
