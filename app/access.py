"""Who may look and who may change things: everybody on this machine or, where sign-in is configured, viewers and editors.

Signing in is Streamlit's own (`[auth]` in secrets.toml). A mistake in its configuration lets nobody in.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from catalyst_core.errors import SHOWN, ConfigError, NotAllowedError, shown

LOCAL = ("localhost", "127.0.0.1", "::1")
CALLBACK = "/oauth2callback"
PROVIDER_KEYS = ("client_id", "client_secret", "server_metadata_url")
SHORTEST_SECRET = 32  # characters; whoever guesses it can sign in as anybody


@dataclass(frozen=True)
class Rules:
    """How signing in is configured."""

    providers: tuple[str, ...]  # names of [auth.NAME]; '' is [auth] itself
    origin: str  # the one address that people can sign in at
    editors: tuple[str, ...]  # addresses, or '*@domain', in lower case
    trust_email: bool  # take an address that the provider does not call verified


@dataclass(frozen=True)
class Person:
    """Somebody who may look."""

    name: str  # e-mail address, else the provider's name for them; '' where nobody has to sign in
    why_not: str = ""  # why they may not change anything; '' if they may


def rules() -> Rules | None:
    """How signing in is configured, None if it is not. Raises ConfigError, and then nobody may do anything."""
    secrets = _secrets()
    auth, own = secrets.get("auth"), secrets.get("catalyst", {})
    if not isinstance(own, Mapping):
        raise ConfigError("secrets.toml: catalyst has to be a section, [catalyst]")
    editors = _editors(own)
    if auth is None:
        if editors:
            raise ConfigError("editors are named, but secrets.toml has no section [auth], so nobody can sign in; see the README")
        return None
    if not isinstance(auth, Mapping):
        raise ConfigError("secrets.toml: auth has to be a section, [auth]")
    trust = own.get("trust_email", False)
    if not isinstance(trust, bool):
        raise ConfigError("secrets.toml: trust_email in [catalyst] has to be true or false")
    _check_secret(auth)
    return Rules(_providers(auth), _origin(auth), editors, trust)


def person() -> Person | None:
    """Who this browser session belongs to; None: somebody who has not signed in, but has to. Raises ConfigError."""
    found = rules()
    if found is None:
        return Person("", "")
    claims = st.user.to_dict()
    if claims.get("is_logged_in") is not True:
        return None
    email = str(claims.get("email") or "").strip()
    email = email.lower() if email.isascii() else email
    name = re.sub(r"[^\w@.+|-]", "?", email or str(claims.get("sub") or "somebody"))[:SHOWN]  # the history keeps it
    return Person(name, _why_not(found, email, claims.get("email_verified")))


def why_not() -> str:
    """Why this browser session may not change anything, in one sentence; '' if it may. Raises ConfigError."""
    found = person()
    return "Sign in first." if found is None else found.why_not


def check_look() -> Person:
    """Raise NotAllowedError unless this browser session may look, and ConfigError where the configuration is wrong."""
    _check_place()
    somebody = person()
    if somebody is None:
        raise NotAllowedError("sign in first")
    return somebody


def check_change() -> None:
    """Raise NotAllowedError unless this browser session may change something, and ConfigError as `check_look` does."""
    if reason := check_look().why_not:
        raise NotAllowedError(reason)


def exposed() -> bool:
    """Whether others than the people on this machine can reach the dashboard."""
    return st.get_option("server.address") not in LOCAL or _host() not in LOCAL


def enter() -> bool:
    """Whether the page may be drawn. Draws what stands around it: how to sign in, who one is, or that anybody gets in."""
    _check_place()
    found = rules()
    somebody = person()
    if found is not None and somebody is None:
        _render_sign_in(found)
        return False
    if found is None and exposed():
        st.warning("Other machines can reach this dashboard, and it asks nobody to sign in; the README says how to close it.")
    if somebody is not None and somebody.name:
        _render_person(somebody)
    return True


def _check_place() -> None:
    """Refuse names that are not this machine's: a page elsewhere can have its own name lead here, and would be let in."""
    asked, named = _host(), st.get_option("server.allowedHosts")
    if st.get_option("server.address") in LOCAL and asked not in LOCAL and not named and rules() is None:
        raise NotAllowedError(
            f"this dashboard is for localhost, not {shown(asked)}; to serve it there, configure sign-in as the README says"
        )


