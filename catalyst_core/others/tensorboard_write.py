"""A race as TensorBoard's event files: a folder a contender, below one folder that is named after the race.

scalars       the curves, and the ledger's numbers at the last step
histograms    n, D and margins at every measured step: n and D in our fixed logarithmic bins, exact zeros in the first bucket
hparams       how the contender was set up, and how it ended
text          the ledger, the command that repeats the race, and what was changed by hand, at its step

Each with the time at which it was stored. The same race gives the same bytes; what was written before is replaced as a whole.
TensorBoard's record writer and messages are used, not its EventFileWriter, which would import TensorFlow where that is installed.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catalyst_core.errors import ConfigError, shown
from catalyst_core.events import FiltersMeasured
from catalyst_core.export.repeat import repeat_command, versions
from catalyst_core.frames.view import BIN_EDGES, Reader, bin_of, unpack
from catalyst_core.others import check_installed, told
from catalyst_core.store.base import RaceInfo, RunInfo, StoredEvent

MARK = "catalyst-race.json"  # how a folder of ours is known
FARTHEST, MARGIN_BINS = 10.0, 80  # log units on both sides of the decision boundary
STATUS = {"completed": "STATUS_SUCCESS", "failed": "STATUS_FAILURE", "stopped": "STATUS_UNKNOWN"}
ABOUT = {
    "filters/magnitude": "Magnitudes n of all filters in fixed logarithmic bins; the first bucket, up to 1e-6, holds those at 0.",
    "filters/catalyst": "The variables D of all filters in the bins of the magnitudes; the first bucket holds those at 0.",
    "filters/margin": f"Signed distance to the decision boundary, log units; the end buckets hold {FARTHEST:g} and more.",
}


def write_tensorboard(store: Reader, race_id: str, logdir: Path) -> Path:
    """Write a race into the folder `logdir/RACE`, one folder a contender in it; returns that folder, which TensorBoard can read.

    It appears whole or not at all; an earlier one of the same race is replaced, and nothing else in `logdir` is touched. Raises
    NotFoundError, and ConfigError without TensorBoard, for a folder of that name with something else in it, or that cannot be
    written.
    """
    check_installed("tensorboard")
    race = store.race(race_id)
    out = Path(logdir) / race.id
    if out.exists() and not (out / MARK).is_file() and not _is_empty(out):
        raise ConfigError(f"{shown(str(out))} holds something else than this race: give another folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # Not inside of the log folder: a TensorBoard that looks at it would take the unfinished one for a run.
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent.resolve().parent) as work:
            new = Path(work) / "new"
            new.mkdir()
            for run_id, name in told.run_names(race).items():
                run = next(one for one in race.runs if one.id == run_id)
                (new / name).mkdir()
                _write_run(race, run, store.events(run_id), new / name)
            (new / MARK).write_text(json.dumps(_about(race), indent=2) + "\n", encoding="utf-8")
            _replace(out, new, Path(work) / "old")
    except OSError as error:
        raise ConfigError(f"{shown(str(out))} cannot be written: {error.strerror or error}") from error
    return out


def _replace(out: Path, new: Path, old: Path) -> None:
    """Put the new folder where the old one is, which goes elsewhere, or stays if that is not possible."""
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _about(race: RaceInfo) -> dict[str, Any]:
    return {"race": race.id, "title": race.title, "command": repeat_command(race.config), "written_by": versions()}


def _write_run(race: RaceInfo, run: RunInfo, events: Sequence[StoredEvent], folder: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    with open(folder / f"events.out.tfevents.{int(race.created.timestamp()):010d}.catalyst", "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=told.began(race, run), file_version="brain.Event:2").SerializeToString())
        for step, time, summary in sorted(_summaries(race, run, events), key=lambda one: one[:2]):
            writer.write(Event(wall_time=time, step=step, summary=summary).SerializeToString())
        writer.flush()


def _summaries(race: RaceInfo, run: RunInfo, events: Sequence[StoredEvent]) -> Iterator[tuple[int, float, Any]]:
    """Step, time and summary of everything that is written of a run."""
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    began, ended = told.began(race, run), told.ended(race, run, events)
    yield 0, began, hparams_pb(told.settings(run), trial_id=run.id, start_time_secs=began)
    yield 0, began, _text("race", f"**{_plain(race.title)}**, race {race.id}\n\n    {repeat_command(race.config)}\n")
    for point in told.points(events):
        yield point.step, point.time, _scalar(point.name, point.value)
    for stored in _looks(events):
        yield from _histograms(stored)
    by_step: dict[int, list[tuple[float, str]]] = {}
    for step, time, sentence in told.changes(events):
        by_step.setdefault(step, []).append((time, sentence))
    for step, said in by_step.items():
        yield step, said[-1][0], _text("changes", "\n".join(f"- {_plain(sentence)}" for _, sentence in said))
    for name, value in told.finals(run).items():
        yield run.step, ended, _scalar(name, value)
    if run.ledger:
        yield run.step, ended, _text("ledger", _table(run.ledger))
    if run.is_finished:
        yield run.step, ended, _session_end(run, ended)


def _looks(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """The looks at the filters; of several at a step, as at the cut, the last."""
    return list({one.event.step: one for one in events if isinstance(one.event, FiltersMeasured)}.values())


def _histograms(stored: StoredEvent) -> Iterator[tuple[int, float, Any]]:
    event = stored.event
    assert isinstance(event, FiltersMeasured)
    counts = np.array((event.zeros, *event.histogram))
    yield event.step, stored.time, _histogram("filters/magnitude", unpack(event.magnitudes), BIN_EDGES, counts)
    if event.catalysts is not None:
        catalysts = unpack(event.catalysts)
        counts = np.bincount(bin_of(catalysts) + 1, minlength=len(BIN_EDGES))
        yield event.step, stored.time, _histogram("filters/catalyst", catalysts, BIN_EDGES, counts)
    margins = np.clip(unpack(event.margins), -FARTHEST, FARTHEST)
    margins = margins[~np.isnan(margins)]
    counts, limits = np.histogram(margins, MARGIN_BINS, (-FARTHEST, FARTHEST))
    yield event.step, stored.time, _histogram("filters/margin", margins, limits, np.concatenate([[0], counts]))


def _histogram(tag: str, values: np.ndarray, limits: np.ndarray, counts: np.ndarray) -> Any:
    """(C,) numbers, the (B,) upper limits of buckets and how many are in each; empty ones at the ends are left out."""
    from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
    from tensorboard.plugins.histogram.metadata import create_summary_metadata

    exact = values[np.isfinite(values)].astype(float)
    limits, some = limits.copy(), np.flatnonzero(counts)
    limits[-1] = max(limits[-1], exact.max(initial=0.0))  # the last bin has whatever is larger
    kept = slice(max(0, some[0] - 1), some[-1] + 1) if some.size else slice(0, 1)  # an empty one says where the next begins
    histo = HistogramProto(
        min=exact.min() if exact.size else 0.0,
        max=exact.max() if exact.size else 0.0,
        num=len(exact),
        sum=exact.sum(),
        sum_squares=np.square(exact).sum(),
        bucket_limit=limits[kept],
        bucket=counts[kept],
    )
    metadata = create_summary_metadata(display_name="", description=ABOUT[tag])
    return Summary(value=[Summary.Value(tag=tag, histo=histo, metadata=metadata)])


def _scalar(tag: str, value: float) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=value)])


def _text(tag: str, markdown: str) -> Any:
    from tensorboard.plugins.text.summary_v2 import text_pb

    return text_pb(tag, markdown)


def _session_end(run: RunInfo, ended: float) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    end = plugin_data_pb2.SessionEndInfo(status=STATUS[run.state], end_time_secs=ended)
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    return Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)])


def _table(ledger: dict[str, Any]) -> str:
    """A ledger as Markdown, a row a number; whole numbers and fractions as they are."""
    rows = []
    for name, value in ledger.items():
        parts = {f"{name}/{part}": one for part, one in value.items()} if isinstance(value, dict) else {name: value}
        rows += [f"| {_plain(part)} | {_plain('–' if one is None else str(one))} |" for part, one in parts.items()]
    return "\n".join(["| of the ledger | |", "|---|---|", *rows])


def _plain(text: str) -> str:
    """Somebody's words without a meaning in Markdown."""
    return "".join(f"\\{one}" if one in "\\`*_{}[]()#+-.!|<>" else one for one in " ".join(text.split()))
