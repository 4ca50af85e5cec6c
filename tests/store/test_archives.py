"""Races as files: what comes back is what was packed, all of it or nothing. On both back ends."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from catalyst_core.errors import ArchiveError, StoreError
from catalyst_core.store import adoption, archive, open_store
from tests.store.made import config, gone, travelled

PROVENANCE = {"command": "python -m catalyst_core race", "packed": "2026-11-24T00:00:00+00:00"}


@pytest.fixture
def race(store):
    return travelled(store)


@pytest.fixture
def packed(store, race):
    """It as a file."""
    file = io.BytesIO()
    store.pack(store.packed(race.id, PROVENANCE), file)
    return file


def told(store, race_id):
    """What a race says, apart from where it stands in its store."""
    return [(one.run_id.partition("-")[2], one.time, str(one.event)) for one in store.race_events(race_id)]


def test_an_adopted_race_is_the_one_that_was_packed(store, race, packed, tmp_path):
    other = open_store(str(tmp_path / "other" / "races.db"))
    assert other.adopt(packed) == race.id
    found = other.race(race.id)
    assert (found.config, found.created) == (race.config, race.created)
    for mine, theirs in zip(found.runs, race.runs, strict=True):
        for name in archive.PackedRun.model_fields:
            assert getattr(mine, name) == getattr(theirs, name), name
        assert mine.process is None
    assert told(other, race.id) == told(store, race.id)
    folder = other.files / "runs" / race.runs[0].id
    assert (folder / "pruned.pt").read_bytes() == b"small"
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["cut.pt"]
    assert other.dense_network(found.runs[1]).read_bytes() == b"dense"
    assert not (other.files / "dense").exists()
    assert found.runs[0].bytes == other.sizes().files == len(b"small" + b"whole" + b"dense")
    other.delete_race(race.id)
    assert other.sizes().files == 0
    other.close()


def test_a_race_of_what_cannot_be_raced_here_is_adopted_to_be_looked_at(store, tmp_path):
    race, file = travelled(store, gone()), io.BytesIO()
    store.pack(store.packed(race.id, PROVENANCE), file)
    other = open_store(str(tmp_path / "other" / "races.db"))
    assert other.race(other.adopt(file)).config == gone()
    other.close()


def test_a_race_can_be_packed_under_another_id_thinned_and_without_its_networks(store, race):
    with pytest.raises(ArchiveError, match="give 4 to 32"):
        store.pack(store.packed(race.id, PROVENANCE), io.BytesIO(), new_id="../x")
    file = io.BytesIO()
    store.pack(store.packed(race.id, PROVENANCE), file, new_id="example0", looks=1, without=adoption.NETWORKS)
    assert zipfile.ZipFile(file).namelist() == ["race.json", "events.jsonl"]
    assert store.adopt(file) == "example0"
    found = store.race("exam")
    assert [(run.id, run.parent) for run in found.runs] == [("example0-00", None), ("example0-01", "example0-00")]
    assert told(store, "example0") == told(store, race.id)


def test_only_a_finished_race_is_packed_and_an_id_that_is_there_is_refused(store, race, packed):
    going = store.create_race(config())
    with pytest.raises(ArchiveError, match="only a finished race"):
        store.packed(going, PROVENANCE)
    with pytest.raises(ArchiveError, match="is in the store already"):
        store.adopt(packed)
    store.hide_race(race.id)
    with pytest.raises(ArchiveError, match="undo that"):
        store.adopt(packed)
    assert store.run_folder(race.runs[0].id).joinpath("pruned.pt").read_bytes() == b"small"


def test_the_first_race_is_adopted_once_whoever_asks_and_never_after_another(url, packed, tmp_path):
    file = tmp_path / "first.race"
    file.write_bytes(packed.getvalue())
    store = open_store(url)
    assert not store.adopt_first(file, "example")  # `packed` made a race here
    opened = [open_store(str(tmp_path / "empty.db")) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(lambda one: one.adopt_first(file, "example"), opened)) == [False, False, True]
    for one in (store, opened[0]):
        one.delete_race(one.newest_race().id)
        assert not one.adopt_first(file, "example")
        assert one.races() == []
    for one in (store, *opened):
        one.close()


def test_a_full_disk_half_way_leaves_nothing(store, race, packed, tmp_path, monkeypatch):
    other = open_store(str(tmp_path / "other" / "races.db"))
    monkeypatch.setattr(adoption, "_insert", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match="No space left"):
        other.adopt(packed)
    monkeypatch.undo()
    monkeypatch.setattr(adoption, "chunks", lambda events: 1 / 0)  # our own bug, after rows and files
    with pytest.raises(ZeroDivisionError):
        other.adopt(packed)
    assert (other.races(), list(other.files.rglob("*.pt"))) == ([], [])
    monkeypatch.undo()
    assert other.adopt(packed) == race.id
    other.close()
