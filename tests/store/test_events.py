"""Events with keys, roll-backs and reads by cursor, on both back ends."""

import json
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from catalyst_core.errors import NotFoundError
from catalyst_core.events import Evaluated, Noted, SettingChanged, StateChanged
from catalyst_core.store import open_store
from catalyst_core.store.log import events_query
from catalyst_core.store.schema import events, runs
from tests.store.made import ME, begun, config, kept, keyed, logged, looked, rolled_back, steps


def marks(store, run_id):
    """(key, loss) of the visible training numbers: the loss tells who said it first."""
    return [(one.event.key, one.event.loss) for one in store.events(run_id, kinds=["step"])]


def test_what_is_said_twice_is_stored_once_and_moves_nothing_back(store, run):
    sent = [begun(), keyed(1, loss=1.0), keyed(2, loss=2.0, seconds=9.0), Noted(step=2, text="from outside")]
    cursor = store.append(run.id, sent)
    assert store.append(run.id, [keyed(1, loss=7.0, seconds=1.0), keyed(1, loss=8.0)]) == cursor
    assert store.append(run.id, [keyed(2, loss=9.0), keyed(3, loss=3.0, seconds=9.5)]) > cursor
    assert marks(store, run.id) == [("sparse:1", 1.0), ("sparse:2", 2.0), ("sparse:3", 3.0)]
    seen = store.run(run.id)
    assert (seen.step, seen.seconds, seen.total_steps, seen.revision) == (3, 9.5, 80, 0)
    store.append(run.id, [Noted(step=1, text="resumed")])
    assert store.run(run.id).step == 3


def test_a_roll_back_withdraws_the_keyed_events_behind_its_step_and_frees_their_keys(store, run):
    changed = SettingChanged(step=4, name="strength", old=1.0, new=2.0, who="me")
    good = Evaluated(step=2, stage="sparse", split="validation", accuracy=0.7, loss=1.0, key="e:2")
    worse = Evaluated(step=4, stage="sparse", split="validation", accuracy=0.1, loss=9.0, key="e:4")
    store.append(run.id, [begun(), keyed(2, seconds=1.0, share_pruned=0.1), good, keyed(4, seconds=2.0), changed, worse])
    store.append(run.id, [begun("prune", 5), keyed(6, loss=1.0), rolled_back(2), keyed(6, loss=2.0, seconds=3.0)])
    assert marks(store, run.id) == [("sparse:2", 0.5), ("sparse:6", 2.0)]
    assert [one.event.kind for one in store.events(run.id)] == ["stage", "step", "evaluated", "setting", "rollback", "step"]
    seen = store.run(run.id)
    assert (seen.stage, seen.step, seen.seconds, seen.accuracy, seen.revision) == ("sparse", 6, 3.0, 0.7, 1)
    assert store.settings(run.id) == [changed]
    store.append(run.id, [rolled_back(2, number=2)])
    seen = store.run(run.id)
    assert (seen.step, seen.seconds, seen.share_pruned, seen.revision) == (2, 1.0, 0.1, 2)


def test_a_batch_sent_again_across_its_own_roll_back_changes_nothing(store, run):
    for batch in (
        [keyed(2), keyed(5, loss=1.0), rolled_back(3)],
        [keyed(2), keyed(5, loss=1.0), rolled_back(3), keyed(5, loss=2.0)],
        [keyed(5, loss=2.0), keyed(6), rolled_back(3, 2), rolled_back(2, 3), keyed(4, loss=4.0)],
    ):
        store.append(run.id, batch)
        before, row = store.events(run.id), store.run(run.id)
        store.append(run.id, batch)
        assert store.events(run.id) == before
        assert (store.run(run.id).step, store.run(run.id).revision) == (row.step, row.revision)
    assert marks(store, run.id) == [("sparse:2", 0.5), ("sparse:4", 4.0)]


