"""ports.ConsoleServer: the console on a loopback port, relayed to the gateway's unix socket."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from services.cli.adapters.unix_http import UnixConnection
from services.cli.domain.ticket import Ticket
from shared import errdefs

_LOOPBACK: Final = "127.0.0.1"
#: A browser sends cookies to all ports of a host, so each has a name of its own.
_COOKIE: Final = "wherry-door-{port}"
_BODY_LIMIT: Final = 1 << 20
_PIECE: Final = 64 * 1024
#: Of one connection, not of what lies between.
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
_USED: Final = (
    "This address was used already, or is of another `wherry ui`. Run `wherry ui` anew and open "
    "the address that it shows.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackConsole:
    """Serves browsers of this machine that bring the ticket first, and their cookie then."""

    socket: Path

    def serve(self, port: int, ticket: Ticket, ready: Callable[[str], None]) -> None:
        """Serve until interrupted; *ready* is told the first address; raises Conflict."""

        class Relay(_Relay):
            gateway = self.socket
            door = ticket

        try:
            server = ThreadingHTTPServer((_LOOPBACK, port), Relay)
            Relay.port = server.server_port
        except OSError as error:
            raise errdefs.Conflict(
                f"cannot serve on {_LOOPBACK}:{port}: {error.strerror}; name another --port"
            ) from error
        with server, contextlib.suppress(KeyboardInterrupt):
            ready(f"http://{_LOOPBACK}:{server.server_port}/ui/?key={ticket.key}")
            server.serve_forever()


class _Relay(BaseHTTPRequestHandler):
    """One browser's connection."""

    protocol_version = "HTTP/1.1"
    gateway: ClassVar[Path]
    door: ClassVar[Ticket]
    port: ClassVar[int]

    def do_GET(self) -> None:
        """Let in who brings the ticket; relay what those ask for who are in."""
        self._serve()

    do_HEAD = do_POST = do_GET  # noqa: N815 - names of http.server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - a name of http.server
        """Say nothing: the gateway logs requests."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        key = parse_qs(address.query).get("key", [""])[0]
        if not self._is_ours():
            self._say(HTTPStatus.FORBIDDEN, "the console is served as 127.0.0.1 only\n")
        elif key and self.door.take(key):
            self._let_in()
        elif not self.door.admits(self._cookie()):
            self._say(HTTPStatus.FORBIDDEN, _USED)
        elif address.path != "/ui" and not address.path.startswith("/ui/"):
            self._say(HTTPStatus.NOT_FOUND, "page not found: the console is at /ui/\n")
        else:
            self._relay()

    def _is_ours(self) -> bool:
        """Tell a browser that means this server from one that was sent here by another name."""
        ours = {f"{_LOOPBACK}:{self.port}", f"localhost:{self.port}"}
        return self.headers.get("host") in ours

    def _cookie_name(self) -> str:
        return _COOKIE.format(port=self.port)

    def _cookie(self) -> str:
        try:
            morsel = SimpleCookie(self.headers.get("cookie", "")).get(self._cookie_name())
        except CookieError:
            return ""
        return morsel.value if morsel else ""

    def _let_in(self) -> None:
        cookie = f"{self._cookie_name()}={self.door.pass_}; Path=/; HttpOnly; SameSite=Strict"
        self._answer_head(
            HTTPStatus.SEE_OTHER,
            {
                "Location": "/ui/",
                "Set-Cookie": cookie,
                "Referrer-Policy": "no-referrer",
                "Content-Length": "0",
            },
        )

    def _relay(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > _BODY_LIMIT:
            self.close_connection = True
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "forms are not that long\n")
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        body = self.rfile.read(length) if length else None
        with contextlib.closing(UnixConnection(self.gateway, None)) as connection:
            try:
                connection.request(self.command, self.path, body=body, headers=headers)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self._say(
                    HTTPStatus.BAD_GATEWAY,
                    f"the gateway does not answer: {error}; `wherry status` says more\n",
                )
                return
            with answer:
                self._pass_on(answer)

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        """Send an answer piece by piece; a browser that leaves ends it."""
        headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP]
        # Of what has no length, the end of the connection is the end.
        self.close_connection = answer.getheader("content-length") is None
        self.send_response_only(answer.status)
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError, http.client.HTTPException):
            while piece := answer.read1(_PIECE):
                self.wfile.write(piece)
                self.wfile.flush()

    def _say(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self._answer_head(
            status,
            {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))},
        )
        if self.command != "HEAD":
            self.wfile.write(body)

    def _answer_head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
