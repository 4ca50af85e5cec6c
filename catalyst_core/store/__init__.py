"""Where races, runs, events and commands are kept. `base` is the contract, `sql` the implementation."""

from catalyst_core.store.base import Process, RaceInfo, RunInfo, StoredEvent
from catalyst_core.store.sql import SqlStore

Store = SqlStore


def open_store(url: str | None = None) -> Store:
    """The store at `url` (sqlite:///PATH or a path), else $CATALYST_STORE, else Catalyst's home. Raises StoreError."""
    return SqlStore(url)


__all__ = ["Process", "RaceInfo", "RunInfo", "Store", "StoredEvent", "open_store"]
