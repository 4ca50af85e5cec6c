"""The figures of a ledger: accuracy against what a network costs, along training, and against what a study varies."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from catalyst_core.bench.ledger.charts import Line, Pane, Point, chart
from catalyst_core.bench.ledger.summary import Row, summarise
from catalyst_core.bench.ledger.targets import picked
from catalyst_core.catalog import METHODS, OURS
from catalyst_core.figures import caption_rescale, plot_rescale
from catalyst_core.figures.scales import LogScale
from catalyst_core.figures.style import looks
from catalyst_core.frames.whatif import rescale_frame

STAGES = {"post_prune": "after the cut", "finetuned": "fine-tuned"}
MAIN_RATIO = 0.7  # of the figure that has one budget
FOREIGN = [name for name, method in METHODS.items() if method.is_peer]
REGULARIZERS = [name for name, method in METHODS.items() if not method.is_peer and method.strength is not None]
FIELDS = {  # who is drawn together: no more than eight lines a panel
    "rivals": REGULARIZERS,
    "peers": ["catalyst", "group_lasso", "none", "random", *FOREIGN],
}
HEADS = {"rivals": "our code", "peers": "peers and plain cuts"}
CLOSEST = ("catalyst", "group_lasso", "none", "tp_group_norm")  # drawn along training
BEST = "each method with the strength of the best validation accuracy"
LEAST_LOG = 1e-9


class Picture(NamedTuple):
    """A figure with its file name, title and caption; `place` is the task or study that it belongs to."""

    name: str
    place: str
    title: str
    figure: go.Figure
    caption: str


def pictures(ledger: Mapping[str, Any]) -> list[Picture]:
    """All figures that the ledger has numbers for."""
    summary = summarise(ledger["rows"])
    found: list[Picture] = []
    for task in ledger["tasks"]:
        rows = [row for row in summary if row["task"] == task["name"] and row["section"] == "main" and row["seeds"]]
        if rows:
            found += [*_against_macs(task, rows), *_against_seconds(task, rows), *_against_size(task, rows)]
            found += _along_training(task, _behind_dense(task, ledger))
    for study in ledger["studies"]:
        rows = [row for row in summary if row["section"] == study["name"] and row["seeds"]]
        found += [_study(study, rows)] if rows else []
    return found + ([_audits(ledger["audits"])] if ledger["audits"] else [])


def _against_macs(task: Row, rows: Sequence[Row]) -> Iterator[Picture]:
    for field, names in FIELDS.items():
        panes = [
            _pane(said, rows, names, (column, "macs_share", "MACs left (% of dense)"), is_dodged=True)
            for column, said in STAGES.items()
        ]
        title = f"{task['title']}: accuracy against MACs, {HEADS[field]}"
        caption = f"Test accuracy, mean ± deviation over seeds, {BEST}; marks of one budget stand a little apart."
        yield Picture(f"accuracy_macs_{task['name']}_{field}", task["name"], title, chart(panes), caption)


def _against_seconds(task: Row, rows: Sequence[Row]) -> Iterator[Picture]:
    ratio = min({row["ratio"] for row in rows}, key=lambda one: abs(one - MAIN_RATIO))
    rows = [row for row in rows if row["ratio"] == ratio]
    axes = ("finetuned", "train_seconds", "seconds of training")
    panes = [_pane(HEADS[field], rows, names, axes) for field, names in FIELDS.items()]
    title = f"{task['title']}: fine-tuned accuracy against seconds, ratio {ratio:g}"
    caption = (
        "Fine-tuned test accuracy against the seconds of training behind the dense stage, the regularizer's included; "
        f"mean ± deviation over seeds, {BEST}. Contenders trained side by side, so that seconds vary with what else was going."
    )
    yield Picture(f"accuracy_seconds_{task['name']}", task["name"], title, chart(panes, heads=True), caption)


def _against_size(task: Row, rows: Sequence[Row]) -> Iterator[Picture]:
    axes = {"params_share": "parameters left (% of dense)", "latency_ratio": "latency (% of dense)"}
    panes = [
        _pane(said, rows, FIELDS["peers"], ("finetuned", column, said), is_dodged=column == "params_share")
        for column, said in axes.items()
    ]
    title = f"{task['title']}: fine-tuned accuracy against parameters and latency"
    caption = f"Fine-tuned test accuracy, mean ± deviation over seeds, {BEST}; latency of one image as measured on this machine."
    yield Picture(f"accuracy_size_{task['name']}", task["name"], title, chart(panes), caption)


def _pane(name: str, rows: Sequence[Row], names: Sequence[str], axes: tuple[str, str, str], *, is_dodged: bool = False) -> Pane:
    """Accuracy against a cost; a line a method over the ratios. `axes`: column of the accuracy, the cost, what that is called."""
    column, cost, title = axes
    scale = 1.0 if cost == "train_seconds" else 100.0
    kept = [row for row in rows if row["method"] in names and _is_usual(row)]
    points: dict[str, list[Point]] = {}
    for ratio in dict.fromkeys(row["ratio"] for row in kept):
        for row in picked([row for row in kept if row["ratio"] == ratio], column):
            points.setdefault(row["method"], []).append(_point(row, column, _scaled(row, cost, scale)))
    drawn = looks([name for name in names if name in points], "light")
    dense = statistics.fmean(100 * row["dense_accuracy"] for row in rows)
    lines = [Line(look, points[label]) for label, look in drawn.items()]
    said = f"{'accuracy ' + STAGES[column] if column == 'post_prune' else 'fine-tuned accuracy'} (%)"
    return Pane(name, {"title": title}, said, lines, dense=dense, is_dodged=is_dodged)


def _is_usual(row: Row) -> bool:
    """Whether it is a method in the solver that it has by default."""
    return row["source"] != OURS or row["solver"] == "proximal"


def _scaled(row: Row, name: str, scale: float) -> tuple[float, float | None]:
    deviation = row[f"{name}_std"]
    return scale * row[name], None if deviation is None else scale * deviation


def _point(row: Row, column: str, x: tuple[float, float | None]) -> Point:
    y, deviation = _scaled(row, f"{column}_accuracy", 100.0)
    return x[0], y, x[1], deviation


def _behind_dense(task: Row, ledger: Mapping[str, Any]) -> list[Row]:
    """A task's points of contenders that ended; steps and seconds count from the end of the dense stage, whoever trained that."""
    points = [point for point in ledger["curves"] if point["task"] == task["name"]]
    trained = {row["run"]: row["train_seconds"] for row in ledger["rows"] if row.get("train_seconds") is not None}
    steps = {point["run"]: point["step"] for point in points if point["stage"] == "dense"}
    ends = {point["run"]: point["seconds"] for point in points}
    return [
        point
        | {
            "step": point["step"] - steps.get(point["run"], 0),
            "seconds": max(0.0, point["seconds"] - ends[point["run"]] + trained[point["run"]]),
        }
        for point in points
        if point["run"] in trained and point["stage"] not in ("dense", "recalibrate")
    ]


