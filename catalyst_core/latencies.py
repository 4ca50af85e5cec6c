"""Latencies that were measured side by side, as plain data: what a record of an export holds, for whoever shows it."""

from collections.abc import Iterable, Mapping
from typing import Any

NETWORKS = ("dense", "pruned", "rounded")  # in the order in which they came to be: the last one is what somebody gets


def side_by_side(latency: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], dict[str, float]]:
    """(engine, images at a time) -> network -> milliseconds, of records with `engine`, `batch`, `network` and `ms`."""
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for one in latency:
        rows.setdefault((one["engine"], one["batch"]), {})[one["network"]] = one["ms"]
    return {key: {name: row[name] for name in NETWORKS if name in row} for key, row in rows.items()}


def share(row: Mapping[str, float]) -> float | None:
    """Latency of the last network over that of the network before the cut; None where only one was timed."""
    return None if "dense" not in row or len(row) == 1 else list(row.values())[-1] / row["dense"]
