"""How quick the dashboard is for whoever sits in front of it, measured in a real Chromium on this machine."""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from catalyst_core.bench.browser import Served, Tab, chromium, served
from catalyst_core.bench.engine import DEFAULT_RACE
from catalyst_core.bench.herd import Herd
from catalyst_core.bench.kills import run_race
from catalyst_core.export import bundle_zip
from catalyst_core.store import Store, open_store

CHANNELS, LOOKS = 5_000, 500  # of each contender of the large race
TICKS, TICK_SECONDS = 40, 1.0
FAST_TICK_MS = 250  # while memory is watched
WARM_UP = 100  # ticks before the first look at memory
VIEWERS, VIEWER_TICKS = 10, 20
PRESSES = 40  # of an arrow key on a slider
STARTS = 3
SWITCHES = 6  # rounds over all pages
PAGES = {"Results": "accuracy_macs", "Lab": "", "Theory": "portrait", "Runs": "", "Race": ""}
SCRUBBED = ["magnitudes", "margins", "bias", "phase"]
OF_THEORY = ["portrait", "population", "fates"]

Tell = Callable[[str], None]


def measure(ticks: int, tell: Tell = lambda what: None) -> dict[str, float]:
    """All of it. `ticks`: over how many the memory is watched, counted per 1,000. `tell` hears what is measured next.

    Raises UsageError without a browser to measure in.
    """
    with tempfile.TemporaryDirectory(prefix="catalyst-bench-") as folder, chromium() as browser:
        small, large = (Path(folder) / name for name in ("small", "large"))
        tell("the default race on digits, and its export")
        with _store(small) as store:
            race_id = run_race(store, DEFAULT_RACE).id
            found = {"bundle_s": _bundle(store, race_id)}
        tell(f"{STARTS} cold starts, page switches and sliders")
        found |= {"first_paint_s": statistics.median(_first_paint(small, browser) for _ in range(STARTS))}
        with served(small) as server:
            found |= _visit(server, browser, race_id)
        tell(f"a live race of 5 x {CHANNELS} channels after {LOOKS} looks")
        with _store(large) as store:
            herd = Herd(store, CHANNELS, LOOKS + 2 * (WARM_UP + ticks + VIEWER_TICKS + TICKS))
            herd.tell(LOOKS)
            found |= _live(herd, large, browser, ticks, tell)
    return {name: round(found[name], 3) for name in KEYS}


KEYS = (
    "tick_ms_p95",
    "tick_kb",
    "theory_ms_p95",
    "scrub_ms_p95",
    "server_mb_per_1000_ticks",
    "browser_mb_per_1000_ticks",
    "viewers10_tick_ms_p95",
    "first_paint_s",
    "page_switch_ms_p95",
    "bundle_s",
)


@contextmanager
def _store(home: Path) -> Iterator[Store]:
    home.mkdir(exist_ok=True)
    store = open_store(str(home / "catalyst.db"))
    try:
        yield store
    finally:
        store.close()


def p95(values: list[float]) -> float:
    """The value that 95 % of the values do not exceed, the larger of two neighbours."""
    return float(np.quantile(values, 0.95, method="higher"))


def _bundle(store: Store, race_id: str) -> float:
    start = time.perf_counter()
    bundle_zip(store, race_id)
    return time.perf_counter() - start


def _first_paint(home: Path, browser: Any) -> float:
    """From the start of the server's process until a visitor sees a heading."""
    with served(home) as server:
        tab = Tab(browser)
        tab.open(server.url, server)
        took = time.monotonic() - server.started
        tab.close()
    return took


def _visit(server: Served, browser: Any, race_id: str) -> dict[str, float]:
    """Pages, the step slider of a finished race, the sliders of the theory."""
    tab = Tab(browser)
    tab.open(f"{server.url}/?race={race_id}", server)
    tab.painted([*SCRUBBED, "curves", "bifurcation"])
    scrub = _pressed(tab, tab.page.get_by_role("slider", name="Step shown"), "ArrowLeft", SCRUBBED)
    switches = [_switch(tab, title, figure) for _ in range(SWITCHES) for title, figure in PAGES.items()]
    _switch(tab, "Theory", "portrait")
    theory = _pressed(tab, tab.page.get_by_role("slider", name="Strength"), "ArrowRight", OF_THEORY)
    tab.close()
    # The first round brings every page's own code.
    return {"scrub_ms_p95": p95(scrub), "theory_ms_p95": p95(theory), "page_switch_ms_p95": p95(switches[len(PAGES) :])}


def _pressed(tab: Tab, slider: Any, key: str, figures: list[str]) -> list[float]:
    slider.focus()
    took = []
    for _ in range(PRESSES):
        tab.page.keyboard.press(key)
        took.append(tab.painted(figures))
    return took


def _switch(tab: Tab, title: str, figure: str) -> float:
    """Milliseconds from the click until the page's heading, and its first figure if it has one, are there."""
    before = tab.page.inner_text("h1")
    tab.page.get_by_role("link", name=title, exact=True).first.click()
    start = time.perf_counter()
    tab.page.wait_for_function("before => ![undefined, before].includes(document.querySelector('h1')?.innerText)", arg=before)
    took = 1000 * (time.perf_counter() - start)
    return max(took, tab.painted([figure])) if figure else took


def _live(herd: Herd, home: Path, browser: Any, ticks: int, tell: Tell) -> dict[str, float]:
    address = f"/?race={herd.race_id}"
    with served(home) as server, _feeding(herd, TICK_SECONDS):
        tab = Tab(browser)
        tab.open(server.url + address, server)
        _until(tab, 3)
        tab.count_messages()
        first = len(tab.ticks())
        _until(tab, first + TICKS)
        found = {"tick_ms_p95": p95(tab.ticks()[first:]), "tick_kb": p95([size / 1e3 for size in tab.bursts()])}
        tell(f"the same, {VIEWERS} viewers")
        others = [Tab(browser, paints=False) for _ in range(VIEWERS - 1)]
        for other in others:
            other.open(server.url + address, server)
        wanted = [(one, len(one.ticks()) + VIEWER_TICKS) for one in (tab, *others)]
        for one, count in wanted:
            _until(one, count)
        found |= {"viewers10_tick_ms_p95": p95([ms for one in (tab, *others) for ms in one.ticks()[-VIEWER_TICKS:]])}
        for one in (tab, *others):
            one.close()
    tell(f"the same, {ticks} ticks")
    with served(home, CATALYST_TICK_MS=str(FAST_TICK_MS)) as server, _feeding(herd, FAST_TICK_MS / 1000):
        return found | _memory(Tab(browser), server, server.url + address, ticks)


def _memory(tab: Tab, server: Served, url: str, ticks: int) -> dict[str, float]:
    tab.open(url, server)
    _until(tab, WARM_UP)
    before = (server.megabytes, tab.megabytes)
    _until(tab, WARM_UP + ticks)
    grown = [1000 / ticks * (after - then) for after, then in zip((server.megabytes, tab.megabytes), before, strict=True)]
    tab.close()
    return {"server_mb_per_1000_ticks": grown[0], "browser_mb_per_1000_ticks": grown[1]}


def _until(tab: Tab, count: int) -> None:
    """Wait for so many ticks, as long as they keep coming."""
    while (seen := len(tab.ticks())) < count:
        tab.page.wait_for_function("n => window.__seen.ticks.length > n", arg=seen)


@contextmanager
def _feeding(herd: Herd, seconds: float) -> Iterator[None]:
    """Let the contenders look at their filters again and again meanwhile."""
    done = threading.Event()

    def feed() -> None:
        while not done.wait(seconds):
            herd.tell(1)

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
