"""Event files: as TensorBoard reads them where it does, and one sentence where they are damaged or hostile."""

import io
import os
import struct

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import STORE_EVERYTHING_SIZE_GUIDANCE, EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.data_compat import migrate_value
from tensorboard.util.tensor_util import make_ndarray

from catalyst_core.errors import DataError
from catalyst_core.frames.view import BIN_EDGES
from catalyst_core.frames.weights import Series, spread
from catalyst_core.others import records, tensorboard_read
from catalyst_core.others.tensorboard_read import read
from tests.others.made import buckets, event_file, histo, tensor
from tests.test_closed import sane

RNG = np.random.default_rng(3)


def refused(place, **more):
    with pytest.raises(DataError) as found:
        read(place, **more)
    return sane(found.value)


def raw(content, crc=None):
    """A record of this content."""
    head = struct.pack("<Q", len(content))
    foot = masked_crc32c(content) if crc is None else crc
    return head + struct.pack("<I", masked_crc32c(head)) + content + struct.pack("<I", foot)


def steps(found):
    return {(one.run, one.tag): [look.step for look in looks] for one, looks in found.looks.items()}


@pytest.mark.parametrize("many", [1, 5, 23, 24, 25, 300])
def test_checksums_are_tensorboards(many):
    parts = [RNG.bytes(int(size)) for size in RNG.integers(0, 400, many)]
    assert records.checksums(parts).tolist() == [masked_crc32c(part) for part in parts]


def test_buckets_are_those_that_tensorboard_shows(tmp_path):
    """The accumulator's buckets, taken through TensorBoard's own conversion for its pages (float32)."""
    values = {step: RNG.normal(0, 0.1, 500) * (RNG.random(500) < 0.7) for step in (0, 3, 9)}
    path = event_file(tmp_path / "run", [(step, [histo("w", one), tensor("v", one)]) for step, one in values.items()])
    accumulator = EventAccumulator(str(path), STORE_EVERYTHING_SIZE_GUIDANCE).Reload()
    found = read(tmp_path)
    assert steps(found) == {("run", "w"): [0, 3, 9], ("run", "v"): [0, 3, 9]}
    for look, event in zip(found.looks[Series("run", "w")], accumulator.Histograms("w"), strict=True):
        shown = event.histogram_value
        value = buckets("w", shown.bucket_limit, shown.bucket, (shown.min, shown.max))
        left, right, counts = make_ndarray(migrate_value(value).tensor).astype(float).T
        np.testing.assert_allclose(look.counts, spread(left, right, counts)[0], rtol=1e-3, atol=0.02)
        assert (look.step, look.time) == (event.step, event.wall_time)
        assert look.counts.sum() == pytest.approx(500)
    for look, event in zip(found.looks[Series("run", "v")], accumulator.Tensors("v"), strict=True):
        counts, unsure = spread(*make_ndarray(event.tensor_proto).T)
        np.testing.assert_allclose(look.counts, counts)
        assert look.unsure == unsure > 0


def test_what_pytorch_writes_is_read_as_it_was(tmp_path):
    """SummaryWriter's buckets are a tenth wide: up to that, as many weights are below an edge as there were."""
    torch = pytest.importorskip("torch")
    from torch.utils.tensorboard import SummaryWriter

    weights = {step: torch.randn(2000, generator=torch.Generator().manual_seed(step)) * 0.05 for step in (0, 10)}
    weights[10][:700] = 0.0
    with SummaryWriter(str(tmp_path / "mine")) as writer:
        for step, one in weights.items():
            writer.add_histogram("conv1.weight", one, step)
            writer.add_scalar("loss", 1.0, step)
    found = read(tmp_path)
    assert steps(found) == {("mine", "conv1.weight"): [0, 10]}
    for look in found.looks[Series("mine", "conv1.weight")]:
        size = weights[look.step].double().abs().numpy()
        below = np.cumsum(look.counts)[:-1]
        for edge, number in zip(BIN_EDGES[:-1], below[: len(BIN_EDGES) - 1], strict=True):
            assert (size < edge / 1.1).sum() - 1e-6 <= number <= (size < edge * 1.1).sum() + 1e-6
        assert look.counts.sum() == pytest.approx(2000)
        assert look.unsure == 0
    assert found.looks[Series("mine", "conv1.weight")][1].counts[0] == pytest.approx(700)


