"""PostgreSQL when things go wrong: the server is stopped, or a client stops in the middle of a transaction."""

import os
import signal
import subprocess
import sys

import pytest

from catalyst_core.errors import StoreError, StoreUnavailableError
from catalyst_core.events import Finished
from catalyst_core.store import open_store
from tests.store.made import ME, config, keyed, steps


@pytest.fixture
def store(postgres):
    opened = open_store(postgres)
    yield opened
    opened.close()


@pytest.fixture
def run(store):
    race = store.race(store.create_race(config()))
    assert store.claim(race.runs[0].id, ME, slots=1) == 0
    return store.run(race.runs[0].id)


def test_a_server_that_goes_away_and_comes_back_has_lost_nothing(server, store, run):
    store.append(run.id, [keyed(1), keyed(2)])
    server.stop()
    for attempt in (lambda: store.append(run.id, [keyed(3)]), lambda: store.races(), lambda: open_store(store.url)):
        with pytest.raises(StoreUnavailableError) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert "***@" in str(caught.value)
    server.start()
    store.append(run.id, [keyed(2), keyed(3)])
    assert steps(store, run.id) == [1, 2, 3]
    assert store.run(run.id).step == 3


def test_a_server_restarted_in_the_middle_of_a_transaction_breaks_that_one_only(server, store, run):
    def half_way():
        with store._write() as (connection, _):
            connection.exec_driver_sql("UPDATE runs SET step = 77")
            server.stop()
            server.start()
            connection.exec_driver_sql("UPDATE runs SET step = 78")

    with pytest.raises(StoreUnavailableError):
        half_way()
    assert store.run(run.id).step == 0
    store.append(run.id, [Finished(step=1, ledger={})])


STOPPED = """
import os, signal, sys
from catalyst_core.store import open_store, postgres

postgres.IDLE_SECONDS = 1
store = open_store(sys.argv[1])
with store._write() as (connection, _):
    connection.exec_driver_sql("UPDATE runs SET step = 77")
    print("holds the lock", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_stopped_client_loses_its_transaction_and_holds_up_nobody_for_ever(store, run):
    client = subprocess.Popen(
        [sys.executable, "-c", STOPPED, store.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert client.stdout.readline() == "holds the lock\n"
    store.append(run.id, [keyed(1)])
    os.kill(client.pid, signal.SIGCONT)
    _, said = client.communicate(timeout=60)
    assert client.returncode == 1
    assert "StoreUnavailableError" in said
    assert store.run(run.id).step == 1


def test_a_database_of_an_encoding_without_our_letters_is_refused(server, postgres):
    name = postgres.rpartition("/")[2]
    server._execute(f"CREATE DATABASE {name}_latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreError, match="its encoding is LATIN1"):
        open_store(f"{postgres}_latin")
    server.drop(f"{postgres}_latin")
