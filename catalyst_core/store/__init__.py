"""Where races, runs, events and commands are kept. `base` is the contract, `sql` the implementation."""

from catalyst_core.store.base import Process, RaceInfo, RaceLine, RunInfo, Sizes, StoredCommand, StoredEvent
from catalyst_core.store.sql import SqlStore

Store = SqlStore


def open_store(url: str | None = None) -> Store:
    """The store at `url` (sqlite:///PATH, a path, postgresql+psycopg://...), else $CATALYST_STORE, else in Catalyst's home.

    Raises StoreError, and StoreUnavailableError for one that may be back in a moment.
    """
    return SqlStore(url)


__all__ = ["Process", "RaceInfo", "RaceLine", "RunInfo", "Sizes", "Store", "StoredCommand", "StoredEvent", "open_store"]
