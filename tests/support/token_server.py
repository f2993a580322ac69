"""A token server as Docker Hub has one: GET with Basic, POST as OAuth, tokens signed RS256."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.support import tls
from tests.support.registry import PASSWORD, USER

SERVICE = "registry.test"
ISSUER = "tokens.test"
#: What may be used in place of the password, for ever.
IDENTITY_TOKEN = "identity-of-robin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a token."""

    method: str
    scopes: tuple[str, ...]
    user: str
    grant: str = ""
    form: dict[str, str] = field(default_factory=dict)


class TokenServer:
    """Gives tokens to USER, and to anyone for repositories below ``public/``."""

    def __init__(self, folder: Path, *, expires_in: int = 300, knows_post: bool = True) -> None:
        self.asked: list[Asked] = []
        self.expires_in = expires_in
        self.knows_post = knows_post
        self._signer = tls.make_authority(folder, "token-signer")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        """Serve from a thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def realm(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/token"

    @property
    def config(self) -> dict[str, str]:
        """Return the registry's half."""
        return {
            "realm": self.realm,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self._signer.certificate),
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                user = _basic_user(self.headers.get("Authorization", ""))
                self._answer(*server.get(query, user))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                self._answer(*server.post(form))

            def log_message(self, *args: object) -> None:
                """Log nothing: the test asks for what was asked."""

            def _answer(self, status: int, found: dict[str, Any]) -> None:
                body = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler

    def get(self, query: dict[str, list[str]], user: str | None) -> tuple[int, dict[str, Any]]:
        """Answer the older of the two protocols; no user is anyone, a wrong one is None."""
        scopes = tuple(query.get("scope", ()))
        self.asked.append(Asked(method="GET", scopes=scopes, user=user or ""))
        if user is None:
            return 401, {"details": "incorrect username or password"}
        found = {"token": self._token(scopes, user), "expires_in": self.expires_in}
        if query.get("offline_token") == ["true"] and user:
            found["refresh_token"] = IDENTITY_TOKEN
        return 200, found

    def post(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer OAuth."""
        scopes = tuple(form.get("scope", "").split())
        grant = form.get("grant_type", "")
        by_token = grant == "refresh_token" and form.get("refresh_token") == IDENTITY_TOKEN
        by_password = (form.get("username"), form.get("password")) == (USER, PASSWORD)
        user = USER if by_token or by_password else ""
        self.asked.append(Asked(method="POST", scopes=scopes, user=user, grant=grant, form=form))
        if not self.knows_post:
            return 405, {}
        if not user:
            return 401, {"error": "incorrect username or password"}
        return 200, {
            "access_token": self._token(scopes, user),
            "expires_in": self.expires_in,
            "refresh_token": IDENTITY_TOKEN,
        }

    def _token(self, scopes: tuple[str, ...], user: str) -> str:
        now = int(time.time())
        header = {
            "typ": "JWT",
            "alg": "RS256",
            "x5c": [_der_base64(self._signer.certificate)],
        }
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "access": [access for scope in scopes for access in _access(scope, user)],
        }
        signed = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
        return f"{signed}.{_part(tls.sign(self._signer.key, signed.encode()))}"


def _access(scope: str, user: str) -> list[dict[str, Any]]:
    kind, path, actions = scope.split(":")
    if kind != "repository" or not (user or path.startswith("public/")):
        return []
    return [{"type": kind, "name": path, "actions": actions.split(",")}]


def _basic_user(authorization: str) -> str | None:
    if not authorization:
        return ""
    pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
    return USER if pair == f"{USER}:{PASSWORD}" else None


def _der_base64(certificate: Path) -> str:
    lines = certificate.read_text().splitlines()
    return "".join(line for line in lines if not line.startswith("-----"))


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
