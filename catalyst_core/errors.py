"""The exception tree: what a user can be told, in one sentence each.

    CatalystError
    ├── UsageError                    somebody's input: exit code 2, one sentence on the page
    │   ├── ConfigError               a setting outside its range or vocabulary
    │   │   ├── BudgetError           a budget that would empty a group, or that no choice of channels can meet
    │   │   ├── StrengthError         learning rate x strength of 1 or more, where a step overshoots
    │   │   └── NetworkError          a network that cannot be pruned as asked
    │   │       ├── ExampleInputError it does not run on the example inputs
    │   │       ├── NoGroupsError     no group of its channels can be pruned losslessly, or none was looked for
    │   │       └── LossyGroupError   a cut was asked of channels that cannot be removed without changing the function
    │   │           └── TiedParametersError  it was asked of layers that share a parameter
    │   ├── DataError                 a data set that is missing, empty, unreadable or too small
    │   ├── NotFoundError             a race or run that the store does not hold
    │   ├── StoreError                a store that cannot be opened, written, or is of a newer schema
    │   │   └── StoreUnavailableError one that may be back in a moment: not reachable, locked, its disk full
    │   ├── CheckpointError           a checkpoint that is not there any more, or damaged
    │   ├── ArchiveError              a file that is no packed race, damaged, or of a race that is there already
    │   ├── NotAllowedError           something that is not for whoever asks: they have to sign in, or are a viewer
    │   └── RunFinishedError          a command for, or a write to, a run that has already ended
    └── EngineError                   something that went wrong while a race was running
        ├── DivergedError             the loss stopped being a finite number
        └── NonFiniteError            a parameter of a filter is NaN or infinite

Every message says what is wrong, where, and what is allowed. Our own bugs raise AssertionError instead.
"""

SHOWN = 60  # characters that a message repeats of what it was given
TOLD = 200  # and of what others' code said


def shown(given: object) -> str:
    """What somebody gave, as a message may repeat it: quoted, invisible characters spelled out, not longer than it need be."""
    text = repr(given)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def told(error: BaseException) -> str:
    """What others' code raised, as a message may repeat it: its kind and what it says."""
    kind, said = type(error).__name__, said_by(error)
    return kind if said == kind else f"{kind}: {said}"


def said_by(error: BaseException) -> str:
    """What others' code said, for the middle of a sentence: its first line, and as many more as fit.

    Invisible characters are spelled out. Its kind where it said nothing.
    """
    given = error.args[0] if isinstance(error, KeyError) and error.args else error  # whose text would be quoted once more
    text, *more = [line.strip() for line in str(given).splitlines() if line.strip()] or [type(error).__name__]
    for line in more:
        if len(text) + 1 + len(line) > TOLD:
            break
        text = f"{text} {line}"
    text = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text[: TOLD + 1])
    return text if len(text) <= TOLD else f"{text[:TOLD]}..."


class CatalystError(Exception):
    """Root of everything that Catalyst raises on purpose."""


class UsageError(CatalystError):
    """Input that can be corrected by whoever gave it."""


class ConfigError(UsageError):
    """A setting outside its range or vocabulary."""


class BudgetError(ConfigError):
    """A budget that would empty a group, or that no choice of channels can meet."""


class StrengthError(ConfigError):
    """A step of learning rate x strength >= 1: it would carry n - D across zero by itself."""


class NetworkError(ConfigError):
    """A network that cannot be pruned as asked."""


class ExampleInputError(NetworkError):
    """The network does not run on the example inputs."""


class NoGroupsError(NetworkError):
    """No group of channels can be pruned losslessly, or none was looked for."""


class LossyGroupError(NetworkError):
    """A cut was asked of channels that cannot be removed without changing the function."""


class TiedParametersError(LossyGroupError):
    """A cut was asked of a layer that shares a parameter with another, so that cutting one would cut the other."""


class DataError(UsageError):
    """A data set that is missing, empty, unreadable or too small."""


class NotFoundError(UsageError):
    """A race or run that the store does not hold."""


class StoreError(UsageError):
    """A store that cannot be opened or written, or that a newer Catalyst made."""


class StoreUnavailableError(StoreError):
    """A store that may be back in a moment: not reachable, locked, or its disk is full."""


class CheckpointError(UsageError):
    """A checkpoint that is not there any more, or damaged."""


class ArchiveError(UsageError):
    """A file that is no packed race, damaged, or of a race that is there already."""


class NotAllowedError(UsageError):
    """Something that is not for whoever asks: they have to sign in, or may only look."""


class RunFinishedError(UsageError):
    """A command for, or a write to, a run that has already ended."""


class EngineError(CatalystError):
    """Something that went wrong while a race was running."""


class DivergedError(EngineError):
    """The loss stopped being a finite number."""


class NonFiniteError(EngineError):
    """A parameter of a filter is NaN or infinite."""