def _along_training(task: Row, curves: Sequence[Row]) -> Iterator[Picture]:
    """Behind the dense stage, which all share."""
    labels = [label for label in dict.fromkeys(point["label"] for point in curves) if label.split()[0] in CLOSEST]
    if not labels:
        return
    drawn = looks(labels, "light")
    means = {label: _mean_curve([point for point in curves if point["label"] == label]) for label in labels}
    cut = next((step for label in labels for step, _, stage, _ in means[label] if stage == "prune" and step > 0), None)
    panes = [
        Pane(
            said,
            {"title": said},
            "validation accuracy (%)",
            [Line(look, [(one[place], one[3], None, None) for one in means[label]], True) for label, look in drawn.items()],
            cut=cut if place == 0 else None,
        )
        for place, said in enumerate(("steps behind the dense stage", "seconds behind the dense stage"))
    ]
    title = f"{task['title']}: validation accuracy along training, ratio {MAIN_RATIO:g}"
    caption = "Validation accuracy, mean over seeds; a plain cut comes at once and is fine-tuned for as many steps."
    yield Picture(f"training_{task['name']}", task["name"], title, chart(panes), caption)


def _mean_curve(points: Sequence[Row]) -> list[tuple[float, float, str, float]]:
    """Step, seconds, stage and accuracy in percent, means over the seeds."""
    at: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for point in points:
        at.setdefault((point["step"], point["stage"]), []).append((point["seconds"], 100 * point["accuracy"]))
    return [
        (float(step), statistics.fmean(one for one, _ in both), stage, statistics.fmean(one for _, one in both))
        for (step, stage), both in at.items()
    ]


