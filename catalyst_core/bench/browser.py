"""The dashboard as somebody uses it, for timings: its real server, and a real Chromium that tells when it has painted."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from catalyst_core.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
WAIT_MS = 60_000
BURST_SECONDS = 0.15  # messages closer than this belong together
# Notes when a key or a button went down, and when each figure was painted and each tick of the page came in.
WATCH = """
window.__seen = {down: 0, painted: {}, ticks: []};
for (const kind of ['keydown', 'pointerdown']) {
  addEventListener(kind, () => { window.__seen.down = performance.now(); }, true);
}
new MutationObserver((changes) => {
  for (const {target} of changes) {
    if (target.dataset?.figure) window.__seen.painted[target.dataset.figure] = performance.now();
  }
  const tick = document.querySelector('[data-testid=tick]');
  if (tick && tick !== window.__seen.last && tick.dataset.ms) {
    window.__seen.last = tick;
    window.__seen.ticks.push(Number(tick.dataset.ms));
  }
}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-painted']});
"""
PAINT_NOTHING = "window.__catalystPlotly = Promise.resolve({react: () => Promise.resolve(), purge: () => {}});"
PAINTED = "names => names.every(name => (window.__seen.painted[name] ?? 0) > window.__seen.down)"
TOOK = "names => Math.max(...names.map(name => window.__seen.painted[name])) - window.__seen.down"


class Served:
    """`streamlit run app/main.py` on a free port, in a home of its own."""

    def __init__(self, home: Path, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py"), "--server.port", str(self.port)]
        environment = {**os.environ, "CATALYST_HOME": str(home), "CATALYST_STORE": "", "CATALYST_EXAMPLE": "0", **environment}
        self.started = time.monotonic()
        self._log = open(home / "server.log", "ab")  # noqa: SIM115  # closed by `stop`
        self.process = subprocess.Popen(command, cwd=home, env=environment, stdout=self._log, stderr=self._log)

    @property
    def megabytes(self) -> float:
        """Memory of the server, 10^6 bytes."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait(timeout=20)
        self._log.close()


@contextmanager
def served(home: Path, **environment: str) -> Iterator[Served]:
    """A server that answers."""
    server = Served(home, **environment)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser. Raises UsageError where playwright or chromium is missing."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UsageError("bench dashboard needs playwright: pip install -r requirements-test.txt") from None
    if path is None:
        raise UsageError("bench dashboard needs a Chromium on PATH, for example Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Tab:
    """One visitor. `paints=False`: the figures arrive and are not drawn, as visitors do not share one machine's cores."""

    def __init__(self, browser: Any, *, paints: bool = True) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})
        self.context.add_init_script(WATCH if paints else WATCH + PAINT_NOTHING)
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.told: list[tuple[float, int]] = []  # when, and bytes of it
        self.cdp = self.context.new_cdp_session(self.page)

    def count_messages(self) -> None:
        """From now on, note the size of every message that comes in."""
        self.cdp.on(
            "Network.webSocketFrameReceived", lambda event: self.told.append((event["timestamp"], _bytes(event["response"])))
        )
        self.cdp.send("Network.enable")

    def open(self, url: str, server: Served) -> None:
        """Go there as soon as the server answers, and wait for a heading."""
        while True:
            try:
                self.page.goto(url, wait_until="commit")
                break
            except Exception:
                if server.process.poll() is not None:
                    raise
                time.sleep(0.05)
        self.page.wait_for_selector("h1", state="visible")

    def painted(self, names: list[str]) -> float:
        """Milliseconds from the last key or button until all these figures were painted."""
        self.page.wait_for_function(PAINTED, arg=names)
        return float(self.page.evaluate(TOOK, names))

    def ticks(self) -> list[float]:
        """Milliseconds of the server in every tick so far."""
        return list(self.page.evaluate("() => window.__seen.ticks"))

    def bursts(self) -> list[int]:
        """Bytes of the messages that came in together."""
        found: list[int] = []
        last = float("-inf")
        for when, size in self.told:
            if when - last > BURST_SECONDS:
                found.append(0)
            found[-1] += size
            last = when
        return found

    @property
    def megabytes(self) -> float:
        """The page's JavaScript heap after a collection, 10^6 bytes."""
        self.cdp.send("HeapProfiler.collectGarbage")
        return float(self.cdp.send("Runtime.getHeapUsage")["usedSize"]) / 1e6

    def close(self) -> None:
        """Leave."""
        self.context.close()


def _bytes(frame: dict[str, Any]) -> int:
    text = str(frame["payloadData"])
    return len(text) * 3 // 4 if frame["opcode"] == 2 else len(text)
