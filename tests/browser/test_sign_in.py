"""Signing in, for real: a provider, the server, a browser; and what a browser cannot do is done by a socket of our own."""

import re
import time

import psutil
import pytest
from playwright.sync_api import expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from tests import synthetic
from tests.app.helpers import fill
from tests.browser.conftest import Server
from tests.browser.oidc import Provider

pytestmark = pytest.mark.browser

SECONDS = 60_000  # milliseconds that a slow machine may take for one step
TITLE = "Only for friends"
METHODS = ({"name": "catalyst"},)
EDITOR = {"sub": "1", "email": "Ada@x.org", "email_verified": True}
VIEWER = {"sub": "2", "email": "bob@x.org", "email_verified": True}


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def closed(tmp_path_factory, provider):
    """A server on which only those who sign in see anything, with a failed and a finished race in its store."""
    made = Server(tmp_path_factory.mktemp("closed"))
    provider.configure(made.folder, made.url, editors=["ada@x.org"])
    made.start()
    store = made.store()
    fill(store, synthetic.config(title=TITLE, methods=METHODS), until=300, fail="lost")
    fill(store, synthetic.config(title="Finished", methods=METHODS))
    store.close()
    yield made
    made.stop()


def sign_in(page, server, provider, claims):
    """Arrive at the dashboard as somebody."""
    provider.claims = claims
    page.goto(server.url)
    page.get_by_role("button", name="Sign in", exact=True).click(timeout=SECONDS)
    expect(page.get_by_text(f"{claims['email'].lower()} · ")).to_be_visible(timeout=SECONDS)


def races(server):
    """The title of every race and its id, newest first."""
    store = server.store()
    try:
        return {race.title: race.id for race in store.races()}
    finally:
        store.close()


def test_the_server_listens_to_this_machine_only(closed):
    listening = [one.laddr.ip for one in psutil.Process(closed.process.pid).net_connections("inet") if one.status == "LISTEN"]
    assert listening
    assert set(listening) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("path", ["", "runs", "results", "lab"])
def test_nobody_sees_anything_before_signing_in(closed, page, path):
    page.goto(f"{closed.url}/{path}")
    expect(page.get_by_test_id("stMain").get_by_role("button")).to_have_text(["Sign in"], timeout=SECONDS)
    expect(page.get_by_role("link", name="Runs")).to_have_count(0)
    assert TITLE not in page.content()


def test_an_editor_may_start_and_rename_and_signs_out(closed, page, provider):
    sign_in(page, closed, provider, EDITOR)
    expect(page.get_by_text("ada@x.org · editor")).to_be_visible()
    page.goto(f"{closed.url}/?race=new")
    expect(page.get_by_role("button", name="Start race", exact=True)).to_be_enabled(timeout=SECONDS)
    page.goto(f"{closed.url}/runs?race={races(closed)['Finished']}")
    field = page.get_by_role("textbox", name="Title")
    field.fill("Renamed", timeout=SECONDS)
    page.get_by_role("button", name="Rename").click()
    end = time.monotonic() + SECONDS / 1000
    while "Renamed" not in races(closed) and time.monotonic() < end:
        time.sleep(0.1)
    assert list(races(closed)) == ["Renamed", TITLE]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_test_id("stMain").get_by_role("button")).to_have_text(["Sign in"], timeout=SECONDS)
    page.reload()
    expect(page.get_by_test_id("stMain").get_by_role("button")).to_have_text(["Sign in"], timeout=SECONDS)


def test_a_viewer_sees_everything_and_can_change_nothing(closed, page, provider):
    sign_in(page, closed, provider, VIEWER)
    expect(page.get_by_text("bob@x.org · viewer")).to_be_visible()
    page.goto(f"{closed.url}/?race=new")
    expect(page.get_by_role("button", name="Start race", exact=True)).to_be_disabled(timeout=SECONDS)
    page.goto(f"{closed.url}/runs?race={races(closed)[TITLE]}")
    for name in ("Rename", "Delete"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled(timeout=SECONDS)
    page.goto(f"{closed.url}/?race={races(closed)[TITLE]}")
    expect(page.get_by_test_id("contender").first).to_be_visible(timeout=SECONDS)
    expect(page.get_by_role("button", name="Go on with all")).to_be_disabled()


def socket(server, page):
    """The browser's own connection, with its cookies, to send what a browser would not."""
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    return connect(
        f"{server.url.replace('http', 'ws')}/_stcore/stream",
        origin=server.url,
        subprotocols=["streamlit", cookies["_streamlit_xsrf"].strip('"')],
        additional_headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())},
    )


def ask(stream, race_id, *widgets):
    """One run of the Runs page, for a race, with these widgets changed; the elements that it drew, by label or text."""
    message = BackMsg()
    message.rerun_script.page_name = "runs"
    message.rerun_script.query_string = f"race={race_id}"
    for given in widgets:
        message.rerun_script.widget_states.widgets.add(**given)
    stream.send(message.SerializeToString())
    found = {}
    while True:
        told = ForwardMsg.FromString(stream.recv(timeout=60))
        kind = told.WhichOneof("type")
        if kind == "script_finished":
            return found
        if kind == "delta" and (shown := told.delta.new_element.WhichOneof("type")):
            element = getattr(told.delta.new_element, shown)
            found[getattr(element, "label", "") or getattr(element, "body", "") or shown] = element


@pytest.mark.parametrize(("claims", "works"), [(VIEWER, False), (EDITOR, True)], ids=["viewer", "editor"])
def test_a_forged_message_is_refused_unless_its_sender_may_do_it(closed, page, provider, claims, works):
    sign_in(page, closed, provider, claims)
    before = list(races(closed))
    race_id = races(closed)[before[0]]
    with socket(closed, page) as stream:
        button = ask(stream, race_id)["Delete"]
        assert button.disabled is not works  # and a browser sends no press of it
        ask(stream, race_id, {"id": button.id, "trigger_value": True})
    assert list(races(closed)) == (before[1:] if works else before)


def test_the_log_holds_no_secret(closed, provider):
    """After the tests above: no traceback, and nothing that would let its reader in."""
    log = closed.log.read_text()
    secrets = re.findall(r'secret = "(.+)"', (closed.folder / ".streamlit" / "secrets.toml").read_text())
    assert len(secrets) == 2
    assert not any(one in log for one in secrets)
    assert "Traceback" not in log, log
