"""Opening a store: older, newer, damaged and foreign databases, and what is said about them."""

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from catalyst_core.errors import StoreError, StoreUnavailableError
from catalyst_core.store import open_store, sqlite
from tests.store.made import ME, config, keyed, logged
from tests.store.server import PASSWORD

SCHEMA_1 = Path(__file__).with_name("schema_1.sql").read_text()


def first_schema(path):
    """A store as the first Catalyst left it: a run in its second attempt, another stopped, one command waiting."""
    made = config(title="old")
    contenders = [one.model_dump_json(exclude={"method": {"variant"}}) for one in made.contenders()]
    row = "INSERT INTO runs VALUES (?, 'abcd', ?, ?, ?, ?, ?, 'sparse', 7, 80, 2.5, 0.5, 0.25, 99, 1.0, 'here', 3.0, 2.0, NULL, "
    row += "'', '', ?)"
    said = [json.loads(logged(step).model_dump_json(exclude={"key"})) for step in (3, 5, 6)]
    bodies = [json.dumps(said[0]), json.dumps(said[1] | {"loss": float("nan")}, separators=(",", ":"))]
    bodies.append(json.dumps({"kind": "step", **said[2]}))  # not as we wrote it: the step is not first
    with sqlite3.connect(path) as old:
        old.executescript(SCHEMA_1)
        old.execute("INSERT INTO races VALUES ('abcd', 1000.5, ?)", (made.model_dump_json(),))
        for place, (state, attempt, ledger) in enumerate((("running", 2, None), ("stopped", 1, '{"macs": 7}'))):
            old.execute(row, (f"abcd-0{place}", place, contenders[place], state, 1000.0 + place, attempt, ledger))
        insert = "INSERT INTO events (cursor, run_id, attempt, time, kind, body) VALUES (?, ?, ?, ?, 'step', ?)"
        old.execute(insert, (3, "abcd-00", 1, 10.0, bodies[0]))
        for cursor, body in zip((5, 9), bodies[1:], strict=True):
            old.execute(insert, (cursor, "abcd-00", 2, 11.0, body))
        old.execute(insert, (12, "abcd-01", 1, 12.0, bodies[0]))
        old.execute(insert, (50, "abcd-01", 1, 12.0, "not JSON at all"))
        old.execute("DELETE FROM events WHERE cursor = 50")
        old.execute("INSERT INTO commands VALUES (1, 'abcd-00', 4.0, '{\"name\":\"pause\"}', 0)")
        old.execute("INSERT INTO commands VALUES (2, 'abcd-00', 4.0, '{\"name\":\"resume\"}', 1)")
    old.close()


def test_a_store_of_the_first_schema_is_brought_up_to_date_by_whoever_opens_it_first(tmp_path):
    path = tmp_path / "races.db"
    first_schema(path)
    opened = []
    threads = [threading.Thread(target=lambda: opened.append(open_store(str(path)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = opened[0]
    race = store.race("abcd")
    assert (race.title, race.created.timestamp(), [run.state for run in race.runs]) == ("old", 1000.5, ["running", "stopped"])
    first, second = race.runs
    assert (first.attempt, first.step, first.accuracy, first.process.pid, first.priority, first.note) == (2, 7, 0.5, 99, 0, "")
    assert second.ledger == {"macs": 7}
    seen = store.race_events("abcd")
    assert [(one.cursor, one.time, one.event.step) for one in seen] == [(5, 11.0, 5), (9, 11.0, 6), (12, 12.0, 3)]
    assert [one.command.name for one in store.commands("abcd-00")] == ["pause"]
    assert store.append("abcd-00", [keyed(8)], attempt=2) > 50  # no cursor is used twice
    assert store.race_lines()[0].counts == {"running": 1, "stopped": 1}
    for one in opened:
        one.close()
    with sqlite3.connect(path) as raw:
        stored = raw.execute("SELECT cursor, step, withdrawn FROM events ORDER BY cursor").fetchall()
        assert stored[:4] == [(3, 3, 1), (5, 5, 0), (9, 6, 0), (12, 3, 0)]
        assert raw.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    raw.close()


def shape(path):
    """Columns (in order, with what may be empty) and indexes of every table."""
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    tables = {
        table: (
            [(column["name"], column["nullable"]) for column in found.get_columns(table)],
            sorted((index["name"], index["column_names"], index["unique"]) for index in found.get_indexes(table)),
        )
        for table in found.get_table_names()
    }
    engine.dispose()
    return tables


def test_a_migrated_store_has_the_tables_of_a_new_one(tmp_path):
    first_schema(tmp_path / "old.db")
    for name in ("old.db", "new.db"):
        open_store(str(tmp_path / name)).close()
    assert shape(tmp_path / "old.db") == shape(tmp_path / "new.db")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE catalyst_meta SET value = '99'", "schema 99, this Catalyst reads up to 3"),
        ("UPDATE catalyst_meta SET value = 'x'", "does not say of which schema"),
        ("DROP TABLE commands", "tables commands are missing"),
        ("DROP TABLE catalyst_meta", "not Catalyst's"),
    ],
)
def test_a_newer_or_damaged_store_is_refused_and_left_alone(store, url, change, words):
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(change))
    tables = inspect(engine).get_table_names()
    with pytest.raises(StoreError, match=words) as caught:
        open_store(url)
    assert store.name in str(caught.value)
    assert not isinstance(caught.value, StoreUnavailableError)
    assert inspect(engine).get_table_names() == tables
    engine.dispose()


def test_opening_says_in_one_sentence_what_is_wrong(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "junk.db").write_text("this is no database " * 100)
    for url, words in {
        "mysql://somewhere/x": "only SQLite and PostgreSQL",
        "postgresql+psycopg://somewhere": "only SQLite and PostgreSQL",
        "sqlite://": "only SQLite",
        "nonsense://x y": "nonsense",
        str(tmp_path / "file" / "races.db"): "cannot be written",
        str(tmp_path / "junk.db"): "not a database",
    }.items():
        with pytest.raises(StoreError, match=words) as caught:
            open_store(url)
        assert "\n" not in str(caught.value)


def test_damage_in_the_middle_is_told_when_it_is_met(tmp_path):
    path = tmp_path / "races.db"
    store = open_store(str(path))
    race = store.race(store.create_race(config()))
    store.claim(race.runs[0].id, ME, slots=1)
    for start in range(0, 2000, 500):
        store.append(race.runs[0].id, [logged(step) for step in range(start, start + 500)])
    store.close()
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))
    damaged = open_store(str(path))
    with pytest.raises(StoreError, match="malformed") as caught:
        damaged.race_events(race.id)
    assert not isinstance(caught.value, StoreUnavailableError)
    damaged.close()