class _Varied(NamedTuple):
    """What a study varies: its name, its value in a row, and how the axis is scaled."""

    title: str
    value: Callable[[Row], Any]
    kind: str = "number"  # or "log", or "words"


VARIED = (
    _Varied("epochs of the sparse stage", lambda row: row["schedule"]["sparse_epochs"]),
    _Varied("start ratio c", lambda row: row["settings"].get("start_ratio")),
    _Varied("share that gathers evidence", lambda row: row["settings"].get("evidence_share")),
    _Varied("solver", lambda row: row["solver"], "words"),
    _Varied("strength λ", lambda row: row["strength"], "log"),
)
SETTINGS = _Varied("", lambda row: row["label"].partition(" ")[2] or "default", "words")


def varied(rows: Sequence[Row]) -> _Varied:
    """What differs between rows of one method; their settings in words where it is nothing that has an axis."""

    def differs(one: _Varied) -> bool:
        values = [{one.value(row) for row in rows if row["method"] == name} for name in {row["method"] for row in rows}]
        return any(len(some) > 1 for some in values)

    return next((one for one in VARIED if differs(one)), SETTINGS)


def _study(study: Row, rows: Sequence[Row]) -> Picture:
    what = varied(rows)
    words = list(dict.fromkeys(str(what.value(row)) for row in rows))
    drawn = looks(list(dict.fromkeys(row["method"] for row in rows)), "light")
    panes = []
    for column, said in STAGES.items():
        lines = []
        for method, look in drawn.items():
            mine = [row for row in rows if row["method"] == method and row[f"{column}_accuracy"] is not None]
            places = [(words.index(str(what.value(row))) if what.kind == "words" else float(what.value(row))) for row in mine]
            points = [_point(row, column, (place, None)) for row, place in zip(mine, places, strict=True)]
            lines += [Line(look, points)] if points else []
        panes.append(Pane(said, _axis(what, words, lines), f"accuracy {said} (%)", lines, is_dodged=what.kind == "words"))
    caption = f"{study['title']}. Test accuracy, mean ± deviation over seeds, ratio {rows[0]['ratio']:g}."
    return Picture(f"study_{study['name']}", study["name"], study["title"], chart(panes), caption)


def _axis(what: _Varied, words: Sequence[str], lines: Sequence[Line]) -> dict[str, Any]:
    if what.kind == "log":
        return LogScale.over(np.array([x for line in lines for x, *_ in line.points]), zeros=False).axis(what.title, most=5)
    if what.kind == "words":
        ticks = {"tickvals": list(range(len(words))), "ticktext": list(words), "range": [-0.5, len(words) - 0.5]}
        return {"title": what.title} | ticks
    return {"title": what.title}


def _audits(audits: Sequence[Row]) -> Picture:
    frame = rescale_frame(list(audits))
    title = "Planted rescale audit"
    return Picture("rescale", "audits", title, plot_rescale(frame), caption_rescale(frame))
