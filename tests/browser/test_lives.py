"""A race that is hurt in front of somebody: steered, its worker killed, let go on with one click, forked."""

import os
import re
import signal
import time

import pytest
from playwright.sync_api import expect

from tests.browser.form import fill_in

pytestmark = pytest.mark.browser

SECONDS = 60_000  # milliseconds that a slow machine may take for one step
ENDED = "() => document.querySelector('[data-testid=tick]')?.dataset.state === 'completed'"
DRAWN = (
    "name => [...document.querySelectorAll('[data-figure=curves] .js-plotly-plot')].some(p => p.data.some(t => t.name === name))"
)


def until(store, race_id, condition):
    """The one contender, once it is so."""
    end = time.monotonic() + SECONDS / 1000
    while not condition(found := store.race(race_id).runs[0]):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def test_a_killed_contender_goes_on_and_is_forked(server, page):
    page.goto(server.url)
    expect(page.get_by_role("heading", name="Race pruning methods against each other")).to_be_visible(timeout=SECONDS)
    fill_in(page, contenders=1, dense=1, sparse=10, finetune=1)
    page.get_by_role("button", name="Start race", exact=True).click()
    page.wait_for_url(re.compile(r"race=[0-9a-f]{8}"), timeout=SECONDS)
    race_id = re.search(r"race=([0-9a-f]{8})", page.url)[1]
    store = server.store()
    until(store, race_id, lambda run: run.stage == "sparse")
    page.get_by_role("button", name="Pause", exact=True).click(timeout=SECONDS)
    before = until(store, race_id, lambda run: run.state == "paused")

    # A moved learning rate stands in the history.
    page.get_by_role("slider", name="Learning rate").press("ArrowLeft", timeout=SECONDS)
    page.get_by_text("What was changed while it ran").click(timeout=SECONDS)
    expect(page.get_by_role("row", name=re.compile("learning rate 0.1 0.0891 dashboard"))).to_be_visible(timeout=SECONDS)

    # A killed worker is told with its reason, and one click lets the contender go on to its end.
    os.kill(before.process.pid, signal.SIGKILL)
    expect(page.get_by_text(re.compile(r"its worker \(pid \d+\) is gone"))).to_be_visible(timeout=SECONDS)
    page.get_by_role("button", name="Go on", exact=True).click()
    page.wait_for_function(ENDED, timeout=2 * SECONDS)
    after = store.race(race_id).runs[0]
    assert (after.attempt, after.state) == (2, "completed")
    logged = [one.event.step for one in store.events(after.id, kinds=["step"])]
    assert logged == sorted(set(logged))

    # A fork of it appears in the figures.
    page.get_by_text("Fork from a kept checkpoint").click(timeout=SECONDS)
    page.get_by_role("textbox", name="Name", exact=True).fill("again")
    page.get_by_role("button", name="Fork from here").click()
    page.wait_for_function(DRAWN, arg="Catalyst (again)", timeout=SECONDS)
    expect(page.get_by_test_id("contender")).to_have_count(2, timeout=SECONDS)
    page.wait_for_function(ENDED, timeout=2 * SECONDS)
    fork = store.race(race_id).runs[1]
    assert (fork.label, fork.parent, fork.state) == ("catalyst (again)", after.id, "completed")
    store.close()
