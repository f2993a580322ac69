"""After a busy day with credentials, secrets and tokens, none of them is anywhere to be read."""

from __future__ import annotations

import base64
import gzip
import json
import os
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.node import Node, eventually, running_node
from tests.support.plugin_context import ANSWERS, Contexts
from tests.support.registry import PASSWORD, USER, RegistryServer

_SETTABLE = {
    "env": [{"name": "KEY_FILE", "settable": ["value"], "value": ""}],
    "args": {"name": "args", "settable": ["value"], "value": []},
}


@dataclass
class Traces:
    """Takes in whatever services send by OTLP, and keeps the bytes."""

    received: bytearray = field(default_factory=bytearray)
    endpoint: str = ""

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        if handler.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.received += body
        handler.send_response(200)
        handler.send_header("content-length", "0")
        handler.end_headers()


@pytest.fixture(scope="module")
def traces() -> Iterator[Traces]:
    """Receive traces."""
    kept = Traces()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.take(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's word
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kept.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def own_node(traces: Traces) -> Iterator[Node]:
    """Run a node that logs and traces all that it can."""
    settings = {
        "WHERRY_STOP_GRACE_S": "1",
        "WHERRY_LOG_LEVEL": "debug",
        "OTEL_EXPORTER_OTLP_ENDPOINT": traces.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with running_node(settings) as node:
        yield node


def _forms(value: bytes) -> set[bytes]:
    """Return what is to be looked for: the value, and the middle of its base64 at any place."""
    found = {value}
    for before, cut in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"x" * before + value)[cut:-4]
        found |= {encoded, encoded.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def _auth(registry: RegistryServer, password: str = PASSWORD) -> dict[str, str]:
    login = {"username": USER, "password": password, "serveraddress": registry.authority}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(login).encode()).decode()}


def _busy_day(node: Node, contexts: Contexts, registry: RegistryServer, secret: Path) -> str:
    """Do what has to do with secrets, well and badly, and return a token."""
    name = f"{registry.authority}/me/data:1"
    auth, http = _auth(registry), node.http
    node.create(name, contexts.tar("open=/run/secrets/db", *ANSWERS, **_SETTABLE))
    assert "aux" in http.post(f"/plugins/{name}/push", headers=auth).text
    wrong = _auth(registry, f"{PASSWORD}-wrong")
    assert "error" in http.post(f"/plugins/{name}/push", headers=wrong).text
    node.remove(name)
    pulled = http.post("/plugins/pull", params={"remote": name}, headers=auth, json=[])
    assert pulled.status_code == 200, pulled.text
    node.wherry("secret", "create", "db", str(secret))
    assert http.post(f"/plugins/{name}/set", json=["KEY_FILE=secret://db"]).status_code == 204
    node.enable(name)
    assert http.post("/wherry/v1/keys/rotate").status_code == 204
    node.disable(name)
    node.enable(name)
    assert http.delete("/wherry/v1/secrets/db").status_code == 409
    node.get(f"/plugins/{name}/json")
    node.plugin(name)
    token = node.wherry("token", "create", "ci", "--role", "operate").strip()
    headers = {"Authorization": f"Bearer {token}"}
    assert http.get("/plugins", headers=headers).status_code == 200
    assert http.post(f"/plugins/{name}/set", json=[], headers=headers).status_code == 403
    for password, is_right in ((PASSWORD, True), (f"{PASSWORD}-wrong", False)):
        login = {"username": USER, "password": password, "serveraddress": registry.authority}
        assert (http.post("/auth", json=login).status_code == 200) is is_right
    assert node.get("/wherry/v1/audit/verify")["broken_seq"] is None
    return token


def _places(node: Node, traces: Traces) -> Iterator[tuple[str, bytes]]:
    """Yield all that somebody could read, but for the plugin's own tmpfs."""
    spared = tuple(node.exec_root.glob("c/*/secrets"))
    for top, _, names in os.walk(node.folder):
        for path in (Path(top, name) for name in names):
            if path.is_file() and not any(path.is_relative_to(one) for one in spared):
                yield str(path), path.read_bytes()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield f"{process}/{name}", (process / name).read_bytes()
            except OSError:
                continue  # it has ended
    yield "the traces", bytes(traces.received)


@pytest.mark.root
@pytest.mark.timeout(300)
def test_nothing_secret_is_anywhere_after_a_busy_day(
    own_node: Node, traces: Traces, contexts: Contexts, tmp_path: Path
) -> None:
    """Not in Redis' files, databases, logs, traces, argv or environments, plain or in base64."""
    value = secrets.token_hex(24)
    source = tmp_path / "secret"
    source.write_text(value)
    with RegistryServer(has_login=True) as registry:
        token = _busy_day(own_node, contexts, registry, source)
        # Control: the plugin has it, and the search would see it.
        (given,) = own_node.exec_root.glob("c/*/secrets/db")
        assert given.read_text() == value
        eventually(lambda: b"store.secret.keep" in traces.received, "traces arrive")

        forms = {form for one in (value, token, PASSWORD) for form in _forms(one.encode())}
        forms |= _forms(f"{USER}:{PASSWORD}".encode())
        found = {
            place
            for place, content in _places(own_node, traces)
            if any(form in content for form in forms)
        }

    looked_at = {place for place, _ in _places(own_node, traces)}
    for needed in ("store.db", "event.db", "appendonly", "/log", "tokens.json", "secrets.key"):
        assert any(needed in place for place in looked_at), needed
    assert found == set()
