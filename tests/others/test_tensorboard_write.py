"""A race as event files, read back by TensorBoard's own readers and compared with the events of the store."""

import math
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing import io_wrapper
from tensorboard.backend.event_processing.event_accumulator import STORE_EVERYTHING_SIZE_GUIDANCE, EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_ndarray

from catalyst_core.errors import ConfigError, NotFoundError
from catalyst_core.events import Evaluated, Failed, FiltersMeasured, RolledBack, StepLogged
from catalyst_core.frames.view import BIN_EDGES, unpack
from catalyst_core.frames.weights import Series
from catalyst_core.others import told
from catalyst_core.others.tensorboard_read import read
from catalyst_core.others.tensorboard_write import FARTHEST, MARK, write_tensorboard
from tests import synthetic

NAMES = {"catalyst seed 0": 0, "l1 0.03 seed 0": 1, "catalyst seed 1": 2, "l1 0.03 seed 1": 3}
SCALARS = {
    "train/loss": "loss",
    "train/accuracy": "accuracy",
    "train/learning_rate": "learning_rate",
    "regularizer/penalty": "penalty",
    "regularizer/strength": "strength",
    "regularizer/share_pruned": "share_pruned",
}


@pytest.fixture
def folder(memory, race, tmp_path):
    return write_tensorboard(memory, race.id, tmp_path / "logs")


def accumulated(folder):
    return EventAccumulator(str(folder), STORE_EVERYTHING_SIZE_GUIDANCE).Reload()


def said(memory, run, kind):
    return [one for one in memory.events(run.id) if isinstance(one.event, kind)]