def test_a_locked_or_full_database_may_be_back(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    store = open_store(str(tmp_path / "races.db"))
    race = store.race(store.create_race(config()))
    store.claim(race.runs[0].id, ME, slots=1)
    other = sqlite3.connect(tmp_path / "races.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match=r"races\.db: database is locked"):
        store.append(race.runs[0].id, [logged(1)])
    other.execute("ROLLBACK")
    other.close()
    with store._read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # what there is: no page more
    with pytest.raises(StoreUnavailableError, match="database or disk is full"):
        store.append(race.runs[0].id, [logged(step) for step in range(500)])
    with store._read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert store.append(race.runs[0].id, [logged(1)]) > 0
    assert len(store.events(race.runs[0].id)) == 1
    store.close()


SECRET = "hunter2%40/x"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:{}@127.0.0.1:1/races",
        "postgresql+psycopg://me@127.0.0.1:1/races?password={}",
        "postgresql+psycopg://me@127.0.0.1:1/races?pwd={}",
        "postgresql+psycopg://me:{}@/",
        "postgresql+psycopg://me:{}@127.0.0.1:port/races",
        "postgresql+psycopg://me:a@{}@127.0.0.1/races",
        "postgresql+psycopg://me:{}",
        "mysql://me:{}@there/races",
        "nonsense {}://me:{}@there",
    ],
)
def test_a_password_is_never_printed_back(url):
    with pytest.raises(StoreError) as caught:
        open_store(
            url.format(*[SECRET] * url.count("{}"))
            if not url.startswith("nonsense")
            else url.replace("{}", "x", 1).format(SECRET)
        )
    for text_ in (str(caught.value), repr(caught.value), str(caught.value.__cause__)):
        assert "hunter2" not in text_
        assert "\n" not in text_


def test_the_name_of_a_store_shows_everything_but_its_password(server, postgres):
    store = open_store(postgres)
    assert store.name == f"postgresql+psycopg://catalyst:***@127.0.0.1:{server.port}/{postgres.rpartition('/')[2]}"
    assert repr(store) == f"<SqlStore {store.name}>"
    assert PASSWORD not in str(vars(store._backend)["engine"])
    other = open_store(store.url.replace("postgresql+psycopg", "postgresql"))
    assert (other.races(), other.name) == ([], store.name)
    for one in (store, other):
        one.close()


def test_a_server_that_lets_nobody_in_may_be_back(server):
    for url, words in {
        server.url("postgres", password="wrong"): "password authentication failed",
        server.url("nowhere"): 'database "nowhere" does not exist',
        "postgresql+psycopg://me:secret@127.0.0.1:1/x": "Connection refused",
    }.items():
        with pytest.raises(StoreUnavailableError, match=words) as caught:
            open_store(url)
        assert "\n" not in str(caught.value)


def test_opening_a_store_again_does_not_lose_what_the_first_one_writes(tmp_path):
    """SQLite's locks are a process's: they must outlive a second opening, or another process throws the log away."""
    path = str(tmp_path / "x.db")
    elsewhere = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(*c.execute('SELECT id FROM races')); c.close()"

    def seen():
        return subprocess.run([sys.executable, "-c", elsewhere, path], capture_output=True, text=True, check=True).stdout

    with closing(open_store(path)) as first:
        first.create_race(config())
        open_store(path).close()
        assert seen()
        assert first.create_race(config()) in seen()
