"""Who may look and who may change things, in Streamlit's test runner; tests/browser signs in for real."""

import ast

import pytest
import streamlit as st
from streamlit import config
from streamlit.runtime.secrets import Secrets
from streamlit.testing.v1 import AppTest

from app import access
from catalyst_core.errors import ConfigError, NotAllowedError
from catalyst_core.events import SettingChanged
from tests import synthetic
from tests.app.helpers import ROOT, fill, healthy, words

AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "client_id": "catalyst",
    "client_secret": "secret",
    "server_metadata_url": "http://localhost:1/.well-known/openid-configuration",
}
EDITORS = {"editors": ["ada@x.org", "*@lab.org"]}
ADA = {"is_logged_in": True, "sub": "1", "email": "ada@x.org", "email_verified": True}
BOB = {"is_logged_in": True, "sub": "2", "email": "bob@x.org", "email_verified": True}
PAGES = ("race", "results", "lab", "theory", "runs")
# What app/ and pages/ may use of a store and of the launcher outside of functions under @context.changes.
READS = {
    # purge: the end of what an editor deleted, whoever looks then
    "store": {"race", "race_lines", "deleted_lines", "purge", "newest_race", "live_runs", "files", "url", "name", "sizes"},
    "packing": {"pack", "ENDING"},
    "launcher": {"watch", "prewarm", "checkpoint_file"},
}


@pytest.fixture(autouse=True)
def _no_editors_of_this_machine(monkeypatch):
    monkeypatch.delenv("CATALYST_EDITORS", raising=False)


def opened(user=None, *, page="race", auth=None, own=None, **query):
    """A page as somebody sees it."""
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60)
    at.secrets = {"auth": AUTH if auth is None else auth, "catalyst": EDITORS if own is None else own}
    at.user = user or {"is_logged_in": False}
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    return at if page == "race" else at.switch_page(f"../pages/{page}.py").run()


def button(at, label):
    """The button of that name."""
    return next(one for one in at.button if one.label == label)


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_anything_before_signing_in(page, store):
    fill(store, synthetic.config(title="Only for friends"))
    at = healthy(opened(page=page))
    assert [one.label for one in at.button] == ["Sign in"]
    assert "friends" not in words(at)
    assert len(at.dataframe) == 0


@pytest.mark.parametrize("page", PAGES)
def test_a_viewer_sees_every_page_and_cannot_press_what_changes_something(page, store):
    race = fill(store, synthetic.config(title="For all"), until=300)
    at = healthy(opened(BOB, page=page, race=race.id))
    assert at.title[0].value != "Catalyst"
    for label in {"Pause", "Resume", "Stop", "Rename"} & {one.label for one in at.button}:
        assert button(at, label).disabled
        assert "you are a viewer" in button(at, label).help
    assert all(one.disabled for one in at.select_slider)
    at = healthy(opened(BOB, race="new"))
    assert button(at, "Start race").disabled


def test_an_editor_starts_and_steers_under_their_own_name(store, started):
    at = healthy(opened(ADA))
    healthy(button(at, "Start race").click().run())
    assert started
    assert len(store.races()[0].runs) == 5
    race = fill(store, synthetic.config(({"name": "catalyst"},)), until=300)
    at = healthy(opened(ADA, race=race.id))
    healthy(at.select_slider[0].set_value(2.0).run())
    assert [one.command.who for one in store.commands(race.runs[0].id)] == ["ada@x.org"]


def test_a_second_tab_of_the_same_person_follows_what_the_first_one_changed(store):
    race = fill(store, synthetic.config(({"name": "catalyst"},)), until=300)
    first, second = opened(ADA, race=race.id), opened(ADA, race=race.id)
    healthy(first.select_slider[0].set_value(2.0).run())
    store.append(race.runs[0].id, [SettingChanged(step=305, name="strength", old=1.0, new=2.0, who="ada@x.org")])
    before = first.select_slider[0].key
    for at in (first, second):
        assert healthy(at.run()).select_slider[0].value == 2.0
    assert first.select_slider[0].key == before  # or what is typed meanwhile would be lost


