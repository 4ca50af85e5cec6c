"""What a contender says by itself, numbered chapter by chapter: said again after a resume, an event has the same key."""

from collections.abc import Callable

from catalyst_core.events import Event


class Teller:
    """Hands events on with their keys. A chapter begins where a contender may come in by several ways: trained or loaded.

    `aside` is for what is not said again by itself: what came from outside, or depends on what others did.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self.aside = emit
        self._chapter, self._count = "start", 0

    def __call__(self, event: Event) -> None:
        """Tell the next event of this chapter."""
        self.aside(event.model_copy(update={"key": f"{self._chapter}:{self._count}"}))
        self._count += 1

    def begin(self, chapter: str) -> None:
        """Number from 0 again."""
        self._chapter, self._count = chapter, 0

    def state(self) -> list[str | int]:
        """Where it is, for `load_state`."""
        return [self._chapter, self._count]

    def load_state(self, state: list[str | int]) -> None:
        """Go on from an earlier place."""
        self._chapter, self._count = str(state[0]), int(state[1])