def _host() -> str:
    """The name that the browser asked for, without the port; localhost where there is no browser."""
    given = st.context.headers.get("Host")
    try:
        return (urlsplit(f"//{given}").hostname or "") if given else "localhost"
    except ValueError:
        return str(given)


def _secrets() -> Mapping[str, Any]:
    """All that secrets.toml says, {} where there is none; one that cannot be read must not count as none."""
    try:
        return st.secrets.to_dict()
    except (StreamlitSecretNotFoundError, OSError, ValueError):
        places = [Path(place) for place in st.get_option("secrets.files")]
        if broken := next((place for place in places if place.exists()), None):
            raise ConfigError(f"{broken.name} in {broken.parent.name} cannot be read, so nobody is let in") from None
        return {}


def _editors(own: Mapping[str, Any]) -> tuple[str, ...]:
    given = os.environ.get("CATALYST_EDITORS")
    listed = own.get("editors", []) if given is None else [part for part in given.split(",") if part.strip()]
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ConfigError('secrets.toml: editors in [catalyst] has to be a list such as ["ada@example.org", "*@lab.example.org"]')
    editors = tuple(one.strip().lower() for one in listed)
    for one in editors:
        local, at, domain = one.rpartition("@")
        if not (local and at and domain) or "*" in domain or ("*" in local and local != "*"):
            raise ConfigError(f"editors: {shown(one)} is neither an address such as ada@example.org nor *@example.org")
    return editors


def _check_secret(auth: Mapping[str, Any]) -> None:
    secret = auth.get("cookie_secret")
    if not isinstance(secret, str) or len(secret) < SHORTEST_SECRET:
        raise ConfigError(f"secrets.toml: cookie_secret in [auth] has to be {SHORTEST_SECRET} random characters or more")


def _origin(auth: Mapping[str, Any]) -> str:
    given = str(auth.get("redirect_uri", "")).replace("{port}", str(st.get_option("server.port")))
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.netloc or not parts.path.endswith(CALLBACK):
        raise ConfigError(f"secrets.toml: redirect_uri in [auth] has to be the dashboard's address followed by {CALLBACK}")
    return f"{parts.scheme}://{parts.netloc}"


def _providers(auth: Mapping[str, Any]) -> tuple[str, ...]:
    named = {name: part for name, part in auth.items() if isinstance(part, Mapping) and name != "client_kwargs"}
    unnamed = {"": auth} if not named or any(key in auth for key in PROVIDER_KEYS) else {}
    for name, part in (unnamed | named).items():
        section = f"[auth.{name[:SHOWN]}]" if name else "[auth]"
        missing = next((key for key in PROVIDER_KEYS if not isinstance(part.get(key), str) or not part[key]), None)
        if missing:
            raise ConfigError(f"secrets.toml: {section} has no {missing}, so nobody can sign in")
        if "_" in name:
            raise ConfigError(f"secrets.toml: the name in {section} must not hold an underscore")
    return (*unnamed, *named)


def _why_not(found: Rules, email: str, verified: object) -> str:
    # Letters that only look like others, or become them in lower case, are nobody's on the list.
    sound = email.isascii() and email.count("@") == 1
    if not sound or not {email, f"*@{email.partition('@')[2]}"} & set(found.editors):
        return "Only editors can change anything here; you are a viewer."
    if not found.trust_email and verified is not True and verified != "true":
        return "Only editors can change anything here; you are a viewer, as your provider has not verified your address."
    return ""


def _render_sign_in(found: Rules) -> None:
    st.title("Catalyst")
    st.markdown("Races of pruning methods. Sign in to see them.")
    if (here := _here()) and here != found.origin:
        st.info(f"Signing in works at {found.origin} only; this page was opened at {here[:SHOWN]}.")
    for name in found.providers:
        title = f"Sign in with {name.capitalize()}" if name else "Sign in"
        st.button(title, type="primary", on_click=st.login, args=(name or None,), key=f"sign_in_{name}")


def _here() -> str:
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _render_person(somebody: Person) -> None:
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="person"):
        st.text(f"{somebody.name} · {'viewer' if somebody.why_not else 'editor'}", width="content", help=somebody.why_not or None)
        st.button("Sign out", type="tertiary", on_click=st.logout, key="sign_out")
