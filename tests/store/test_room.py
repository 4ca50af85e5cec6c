"""Lists of races, the room on disk and what deleting frees, on both back ends."""

import os
import threading

import pytest

from catalyst_core.config import RaceConfig
from catalyst_core.errors import NotFoundError
from catalyst_core.events import Command, Finished, Noted
from catalyst_core.store import open_store, queries
from tests.store.made import ME, config, kept, keyed, looked, steps


def finish(store, race):
    for run in race.runs:
        store.send(run.id, Command(name="stop"))


def test_several_may_open_a_new_store_at_once(url):
    opened, threads = [], []
    for _ in range(6):
        threads.append(threading.Thread(target=lambda: opened.append(open_store(url))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    opened[0].create_race(config())
    assert [len(one.races()) for one in opened] == [1] * 6
    for one in opened:
        one.close()


def test_a_line_of_the_list_says_what_the_race_says(store, run):
    folder = {"name": "folder", "folder": "pets"}
    methods = [{"name": "l1"}, {"name": "l1", "strength": 0.1}, {"name": "none"}]
    store.create_race(config(data=folder, methods=methods, macs_ratio=0.4))
    store.create_race(config(title="mine", seeds=(1, 2)))
    store.append(run.id, [keyed(1), kept("a", 1)])
    store.beat(run.id, bytes=5 * 10**9)
    store.fork(run.id, "a", "again")
    store.append(run.id, [Finished(step=1, ledger={})])
    lines, races = store.race_lines(), store.races()
    assert [line.id for line in lines] == [race.id for race in races]
    for line, race in zip(lines, races, strict=True):
        assert (line.title, line.created, line.state, line.contenders) == (race.title, race.created, race.state, len(race.runs))
        assert line.is_finished == race.is_finished
        assert line.bytes == sum(one.bytes for one in race.runs)
        assert line.model == race.config.model
    assert [line.methods for line in lines] == [
        ("catalyst", "l1", "group_lasso"),
        ("l1", "none"),
        ("catalyst", "l1", "group_lasso"),
    ]
    assert [line.data for line in lines] == ["digits", "pets", "digits"]
    assert lines[2].counts == {"completed": 1, "queued": 3}
    assert store.race_lines(limit=2) == lines[:2]
    assert store.newest_race() == races[0]


def test_an_empty_store_has_no_newest_race(store):
    assert store.newest_race() is None
    assert store.race_lines() == []


def test_the_list_checks_no_configuration_and_equal_ones_are_checked_once(store, monkeypatch):
    for _ in range(3):
        store.create_race(config())
    monkeypatch.setattr(RaceConfig, "model_validate_json", None)
    assert len(store.race_lines()) == 3
    monkeypatch.undo()
    queries.race_config.cache_clear()
    store.races()
    store.races()
    assert queries.race_config.cache_info().misses == 1


def test_deleting_a_race_frees_its_room_and_spares_what_others_share(store):
    races = [store.race(store.create_race(config(schedule={"dense_epochs": epochs}))) for epochs in (1, 1, 2)]
    dense = store.files / "dense"
    shared, own = races[0].runs[0].config.dense_key(), races[2].runs[0].config.dense_key()
    for key in (shared, own):
        (dense / key).mkdir(parents=True)
        for name in (f"{key}.pt", f"{key}.pt.lock", f"{key}/state.pt"):
            (dense / name).write_bytes(b"x" * 1000)
    store.claim(races[2].runs[0].id, ME, slots=9)
    for start in range(0, 100, 10):
        noise = os.urandom(40_000)  # that no database can compress
        store.append(races[2].runs[0].id, [looked(step, magnitudes=noise) for step in range(start, start + 10)])
    (store.run_folder(races[2].runs[0].id) / "sparse.pt").write_bytes(b"x" * 1000)
    before = store.sizes()
    assert before.files == 7000
    assert before.free > 0
    assert store.size_bytes() == before.files + before.database
    store.append(races[2].runs[0].id, [Finished(step=1, ledger={})])
    for race in races:
        if race is not races[2]:
            finish(store, race)
    for run in races[2].runs[1:]:
        store.send(run.id, Command(name="stop"))
    store.delete_race(races[2].id)
    after = store.sizes()
    assert after.files == 3000
    assert after.database < before.database / 3
    store.delete_race(races[0].id)
    assert store.sizes().files == 3000
    store.delete_race(races[1].id)
    assert store.sizes().files == 0
    with pytest.raises(NotFoundError):
        store.delete_race(races[1].id)


def test_deleting_while_others_read_and_write_hurts_nobody(store, url):
    kept_race = store.race(store.create_race(config()))
    store.claim(kept_race.runs[0].id, ME, slots=9)
    doomed = [store.race(store.create_race(config(methods=[{"name": "none"}]))) for _ in range(8)]
    for race in doomed:
        store.claim(race.runs[0].id, ME, slots=99)
        store.append(race.runs[0].id, [looked(step, channels=1000) for step in range(5)] + [Finished(step=9, ledger={})])
    failed, done, other = [], threading.Event(), open_store(url)

    def watch():
        step = 0
        while not done.is_set():
            step += 1
            try:
                other.append(kept_race.runs[0].id, [keyed(step)])
                other.race_lines()
                for race in doomed:
                    other.race_events(race.id)
            except Exception as error:
                failed.append(error)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    for race in doomed:
        store.delete_race(race.id)
    done.set()
    thread.join()
    assert failed == []
    said = steps(store, kept_race.runs[0].id)
    assert said == list(range(1, len(said) + 1))
    with pytest.raises(NotFoundError):
        other.append(doomed[0].runs[0].id, [Noted(step=1, text="still here")])
    assert [race.id for race in other.races()] == [kept_race.id]
    other.close()


def test_the_files_are_where_the_environment_says_else_beside_the_database_or_at_home(
    store, url, catalyst_home, tmp_path, monkeypatch
):
    if url.startswith("sqlite"):
        assert store.files == tmp_path / "races-files"
    else:
        assert store.files == catalyst_home / f"127.0.0.1_{url.rpartition('/')[2]}-files"
    monkeypatch.setenv("CATALYST_FILES", str(tmp_path / "shared"))
    assert store.files == tmp_path / "shared"
    assert store.run_folder("abcd-00") == tmp_path / "shared" / "runs" / "abcd-00"
    for wrong in ("", "../..", "a/b", "/etc"):
        with pytest.raises(NotFoundError):
            store.run_folder(wrong)