class Worker:
    """A worker over a store whose answers may get lost: what it holds is sent again, with more behind it."""

    def __init__(self, store, run_id):
        self.store, self.run_id = store, run_id
        self.buffer, self.step, self.floor, self.said, self.backs = [], 0, 0, 0, 0
        self.truth = {}  # key -> loss that must be visible, by what was committed

    def train(self, count):
        for _ in range(count):
            self.step, self.said = self.step + 1, self.said + 1
            self.buffer.append(keyed(self.step, loss=float(self.said)))

    def roll_back(self, by):
        self.step, self.backs = max(0, self.step - by), self.backs + 1
        self.floor = self.step
        self.buffer.append(rolled_back(self.step, self.backs))

    def send(self, answered):
        self.store.append(self.run_id, self.buffer)
        for event in self.buffer:
            if event.kind == "rollback":
                self.truth = {key: mark for key, mark in self.truth.items() if mark[0] <= event.step}
            else:
                self.truth.setdefault(event.key, (event.step, event.loss))
        if answered:
            self.buffer.clear()

    def crash(self, by):
        """What was not answered is lost, unless it was committed; on from a checkpoint behind the last roll-back."""
        self.buffer.clear()
        committed = max((step for step, _ in self.truth.values()), default=0)
        self.step = max(min(self.floor, committed), committed - by)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("train"), st.integers(1, 4)),
        st.tuples(st.just("roll_back"), st.integers(0, 5)),
        st.tuples(st.just("send"), st.booleans()),
        st.tuples(st.just("crash"), st.integers(0, 5)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_in_any_order_of_sending_crashing_and_rolling_back_each_key_is_there_once(store, actions):
    run_id = store.race(store.create_race(config(methods=[{"name": "l1"}]))).runs[0].id
    store.claim(run_id, ME, slots=10**6)
    worker = Worker(store, run_id)
    for action, argument in [*actions, ("send", True)]:
        getattr(worker, action)(argument)
    assert sorted(marks(store, run_id)) == sorted((key, loss) for key, (_, loss) in worker.truth.items())


def test_nothing_is_committed_without_the_commands_it_led_to(store, run):
    with pytest.raises(NotFoundError):
        store.append("nobody-00", [keyed(1)], done=5)
    store.append(run.id, [])
    assert store.append(run.id, [], done=5) == 0
    assert store.append(run.id, [keyed(1)], done=5) > 0


def test_reading_what_is_new_reads_an_index_from_the_cursor_on(store, run, url):
    for start in range(0, 2000, 500):
        cursor = store.append(run.id, [keyed(step) for step in range(start, start + 500)])
    engine = create_engine(url)
    mine = events.c.run_id.in_(runs.select().with_only_columns(runs.c.id).where(runs.c.race_id == run.race_id))
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")
        explain = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        for which in (events.c.run_id == run.id, mine):
            query = events_query(which, cursor - 5, None).compile(engine, compile_kwargs={"literal_binds": True})
            plan = "\n".join(" ".join(map(str, row)) for row in connection.exec_driver_sql(explain + str(query)))
            assert "Seq Scan on events" not in plan
            assert "SCAN events" not in plan
            conditions = [line for line in plan.splitlines() if "Index Cond" in line or "SEARCH events" in line]
            assert any("cursor>?" in line or "cursor >" in line for line in conditions), plan
    engine.dispose()


def test_looks_at_the_filters_thin_out_with_age_but_not_at_the_ends_and_turns(store, run):
    changed = SettingChanged(step=31, name="strength", old=1.0, new=2.0, who="me")
    store.append(run.id, [begun(), *(looked(step) for step in range(0, 400, 2)), changed, looked(31)])
    store.append(run.id, [begun("prune", 400), looked(400, decided=True), looked(401)])
    store.append(run.id, [looked(step) for step in range(402, 1000, 2)])
    before = steps(store, run.id, "filters")
    removed = store.thin(run.id, recent=50)
    left = sorted(steps(store, run.id, "filters"))
    assert len(left) == len(before) - removed < 200
    assert left[-50:] == before[-50:]
    assert {0, 31, 400, 998} < set(left)
    assert all(after - one <= (998 - one) / 50 + 2 for one, after in pairwise(left))
    assert store.thin(run.id, recent=50) == 0
    assert store.run(run.id).revision == 0
    store.append(run.id, [looked(2)])  # a resumed worker says it again
    assert sorted(steps(store, run.id, "filters")) == left
    assert store.thin(run.id, recent=1) > 0
    assert {0, 31, 400, 998} <= set(steps(store, run.id, "filters"))


def test_the_look_that_the_cut_was_made_from_stays_wherever_it_is(store, run):
    store.append(run.id, [looked(step, decided=step == 17) for step in range(100)])
    store.thin(run.id, recent=3)
    assert 17 in steps(store, run.id, "filters")
    assert store.thin(run.id, recent=3) == 0


def test_text_from_anywhere_is_stored(store, run):
    store.beat(run.id, note="nul \0 and half a pair \ud83d")
    assert "\0" not in store.run(run.id).note
    assert store.fail(store.run(run.id), "nul \0 \udcff", "log\0 ümläut ☃")
    seen = store.run(run.id)
    assert "\0" not in seen.reason + seen.log_tail
    assert "ümläut ☃" in seen.log_tail
    for question in (lambda: store.run("a\0b"), lambda: store.race("a\0b"), lambda: store.race("\ud83d")):
        with pytest.raises(NotFoundError):
            question()
    assert store.events("no\0body") == []


def test_the_time_of_everything_is_the_databases(store, run):
    before = store.now()
    store.beat(run.id, rss=7 * 10**9, bytes=3 * 10**10)
    store.append(run.id, [logged(1), StateChanged(step=1, state="paused"), kept("a", 1)])
    seen = store.run(run.id)
    assert before <= seen.heartbeat.timestamp() <= store.now()
    assert before <= store.events(run.id)[0].time <= store.now()
    assert (seen.rss, seen.bytes) == (7 * 10**9, 3 * 10**10)
    assert json.loads(store.events(run.id)[2].event.model_dump_json())["name"] == "a"
    other = open_store(store.url)
    assert other.now() >= before
    other.close()