def test_a_folder_is_a_run_and_its_files_follow_each_other(tmp_path):
    one = histo("w", [0.1, 0.2])
    event_file(tmp_path, [(0, [one])])
    event_file(tmp_path / "b" / "train", [(0, [one]), (5, [one]), (9, [one])], "events.out.tfevents.1")
    event_file(tmp_path / "b" / "train", [(5, [one]), (6, [one])], "events.out.tfevents.2")
    event_file(tmp_path / "b", [(1, [one])], "events.out.tfevents.1.profile-empty")
    (tmp_path / "notes.txt").write_text("no event file")
    assert steps(read(tmp_path)) == {(tmp_path.name, "w"): [0], ("b/train", "w"): [0, 5, 6]}
    assert steps(read(tmp_path / "b" / "train" / "events.out.tfevents.1")) == {("train", "w"): [0, 5, 9]}


def test_other_records_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MOST", 2000)
    path = event_file(tmp_path, [(0, [Summary.Value(tag="loss", simple_value=1.0)]), (1, [histo("w", [0.5, 1.0])])])
    large = Event(step=2, summary=Summary(value=[Summary.Value(tag="x" * 3000, simple_value=1.0)])).SerializeToString()
    path.write_bytes(path.read_bytes() + raw(large) + raw(Event(graph_def=b"graph").SerializeToString()))
    assert steps(read(path)) == {(tmp_path.name, "w"): [1]}


def test_a_run_that_still_goes_on_ends_in_the_middle_of_a_record(tmp_path):
    path = event_file(tmp_path, [(step, [histo("w", [0.1, 0.4])]) for step in range(3)])
    whole = path.read_bytes()
    last = len(raw(_event(2)))
    for cut in range(1, last + 1):
        path.write_bytes(whole[: len(whole) - cut])
        assert steps(read(path)) == {(tmp_path.name, "w"): [0, 1]}
    path.write_bytes(b"")
    assert read(path).looks == {}


def _event(step):
    return Event(wall_time=100.0 + step, step=step, summary=Summary(value=[histo("w", [0.1, 0.4])])).SerializeToString()


def test_whatever_byte_is_damaged_it_is_noticed(tmp_path):
    path = event_file(tmp_path, [(step, [histo("w", [0.1, 0.4])]) for step in range(2)])
    whole = path.read_bytes()
    said = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        said.append(refused(path))
    assert all("damaged" in one or "is no event file" in one for one in said)
    assert len(said) == len(whole)


