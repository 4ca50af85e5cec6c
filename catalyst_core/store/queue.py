"""The queue: which runs a machine should start workers for, and when it is a worker's turn."""

from sqlalchemy import Connection, Row, func, select, update

from catalyst_core.errors import ConfigError, RunFinishedError
from catalyst_core.store.base import Process
from catalyst_core.store.core import HOLDS_A_SLOT, WATCHED, Database
from catalyst_core.store.races import check_priority, identity
from catalyst_core.store.schema import runs


class Queue(Database):
    """The part of the store about turns. Slots are counted for each machine; the queue is one for all of them."""

    def assign(self, host: str, slots: int, now: float | None = None, patience: float = 30.0) -> list[str]:
        """The queued runs that a worker should be started for on `host` now; nobody else is told the same ones.

        There is a worker for each free slot and one more, which is ready when a slot becomes free. A run whose worker has
        not shown itself `patience` seconds after it was assigned is handed out again. `now`: by the store's clock.
        """
        with self._write() as (connection, clock):
            now = clock if now is None else now
            first = self._eligible(connection, host)[: max(0, slots - self._busy(connection, host) + 1)]
            chosen = [row.id for row in first if row.pid is None and (row.assigned is None or now - row.assigned > patience)]
            connection.execute(update(runs).where(runs.c.id.in_(chosen)).values(assigned=now, host=host))
        return chosen

    def claim(self, run_id: str, process: Process, slots: int) -> int:
        """Join the queue as `process`; become the owner if a slot of its machine is free and it is this one's turn.

        Returns 0 once the run is yours, else its place in the queue of this machine (1 = next). Raises RunFinishedError when
        it was stopped while it waited, or when another process has it; NotFoundError.
        """
        me = identity(process)
        with self._write() as (connection, now):
            row = self._row(connection, run_id)
            taken = row.pid is not None and any(getattr(row, name) != value for name, value in me.items())
            if row.state != "queued" or taken:
                raise RunFinishedError(f"run {run_id} is {row.state}{' and has another worker' if taken else ''}")
            connection.execute(update(runs).where(runs.c.id == run_id).values(**me, heartbeat=now))
            waiting = [row.id for row in self._eligible(connection, process.host)]
            place = waiting.index(run_id) + 1
            if place > slots - self._busy(connection, process.host):
                return place
            connection.execute(update(runs).where(runs.c.id == run_id).values(state="running", started=now))
        return 0

    def set_priority(self, run_id: str, priority: int) -> None:
        """Move a queued run: the larger its priority (-100..100), the sooner its turn.

        Raises ConfigError (outside this range, or not queued any more), RunFinishedError, NotFoundError.
        """
        check_priority(priority)
        with self._write() as (connection, _):
            row = self._live_row(connection, run_id)
            if row.state != "queued":
                raise ConfigError(f"run {run_id} is {row.state}: only a queued run has a priority to change")
            connection.execute(update(runs).where(runs.c.id == run_id).values(priority=priority))

    def _eligible(self, connection: Connection, host: str) -> list[Row]:  # type: ignore[type-arg]
        """The queue without the runs whose worker waits on another machine: they wait for a slot there."""
        return [row for row in self._queue(connection) if row.pid is None or row.host == host]

    def _busy(self, connection: Connection, host: str) -> int:
        busy = select(func.count()).where(runs.c.state.in_(HOLDS_A_SLOT), runs.c.host == host, ~WATCHED)
        return connection.execute(busy).scalar_one()
