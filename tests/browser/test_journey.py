"""One visit in a real browser: start a race, watch it, steer it, lose the server, come back, take the files home."""

import io
import re
import time
import zipfile

import pytest
from playwright.sync_api import expect

from app.steering import ladder
from catalyst_core.catalog import METHODS
from catalyst_core.training import load_pruned
from tests.browser.form import fill_in

pytestmark = pytest.mark.browser

SECONDS = 60_000  # milliseconds that a slow machine may take for one step
RANGE = "name => [...document.querySelector(`[data-figure=${name}] .js-plotly-plot`)._fullLayout.xaxis.range]"
SAID = "name => document.querySelector(`[data-figure=${name}] .js-plotly-plot`).layout.annotations.map(a => a.text).join('|')"


def ticks(page):
    """How many events the page has seen."""
    return int(page.get_by_test_id("tick").get_attribute("data-n", timeout=SECONDS))


def wait_for_more(page, than):
    """Until the page has seen more events."""
    page.wait_for_function(
        "n => Number(document.querySelector('[data-testid=tick]')?.dataset.n ?? 0) > n", arg=than, timeout=SECONDS
    )
    return ticks(page)


def zoom(page):
    """Drag over a part of the first training curve."""
    plot = page.locator("[data-figure=curves] .js-plotly-plot .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()


def changes(store, race_id):
    """The live changes that the workers have written down."""
    return [one.event for one in store.race_events(race_id, kinds=["setting"])]


def test_a_race_from_start_to_files(server, page, told, chromium):
    page.goto(server.url)
    expect(page.get_by_role("heading", name="Race pruning methods against each other")).to_be_visible(timeout=SECONDS)
    expect(page.locator("[data-figure=portrait] .js-plotly-plot")).to_be_visible(timeout=SECONDS)

    fill_in(page, contenders=2, dense=2, sparse=400, finetune=1)  # so long that it is stopped by hand
    page.get_by_role("button", name="Start race", exact=True).click()
    page.wait_for_url(re.compile(r"race=[0-9a-f]{8}"), timeout=SECONDS)
    race_id = re.search(r"race=([0-9a-f]{8})", page.url)[1]
    expect(page.get_by_test_id("contender")).to_have_count(2, timeout=SECONDS)
    seen = wait_for_more(page, 20)

    # Zoom survives the ticks.
    expect(page.locator("[data-figure=curves] .js-plotly-plot")).to_be_visible(timeout=SECONDS)
    whole = page.evaluate(RANGE, "curves")
    zoom(page)
    part = page.evaluate(RANGE, "curves")
    assert part != whole
    seen = wait_for_more(page, seen)
    seen = wait_for_more(page, seen)
    assert page.evaluate(RANGE, "curves") == part

    # The strength slider acts on the running race, and leaves a mark.
    store = server.store()
    slider = page.get_by_role("slider", name="Strength: Catalyst")
    for _ in range(3):
        slider.press("ArrowRight")
    page.wait_for_function(f"() => ({SAID})('curves').includes('strength') || ({SAID})('curves').includes('λ')", timeout=SECONDS)
    wanted = ladder(METHODS["catalyst"].strength_range, 1.0)
    wanted = wanted[wanted.index(1.0) + 3]  # no key press is lost
    end = time.monotonic() + SECONDS / 1000
    while (last := changes(store, race_id)[-1]).new != wanted and time.monotonic() < end:
        time.sleep(0.1)
    assert (last.name, last.new) == ("strength", wanted)

    # Another page and back: the race is still there, and the back button of the browser finds what the link said.
    page.get_by_role("slider", name="Step shown").press("ArrowLeft")
    page.wait_for_url(re.compile("step="), timeout=SECONDS)
    link = page.url
    page.get_by_role("link", name="Theory", exact=True).first.click()
    expect(page.get_by_role("heading", name="Theory")).to_be_visible(timeout=SECONDS)
    page.go_back()
    expect(page.get_by_test_id("contender")).to_have_count(2, timeout=SECONDS)
    assert page.url == link
    at = page.get_by_role("slider", name="Step shown").input_value()
    assert f"step={at}" in link

    # The link shows the same in another browser.
    other = chromium.new_context().new_page()
    other.goto(link)
    expect(other.get_by_role("slider", name="Step shown")).to_have_value(at, timeout=SECONDS)
    assert race_id in other.url
    other.context.close()

    # A reload finds the race; so does a new server, which the workers outlive.
    page.reload()
    wait_for_more(page, seen)
    workers = [run.process.pid for run in store.race(race_id).runs if run.process]
    assert [text for text in told if "404 (Not Found)" not in text] == []
    server.stop()
    server.start()
    page.goto(server.url)
    told.clear()  # that the server was away
    page.wait_for_url(re.compile(race_id), timeout=SECONDS)
    wait_for_more(page, seen)
    assert [run.process.pid for run in store.race(race_id).runs if run.process] == workers

    # Stopped early it settles, is cut and has a ledger.
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_function("() => document.querySelector('[data-testid=tick]')?.dataset.state === 'stopped'", timeout=2 * SECONDS)
    page.get_by_role("link", name="Results", exact=True).first.click()
    expect(page.get_by_role("heading", name="Results")).to_be_visible(timeout=SECONDS)
    with page.expect_download(timeout=2 * SECONDS) as download:
        page.get_by_role("button", name="Everything as a zip").click()
    content = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    kinds = {name.rpartition(".")[2] for name in content.namelist()}
    assert {"pdf", "svg", "png", "html", "csv", "md", "json", "tex"} <= kinds

    # The small network can be taken away, and opened.
    page.get_by_role("link", name="Lab", exact=True).first.click()
    page.get_by_text("For Python with Catalyst: the network alone").click(timeout=SECONDS)
    with page.expect_download(timeout=2 * SECONDS) as download:
        page.get_by_role("button", name=re.compile("Pruned network")).click()
    network = load_pruned(download.value.path())
    assert sum(weight.numel() for weight in network.parameters()) < 57_000  # of the dense one
    store.close()


def test_every_page_in_both_themes(server, chromium):
    for theme in ("light", "dark"):
        context = chromium.new_context(color_scheme=theme, viewport={"width": 400, "height": 800})
        page = context.new_page()
        for path, title in (("", ""), ("results", "Results"), ("lab", "Lab"), ("theory", "Theory"), ("runs", "Runs")):
            page.goto(f"{server.url}/{path}")
            heading = page.get_by_role("heading", level=1)
            expect(heading).to_contain_text(title or re.compile("."), timeout=SECONDS)
            # Nothing is wider than a phone.
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth + 1"), path
        context.close()


def test_the_log_stays_quiet(server):
    """After the tests above: no traceback, no warning, no deprecation."""
    log = server.log.read_text()
    assert "http://localhost" in log
    assert not re.search(r"Traceback|warning|deprecat|error", log, re.IGNORECASE), log
