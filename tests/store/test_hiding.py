"""Deleting with undo: hidden for a while, then gone, on both back ends."""

import pytest
from sqlalchemy import create_engine, text

from catalyst_core.errors import ConfigError, NotFoundError
from catalyst_core.events import Command
from catalyst_core.store import open_store
from tests.store.made import config


@pytest.fixture
def finished(store):
    """A race that was stopped before it began, with a file."""
    race = store.race(store.create_race(config(title="mine")))
    for run in race.runs:
        store.send(run.id, Command(name="stop"))
    (store.run_folder(race.runs[0].id) / "pruned.pt").write_bytes(b"weights")
    return store.race(race.id)


def test_a_hidden_race_is_nowhere_and_comes_back_as_it_was(store, finished):
    other = store.create_race(config())
    before = store.race_lines()
    store.hide_race(finished.id)
    assert [race.id for race in store.races()] == [line.id for line in store.race_lines()] == [other]
    assert store.newest_race().id == other
    first = finished.runs[0].id
    for look in (store.race, store.hide_race, lambda race_id: store.rename(race_id, "x")):
        with pytest.raises(NotFoundError):
            look(finished.id)
    for look in (store.run, store.requeue, lambda run_id: store.fork(run_id, "a", "b")):
        with pytest.raises(NotFoundError):
            look(first)
    (line,) = store.deleted_lines()
    assert (line.id, line.title, line.contenders) == (finished.id, "mine", 3)
    assert abs(line.deleted.timestamp() - store.now()) < 60
    assert store.race(finished.id, hidden=True) == finished
    assert store.sizes().files == 7
    store.restore_race(finished.id)
    assert store.race_lines() == before
    assert store.race(finished.id) == finished
    assert store.deleted_lines() == []


def test_only_a_finished_race_can_be_hidden(store, race):
    with pytest.raises(ConfigError, match="3 of its runs are not finished; stop it before"):
        store.hide_race(race.id)
    assert store.race(race.id) == race


def test_purging_removes_what_was_hidden_long_enough_and_nothing_else(store, race, finished):
    assert store.purge(0) == 0
    store.hide_race(finished.id)
    assert store.purge() == 0
    assert store.deleted_lines() != []
    assert store.purge(0) == 1
    assert store.sizes().files == 0
    with pytest.raises(NotFoundError, match="deleted for good"):
        store.restore_race(finished.id)
    assert store.race(race.id) == race


def test_deleting_for_good_does_not_wait_for_the_purge(store, finished):
    store.hide_race(finished.id)
    store.delete_race(finished.id)
    assert store.deleted_lines() == []
    assert store.sizes().files == 0


def test_a_store_of_the_second_schema_keeps_its_races(store, url, finished):
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE races DROP COLUMN deleted"))
        connection.execute(text("UPDATE catalyst_meta SET value = '2' WHERE key = 'schema'"))
    engine.dispose()
    newer = open_store(url)
    assert newer.races() == [finished]
    newer.hide_race(finished.id)
    assert newer.races() == []
    newer.close()
