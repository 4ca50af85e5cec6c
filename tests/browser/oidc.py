"""A small OpenID Connect provider of the tests' own: everybody who asks is signed in at once, as whoever the test says."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = ("catalyst", "secret-of-the-client")
KEY = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig", "alg": "RS256"})


class Provider:
    """Discovery, authorization, token and keys on a port of its own; `claims` is who signs in next."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}  # code -> what authorization was asked
        self.server = ThreadingHTTPServer(("localhost", 0), self._handler())
        self.url = f"http://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self.server.shutdown()
        self.server.server_close()

    def configure(self, folder: Path, dashboard: str, **own: object) -> None:
        """Write a secrets.toml for a dashboard that is started in `folder`; `own` is its section [catalyst]."""
        auth = {
            "redirect_uri": f"{dashboard}/oauth2callback",
            "cookie_secret": secrets.token_hex(32),
            "client_id": CLIENT[0],
            "client_secret": CLIENT[1],
            "server_metadata_url": f"{self.url}/.well-known/openid-configuration",
        }
        sections = {"auth": auth, "catalyst": own}
        lines = [f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in part.items()) for name, part in sections.items()]
        (folder / ".streamlit").mkdir(parents=True, exist_ok=True)
        (folder / ".streamlit" / "secrets.toml").write_text("\n".join(lines))

    def discovery(self) -> dict[str, Any]:
        """What a provider says about itself."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes next: back, with a code."""
        assert asked["client_id"] == CLIENT[0]
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, given: dict[str, str], authorization: str) -> dict[str, Any]:
        """The signed token for a code, once."""
        assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == ":".join(CLIENT)
        asked = self.codes.pop(given["code"])
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT[0], "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.claims}
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 300, "id_token": signed}

    def _handler(provider) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, query = urlsplit(self.path).path, urlsplit(self.path).query
                if path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize({k: v[0] for k, v in parse_qs(query).items()}))
                    self.end_headers()
                elif path == "/jwks":
                    self._answer({"keys": [KEY.as_dict(private=False)]})
                else:
                    self._answer(provider.discovery())

            def do_POST(self) -> None:
                body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self._answer(provider.token({k: v[0] for k, v in body.items()}, self.headers["Authorization"]))

            def _answer(self, what: dict[str, Any]) -> None:
                body = json.dumps(what).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
