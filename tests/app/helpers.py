"""Pages opened in Streamlit's test runner, and races with made-up events in a real store."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from catalyst_core.engine.heartbeat import this_process
from catalyst_core.events import Failed
from tests import synthetic

ROOT = Path(__file__).resolve().parents[2]


def run(page: str = "race", **query: str) -> AppTest:
    """The app with one of its pages open."""
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    if page != "race":
        at.switch_page(f"../pages/{page}.py").run()
    return at


def words(at: AppTest) -> str:
    """Everything that a page says in plain elements."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "error", "warning")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(at, kind))


def healthy(at: AppTest) -> AppTest:
    """No exception and no sentence about an error."""
    assert not at.exception
    assert [one.value for one in at.error] == []
    return at


def fill(store, config=None, *, until: int | None = None, fail: str = ""):
    """A race with made-up events: finished, or its first run stopped short (`until` a step) or failed."""
    race = store.race(store.create_race(config or synthetic.config()))
    for contender in race.runs:
        store.claim(contender.id, this_process(), slots=len(race.runs))
        events = [event for event in synthetic.run_events(contender.config) if until is None or event.step <= until]
        store.append(contender.id, events)
        if fail:
            store.append(contender.id, [Failed(step=until or 0, reason=fail, log_tail="line one\nline two")])
        if until is not None and not fail:
            break
    return store.race(race.id)