@pytest.mark.parametrize("label", ["Pause", "Stop", "Go on with all", "Rename", "Delete"])
def test_whoever_is_an_editor_no_more_is_refused_by_the_server(label, store, started):
    """The button was drawn for an editor, so that Streamlit takes its press; what counts is who presses it."""
    wanted = {"Rename": "runs", "Delete": "runs"}.get(label, "race")
    config = synthetic.config(({"name": "catalyst"},), title="Mine")
    race = fill(store, config, **({"until": 300, "fail": "lost" if "Go on" in label else ""} if wanted == "race" else {}))
    at = healthy(opened(ADA, page=wanted, race=race.id))
    before = store.race(race.id)
    at.user = BOB
    button(at, label).click().run()
    assert [one.value for one in at.error] == ["Only editors can change anything here; you are a viewer."]
    assert (store.race(race.id), len(store.races()), started) == (before, 1, [])
    assert store.commands(race.runs[0].id) == []


def test_a_start_button_that_a_viewer_should_not_have_starts_nothing(store, started, monkeypatch):
    monkeypatch.setattr(access, "why_not", lambda: "")
    at = healthy(opened(BOB, race="new"))
    button(at, "Start race").click().run()
    assert [one.value for one in at.error] == ["Only editors can change anything here; you are a viewer."]
    assert (store.races(), started) == ([], [])


@pytest.mark.parametrize(
    ("claims", "may"),
    [
        ({"email": "ada@x.org"}, True),
        ({"email": " ADA@X.org "}, True),
        ({"email": "anybody@lab.org"}, True),
        ({"email": "ada@x.org", "email_verified": "true"}, True),
        ({"email": "ada@x.org", "email_verified": False}, False),
        ({"email": "ada@x.org", "email_verified": None}, False),
        ({"email": "ada@x.org", "email_verified": "false"}, False),
        ({"email": "bob@x.org"}, False),
        ({"email": "eve@evil.org@lab.org"}, False),
        ({"email": "eve@notlab.org"}, False),
        ({"email": "eve@sub.lab.org"}, False),
        ({"email": "\u212a@lab.org"}, False),  # the Kelvin sign is a k in lower case
        ({"email": "*@lab.org\n"}, True),  # of that domain all the same
        ({"email": ""}, False),
        ({"preferred_username": "ada@x.org"}, False),
    ],
)
def test_who_is_an_editor(claims, may, monkeypatch):
    monkeypatch.setattr(st, "secrets", secrets({"auth": AUTH, "catalyst": EDITORS}))
    monkeypatch.setattr(st, "user", User({"is_logged_in": True, "sub": "1", "email_verified": True} | claims))
    assert (access.why_not() == "") is may
    if not may:
        with pytest.raises(NotAllowedError, match="Only editors"):
            access.check_change()


def test_an_address_that_the_provider_says_nothing_about_counts_where_it_is_trusted(monkeypatch):
    monkeypatch.setattr(st, "user", User({"is_logged_in": True, "email": "ada@x.org"}))
    monkeypatch.setattr(st, "secrets", secrets({"auth": AUTH, "catalyst": EDITORS}))
    assert "not verified" in access.why_not()
    monkeypatch.setattr(st, "secrets", secrets({"auth": AUTH, "catalyst": EDITORS | {"trust_email": True}}))
    assert access.why_not() == ""


def test_the_environment_names_the_editors_instead_of_the_file(monkeypatch):
    monkeypatch.setattr(st, "secrets", secrets({"auth": AUTH, "catalyst": EDITORS}))
    monkeypatch.setenv("CATALYST_EDITORS", "bob@x.org, *@y.org,")
    assert access.rules().editors == ("bob@x.org", "*@y.org")
    monkeypatch.setenv("CATALYST_EDITORS", "")
    assert access.rules().editors == ()


class User:
    """What stands in for st.user."""

    def __init__(self, claims):
        self.claims = claims

    def to_dict(self):
        return self.claims


def secrets(content):
    """What stands in for st.secrets."""
    made = Secrets()
    made._secrets = content
    return made


