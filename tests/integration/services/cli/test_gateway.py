"""The gateway's socket, with a server that answers as it is told."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from services.cli.adapters.gateway import UnixGateway
from shared import errdefs

_HEALTH = {
    "healthy": False,
    "services": [{"service": "store", "healthy": False, "reason": "no answer", "pid": None}],
}


class _Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        status, body = self.server.answers[f"{self.command} {self.path}"]
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer  # noqa: N815 - the names are the base's

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's word
        """Say nothing."""


class _Server(socketserver.UnixStreamServer):
    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.answers: dict[str, tuple[int, Any]] = {}


@pytest.fixture
def server() -> Iterator[_Server]:
    """Give a server on a socket with a short path."""
    folder = tempfile.TemporaryDirectory(prefix="wherry-gw-")
    with folder, _Server(Path(folder.name) / "s") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _gateway(server: _Server) -> UnixGateway:
    return UnixGateway(socket=Path(str(server.server_address)))


def test_health_of_a_node_that_is_not_well(server: _Server) -> None:
    """503 carries a report, and it is read."""
    server.answers["GET /wherry/v1/health"] = (503, _HEALTH)

    health = _gateway(server).health()

    assert health is not None
    assert (health.healthy, health.complaints) == (False, "store: no answer")


@pytest.mark.parametrize("answer", [(404, {"message": "page not found"}), (200, [1]), (500, None)])
def test_no_health(server: _Server, answer: tuple[int, Any]) -> None:
    """An answer that is no report is no health: something else listens there."""
    server.answers["GET /wherry/v1/health"] = answer

    assert _gateway(server).health() is None


def test_plugins_are_counted(server: _Server) -> None:
    """Plugins are counted by their observed state."""
    states = ["running", "stopped", "running"]
    plugins = [{"status": {"state": state}} for state in states]
    server.answers["GET /wherry/v1/plugins"] = (200, {"plugins": plugins})

    assert _gateway(server).count_plugins() == {"running": 2, "stopped": 1}


def test_shut_down(server: _Server) -> None:
    """204 means that it was done."""
    server.answers["POST /wherry/v1/node/shutdown"] = (204, None)

    _gateway(server).shut_down()


def test_shut_down_refused(server: _Server) -> None:
    """An error of the node is raised by its class and in its words."""
    refusal = {"code": "conflict", "message": "mount /m is busy", "detail": {}}
    server.answers["POST /wherry/v1/node/shutdown"] = (409, refusal)

    with pytest.raises(errdefs.Conflict, match="mount /m is busy"):
        _gateway(server).shut_down()


def test_nobody_listens(tmp_path: Path) -> None:
    """Without a gateway there is no health, no count, and no way to shut down."""
    gateway = UnixGateway(socket=tmp_path / "s")

    assert gateway.health() is None
    assert gateway.count_plugins() is None
    with pytest.raises(errdefs.Unavailable, match="does not answer on"):
        gateway.shut_down()