HOSTILE = {
    "no event file": (b"\x00" * 400, "is no event file"),
    "text": (b"name,step,value\n" * 50, "is no event file"),
    "no message": (raw(b"\xff" * 50), "is damaged: a record in it is no event"),
    "wrong checksum": (raw(_event(0), crc=7), "is damaged: the checksum"),
    "nonsense behind": (raw(_event(0)) + b"\x01" * 40, "is damaged at byte"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_damaged_file_is_one_sentence(kind, tmp_path):
    content, said = HOSTILE[kind]
    (tmp_path / "events.out.tfevents.1").write_bytes(content)
    assert said in refused(tmp_path)
    with pytest.raises(DataError, match=said):
        tensorboard_read.read_stream(io.BytesIO(content), "upload")


def test_a_length_that_no_file_has_ends_it(tmp_path):
    """Nothing of that size is allocated: the file is taken for one that is still being written."""
    head = struct.pack("<Q", 2**62)
    (tmp_path / "events.out.tfevents.1").write_bytes(raw(_event(0)) + head + struct.pack("<I", masked_crc32c(head)))
    assert steps(read(tmp_path)) == {(tmp_path.name, "w"): [0]}


def test_buckets_that_make_no_sense_are_left_out_and_counted(tmp_path):
    nan, inf = float("nan"), float("inf")
    wrong = [
        buckets("w", [2.0, 1.0], [1, 1], (0.0, 2.0)),
        buckets("w", [1.0, 2.0], [1, -1], (0.0, 2.0)),
        buckets("w", [1.0, 2.0], [nan, 1], (0.0, 2.0)),
        buckets("w", [1.0, inf], [1, 1], (nan, nan)),
        buckets("w", [1.0], [1, 1], (0.0, 2.0)),
    ]
    huge = tensor("t", [1.0, 2.0])
    huge.tensor.tensor_content = b""
    huge.tensor.tensor_shape.dim[0].size = 2**40
    huge.tensor.double_val.append(1.0)
    odd = tensor("t", [1.0, 2.0])
    odd.tensor.tensor_content = odd.tensor.tensor_content[:-3]
    event_file(tmp_path, [(0, [one]) for one in (*wrong, huge, odd)] + [(1, [histo("w", [0.1, 0.2])])])
    found = read(tmp_path)
    assert found.left_out == 7
    assert steps(found) == {(tmp_path.name, "w"): [1]}


def test_the_outermost_buckets_end_at_the_smallest_and_largest_number(tmp_path):
    """TensorFlow 1 writes +-1.8e308 there; a run whose weights were NaN has no smallest number."""
    far = 1.7976931348623157e308
    event_file(tmp_path, [(0, [buckets("w", [-far, 0.0, 1.0, far], [0, 2, 3, 4], (-0.5, 2.0))])])
    look = read(tmp_path).looks[Series(tmp_path.name, "w")][0]
    np.testing.assert_allclose(look.counts, spread(*np.array([[-0.5, 0, 2], [0, 1, 3], [1, 2, 4.0]]).T)[0])


def test_many_looks_are_thinned_and_the_first_and_last_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard_read, "MOST_LOOKS", 10)
    event_file(tmp_path, [(step, [histo("w", [0.1, 0.2])]) for step in range(100)])
    found = read(tmp_path)
    kept = steps(found)[tmp_path.name, "w"]
    assert len(kept) <= 10
    assert (kept[0], kept[-1]) == (0, 99)
    assert found.thinned == {Series(tmp_path.name, "w")}


def test_too_many_files_or_histograms_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard_read, "MOST_SERIES", 3)
    event_file(tmp_path, [(0, [histo(f"w{number}", [0.1, 0.2]) for number in range(4)])])
    assert "more than 3 histograms" in refused(tmp_path)
    monkeypatch.setattr(tensorboard_read, "MOST_FILES", 2)
    for number in range(2):
        event_file(tmp_path / str(number), [])
    assert "more than 2 event files" in refused(tmp_path)


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "events.out.tfevents.1")
    assert "not a file that can be read" in refused(tmp_path)
    (tmp_path / "events.out.tfevents.1").unlink()
    (tmp_path / "events.out.tfevents.1").symlink_to("/dev/zero")
    assert "not a file that can be read" in refused(tmp_path)
    (tmp_path / "events.out.tfevents.1").unlink()
    (tmp_path / "events.out.tfevents.1").symlink_to(tmp_path / "events.out.tfevents.1")
    assert "can be" in refused(tmp_path)


def test_places_without_event_files_are_one_sentence(tmp_path):
    assert "there is no file or folder" in refused(tmp_path / "nowhere")
    assert "holds no event file" in refused(tmp_path)
    assert "leads out of the data root" in refused(tmp_path.parent, root=tmp_path, named="..")
    event_file(tmp_path, [(0, [Summary.Value(tag="loss", simple_value=1.0)])])
    with pytest.raises(DataError, match="the event file holds no histogram"):
        read(tmp_path).chosen()


def test_names_are_chosen_by_patterns_and_shown_as_text(tmp_path):
    for run in ("a", "b"):
        event_file(tmp_path / run, [(0, [histo(tag, [0.1, 0.2]) for tag in ("layer1.weight", "layer1.bias", "fc\x1b[2J")])])
    found = read(tmp_path)
    assert set(found.chosen(["layer1.*"], ["b"])) == {Series("b", "layer1.weight"), Series("b", "layer1.bias")}
    assert {one.tag for one in found.chosen(["fc*"])} == {"fc\\x1b[2J"}
    with pytest.raises(DataError) as error:
        found.chosen(["conv\x1b*"])
    assert "no histogram is called 'conv\\x1b*'; there are 'layer1.weight'" in sane(error.value)
