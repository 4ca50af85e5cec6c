"""The exception tree: what a user can be told, in one sentence each.

    CatalystError
    ├── UsageError            somebody's input: exit code 2, one sentence on the page
    │   ├── ConfigError       a setting outside its range or vocabulary
    │   ├── DataError         a data set that is missing, empty, unreadable or too small
    │   ├── NotFoundError     a race or run that the store does not hold
    │   └── StoreError        a store that cannot be opened, written, or is of a newer schema
    └── EngineError           something that went wrong while a race was running
        ├── RunFinishedError  a write to a run that has already ended
        └── DivergedError     the loss stopped being a finite number

Every message says what is wrong, where, and what is allowed. Our own bugs raise AssertionError instead.
"""


class CatalystError(Exception):
    """Root of everything that Catalyst raises on purpose."""


class UsageError(CatalystError):
    """Input that can be corrected by whoever gave it."""


class ConfigError(UsageError):
    """A setting outside its range or vocabulary."""


class DataError(UsageError):
    """A data set that is missing, empty, unreadable or too small."""


class NotFoundError(UsageError):
    """A race or run that the store does not hold."""


class StoreError(UsageError):
    """A store that cannot be opened or written, or that a newer Catalyst made."""


class EngineError(CatalystError):
    """Something that went wrong while a race was running."""


class RunFinishedError(EngineError):
    """A write to a run that has already ended."""


class DivergedError(EngineError):
    """The loss stopped being a finite number."""