def looks(memory, run):
    """The last look at the filters of every step."""
    return {one.event.step: one for one in said(memory, run, FiltersMeasured)}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_a_contender_is_what_tensorboard_finds(folder, race):
    found = {Path(one).name for one in io_wrapper.GetLogdirSubdirectories(str(folder.parent))}
    assert found == set(NAMES)
    runs = EventMultiplexer().AddRunsFromDirectory(str(folder.parent)).Reload().Runs()
    assert set(runs) == {f"{race.id}/{name}" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_scalars_are_those_of_the_store_at_their_steps_and_times(name, folder, memory, race):
    accumulator, run = accumulated(folder / name), race.runs[NAMES[name]]
    logged = said(memory, run, StepLogged)
    for tag, field in SCALARS.items():
        wanted = [(one.event.step, one.time, np.float32(getattr(one.event, field))) for one in logged]
        assert [(one.step, one.wall_time, np.float32(one.value)) for one in accumulator.Scalars(tag)] == wanted
    judged = [one for one in said(memory, run, Evaluated) if one.event.split == "validation"]
    found = [(one.step, one.wall_time, np.float32(one.value)) for one in accumulator.Scalars("validation/accuracy")]
    assert found == [(one.event.step, one.time, np.float32(one.event.accuracy)) for one in judged]
    assert found


@pytest.mark.parametrize("name", list(NAMES)[:2])
def test_histograms_are_the_stored_ones_bin_by_bin(name, folder, memory, race):
    accumulator, run = accumulated(folder / name), race.runs[NAMES[name]]
    stored = looks(memory, run)
    found = accumulator.Histograms("filters/magnitude")
    assert [(one.step, one.wall_time) for one in found] == [(step, one.time) for step, one in stored.items()]
    for one in found:
        event, value = stored[one.step].event, one.histogram_value
        counts = np.zeros(97)
        counts[np.searchsorted(BIN_EDGES, np.minimum(value.bucket_limit, BIN_EDGES[-1]))] = value.bucket
        assert counts.tolist() == [event.zeros, *event.histogram]
        exact = unpack(event.magnitudes).astype(float)
        assert (value.min, value.max, value.num) == (exact.min(), exact.max(), len(exact))
        assert math.isclose(value.sum, exact.sum())
        assert math.isclose(value.sum_squares, np.square(exact).sum())


def test_catalysts_and_margins_are_counted_too(folder, memory, race):
    stored = looks(memory, race.runs[0])
    accumulator = accumulated(folder / "catalyst seed 0")
    for one in accumulator.Histograms("filters/catalyst"):
        exact, value = unpack(stored[one.step].event.catalysts).astype(float), one.histogram_value
        below = [(exact < limit).sum() for limit in value.bucket_limit[:-1]]
        assert np.cumsum(value.bucket)[:-1].tolist() == below
        assert sum(value.bucket) == len(exact)
    assert [one.step for one in accumulator.Histograms("filters/catalyst")] == list(stored)
    for one in accumulator.Histograms("filters/margin"):
        exact, value = np.clip(unpack(stored[one.step].event.margins).astype(float), -FARTHEST, FARTHEST), one.histogram_value
        assert np.cumsum(value.bucket)[:-1].tolist() == [(exact < limit).sum() for limit in value.bucket_limit[:-1]]
        assert sum(value.bucket) == len(exact)
        assert value.bucket_limit[-1] <= FARTHEST
    assert "filters/catalyst" not in accumulated(folder / "l1 0.03 seed 0").Tags()["histograms"]


def test_our_reader_gives_the_stored_histograms_back(folder, memory, race):
    found = read(folder)
    for name, place in list(NAMES.items())[:2]:
        stored = looks(memory, race.runs[place])
        mine = found.looks[Series(name, "filters/magnitude")]
        assert [look.step for look in mine] == list(stored)
        for look in mine:
            event = stored[look.step].event
            np.testing.assert_allclose(look.counts, [event.zeros, *event.histogram], atol=1e-6)


def test_a_step_stands_once_in_every_series_and_steps_rise(folder):
    """A server of TensorBoard's takes back what stands at the same or a later step."""
    accumulator = accumulated(folder / "catalyst seed 0")
    tags = accumulator.Tags()
    series = [accumulator.Scalars(tag) for tag in tags["scalars"]] + [accumulator.Histograms(tag) for tag in tags["histograms"]]
    for one in [*series, accumulator.Tensors("changes")]:
        steps = [event.step for event in one]
        assert steps == sorted(set(steps))


def test_settings_ledger_and_changes_are_there(folder, memory, race):
    accumulator, run = accumulated(folder / "l1 0.03 seed 1"), race.runs[3]
    plugin = accumulator.PluginTagToContent("hparams")
    start = hparams.parse_session_start_info_plugin_data(plugin[hparams.SESSION_START_INFO_TAG])
    given = {name: value.WhichOneof("kind") and getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    assert given == told.settings(run)
    known = {"method": "l1", "strength": 0.03, "seed": 1, "pruning_ratio": 0.5, "model": "cnn", "schedule.recalibrate": True}
    assert given | known == given
    end = hparams.parse_session_end_info_plugin_data(plugin[hparams.SESSION_END_INFO_TAG])
    assert end.status == 1
    ledger = {f"ledger/{name}": value for name, value in run.ledger.items() if isinstance(value, float | int)}
    for name in ("ledger/finetuned_accuracy", "ledger/macs", "ledger/decision_gap"):
        assert [(one.step, np.float32(one.value)) for one in accumulator.Scalars(name)] == [(run.step, np.float32(ledger[name]))]
    assert accumulator.Scalars("ledger/validation/dense")[0].value == pytest.approx(0.98)
    assert "ledger/stopped" not in accumulator.Tags()["scalars"]
    table = make_ndarray(accumulator.Tensors("ledger")[0].tensor_proto).item().decode()
    assert f"| finetuned\\_accuracy | {str(run.ledger['finetuned_accuracy']).replace('.', chr(92) + '.')} |" in table
    change = accumulator.Tensors("changes")[0]
    assert make_ndarray(change.tensor_proto).item().decode() == r"- pruning\_ratio from 0\.5 to 0\.6, by ada"
    assert change.step == 201
    title = make_ndarray(accumulator.Tensors("race")[0].tensor_proto).item().decode()
    assert r"**It's a \<b\>race\</b\>; 100 %**" in title
    assert "python -m catalyst_core race" in title


def test_a_race_that_goes_on_and_a_failed_one_are_written_as_they_stand(memory, tmp_path):
    race = synthetic.half_race(memory)
    run = race.runs[0]
    memory.append(run.id, RolledBack(step=340, stage="sparse", from_step=350, reason="the loss was NaN"))
    memory.append(run.id, Failed(step=340, reason="the disk broke"))
    folder = write_tensorboard(memory, race.id, tmp_path)
    accumulator = accumulated(folder / "catalyst seed 0")
    assert accumulator.Scalars("train/loss")[-1].step == 340
    assert not [tag for tag in accumulator.Tags()["scalars"] if tag.startswith("ledger/")]
    end = hparams.parse_session_end_info_plugin_data(accumulator.PluginTagToContent("hparams")[hparams.SESSION_END_INFO_TAG])
    assert end.status == 2
    assert b"back from step 350" in make_ndarray(accumulator.Tensors("changes")[-1].tensor_proto).item()
    queued = accumulated(folder / "random seed 0")
    assert queued.Tags()["histograms"] == []
    assert hparams.SESSION_END_INFO_TAG not in queued.PluginTagToContent("hparams")


def test_the_same_race_twice_is_the_same_once(folder, memory, race):
    before = contents(folder.parent)
    assert write_tensorboard(memory, race.id, folder.parent) == folder
    assert contents(folder.parent) == before
    assert sorted(path.name for path in folder.parent.parent.iterdir() if path.name.startswith(".")) == []
    other = synthetic.whole_race(memory, synthetic.config(({"name": "none"},)))
    write_tensorboard(memory, other.id, folder.parent)
    assert {path: one for path, one in contents(folder.parent).items() if path.startswith(race.id)} == before


def test_contenders_of_one_name_have_folders_of_their_own(memory, race, tmp_path):
    memory.fork(race.runs[0].id, "again")
    memory.fork(race.runs[0].id, "again")
    names = told.run_names(memory.race(race.id))
    assert names[f"{race.id}-04"] == f"catalyst (again) seed 0 ({race.id}-04)"
    assert len(set(names.values())) == 6
    folder = write_tensorboard(memory, race.id, tmp_path)
    assert {path.name for path in folder.iterdir()} == {*names.values(), MARK}


def test_it_is_there_whole_or_not_at_all(memory, race, tmp_path, monkeypatch):
    writes, write = [], RecordWriter.write

    def until_the_disk_is_full(self, data):
        writes.append(len(data))
        if len(writes) > 500:
            raise OSError(28, "No space left on device")
        write(self, data)

    monkeypatch.setattr(RecordWriter, "write", until_the_disk_is_full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        write_tensorboard(memory, race.id, tmp_path / "logs")
    assert contents(tmp_path) == {}
    monkeypatch.undo()
    folder = write_tensorboard(memory, race.id, tmp_path / "logs")
    before = contents(tmp_path)
    monkeypatch.setattr(RecordWriter, "write", until_the_disk_is_full)
    with pytest.raises(ConfigError):
        write_tensorboard(memory, race.id, tmp_path / "logs")
    assert contents(tmp_path) == before
    assert folder.is_dir()


def test_what_was_there_stays_where_the_new_one_cannot_be_put(folder, memory, race, monkeypatch):
    before, rename = contents(folder), Path.rename

    def refuse_the_new_one(self, target):
        if self.name == "new":
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new_one)
    with pytest.raises(ConfigError, match="Permission denied"):
        write_tensorboard(memory, race.id, folder.parent)
    assert contents(folder) == before


def test_what_is_not_ours_stays(memory, race, tmp_path):
    (tmp_path / race.id).mkdir()
    (tmp_path / race.id / "events.out.tfevents.1").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="holds something else than this race"):
        write_tensorboard(memory, race.id, tmp_path)
    assert (tmp_path / race.id / "events.out.tfevents.1").read_bytes() == b"mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_tensorboard(memory, race.id, tmp_path / "file")
    with pytest.raises(NotFoundError):
        write_tensorboard(memory, "ffff", tmp_path)