WRONG = {
    "no secret": ({"auth": AUTH | {"cookie_secret": ""}}, "cookie_secret"),
    "a short secret": ({"auth": AUTH | {"cookie_secret": "xxx"}}, "cookie_secret .* 32"),
    "no client": ({"auth": {name: value for name, value in AUTH.items() if name != "client_id"}}, "no client_id"),
    "no address": ({"auth": AUTH | {"redirect_uri": "http://localhost:8501"}}, "redirect_uri"),
    "a named provider": ({"auth": AUTH | {"okta": {"client_id": "a"}}}, r"\[auth.okta\] has no client_secret"),
    "an underscore": ({"auth": AUTH | {"my_okta": AUTH}}, "underscore"),
    "no section": ({"auth": "yes"}, "auth has to be a section"),
    "editors and no sign-in": ({"catalyst": EDITORS}, r"no section \[auth\]"),
    "a text of editors": ({"auth": AUTH, "catalyst": {"editors": "ada@x.org"}}, "has to be a list"),
    "everybody": ({"auth": AUTH, "catalyst": {"editors": ["*"]}}, "neither an address"),
    "a wild domain": ({"auth": AUTH, "catalyst": {"editors": ["*@*.org"]}}, "neither an address"),
    "trust": ({"auth": AUTH, "catalyst": {"trust_email": "false"}}, "trust_email"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_is_one_sentence_and_lets_nobody_in(name, store, monkeypatch):
    content, sentence = WRONG[name]
    monkeypatch.setattr(st, "secrets", secrets(content))
    with pytest.raises(ConfigError, match=sentence) as found:
        access.check_change()
    assert len(str(found.value)) < 200
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60)
    at.secrets, at.user = content, ADA
    at.run()
    assert not at.exception
    assert (len(at.error), len(at.button), len(at.title)) == (1, 0, 0)


def test_a_file_that_cannot_be_read_does_not_count_as_none(tmp_path, monkeypatch):
    broken = tmp_path / "secrets.toml"
    monkeypatch.setattr(st, "secrets", Secrets())
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(broken)])
    try:
        assert access.rules() is None  # there is no such file
        for content in (b"[auth", b"\xff\xfe"):
            broken.write_bytes(content)
            with pytest.raises(ConfigError, match="cannot be read, so nobody is let in"):
                access.check_look()
    finally:
        config.set_option("secrets.files", before)


def test_several_providers_have_a_button_each(store):
    shared = {name: AUTH[name] for name in ("redirect_uri", "cookie_secret")}
    at = healthy(opened(auth=shared | {"okta": AUTH, "google": AUTH}))
    assert [one.label for one in at.button] == ["Sign in with Okta", "Sign in with Google"]


@pytest.mark.parametrize(
    ("address", "host", "named", "said"),
    [
        ("localhost", "localhost:8501", [], ""),
        ("localhost", "[::1]:8501", [], ""),
        ("localhost", "evil.example:8501", [], "for localhost, not 'evil.example'"),
        ("localhost", "proxy.example", ["proxy.example"], "Other machines can reach this dashboard"),
        ("0.0.0.0", "localhost:8501", [], "Other machines can reach this dashboard"),
        (None, "192.168.1.5:8501", [], "Other machines can reach this dashboard"),
    ],
)
def test_a_dashboard_that_others_can_reach_says_so_and_a_borrowed_name_is_refused(address, host, named, said, store, monkeypatch):
    get, given = st.get_option, {"server.address": address, "server.allowedHosts": named}
    monkeypatch.setattr(st, "get_option", lambda name: given[name] if name in given else get(name))
    monkeypatch.setattr(type(st.context), "headers", property(lambda _: {"Host": host}))
    for page in PAGES:
        at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60).run()
        if page != "race":
            at.switch_page(f"../pages/{page}.py").run()
        spoken = [one.value for one in (*at.warning, *at.error)]
        assert len(spoken) == bool(said)
        assert said in "".join(spoken)
        assert bool(at.title) is not said.startswith("for localhost")


def changing(source):
    """The lines that use something of a store or the launcher that is not known to only read, unguarded."""
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and any(
            ast.unparse(one) == "context.changes" for one in function.decorator_list
        ):
            function.body = []
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    owners = [(node, ast.unparse(node.value).removeprefix("context.").removesuffix("()")) for node in found]
    return [f"{node.lineno}: {owner}.{node.attr}" for node, owner in owners if node.attr not in READS.get(owner, {node.attr})]


@pytest.mark.parametrize(
    "path", sorted(path.relative_to(ROOT).as_posix() for name in ("app", "pages") for path in (ROOT / name).glob("*.py"))
)
def test_whatever_changes_something_goes_through_the_one_gate(path):
    assert changing((ROOT / path).read_text(encoding="utf-8")) == []


def test_the_check_of_the_gate_can_fail():
    assert changing("def stop(store):\n    store.send('x')") == ["2: store.send"]
    assert changing("st.button('x', on_click=launcher.stop_race)") == ["1: launcher.stop_race"]
    assert changing("context.store().delete_race('x')") == ["1: store.delete_race"]
    assert changing("@context.changes\ndef stop(store):\n    store.send('x')") == []
