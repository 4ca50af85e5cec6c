"""The real server, started by its console command from another folder, and a real Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import sync_playwright

from catalyst_core.bench.browser import FLAGS
from catalyst_core.store import open_store

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """`streamlit run app/main.py` on a port and a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.log = folder / "server.log"
        with socket.socket() as free:
            free.bind(("localhost", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(Path(sys.executable).parent / "streamlit"), "run", str(ROOT / "app" / "main.py")]
        environment = {**os.environ, "CATALYST_HOME": str(self.home), "CATALYST_THREADS": "1", "CATALYST_EXAMPLE": "0"}
        for name in ("CATALYST_STORE", "CATALYST_EDITORS"):
            environment.pop(name, None)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.port", str(self.port)], cwd=self.folder, env=environment, stdout=log, stderr=log
            )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1)  # our own address
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        """End the server, and nothing else."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def store(self):
        """The store that it uses."""
        return open_store(str(self.home / "catalyst.db"))

    def end_workers(self) -> None:
        """What a failed test may have left running."""
        for run in self.store().live_runs():
            if run.process is not None and psutil.pid_exists(run.process.pid):
                psutil.Process(run.process.pid).kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with an empty store."""
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.end_workers()
    made.stop()


@pytest.fixture(scope="module")
def chromium():
    """A browser; skipped where there is none, unless this is CI, which has to have one."""
    path = shutil.which("chromium")
    if path is None:
        message = "there is no chromium on PATH"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def told():
    """The errors that the tab's console showed."""
    return []


@pytest.fixture
def page(chromium, told):
    """A tab whose console has to stay free of errors."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    tab.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: told.append(str(error)))
    yield tab
    context.close()
    # Streamlit looks for its server below the page's own path first: those answers are its own.
    assert [text for text in told if "404 (Not Found)" not in text] == []
