"""uvicorn's protocol with an end to what a head may grow to, and connections to be taken over."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.gateway.adapters.long_answers import LONG, LongAnswers
from services.gateway.domain.authorization import PEER_PID, PEER_UID
from shared.streams import Duplex

#: Bytes of a request's line and headers; the parser itself knows no limit.
HEAD_LIMIT: Final = 64 * 1024
#: Seconds until a head is whole, the first one from when the client has connected. dockerd waits
#: for 300; Go's clients let go of a connection that they made and did not need after 90.
HEAD_LIMIT_S: Final = 120.0
#: Key of the extension by which an application takes over the connection of its request.
HIJACK: Final = "wherry.hijack"
_OK: Final = b"HTTP/1.1 200 OK\r\n"
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)
#: Bytes that are read ahead of an application.
_AHEAD: Final = 64 * 1024
#: Bytes that a unix socket may hold of long answers, which are pages that all of them share.
_SEND_BUFFER: Final = 1 << 20
_SO_SNDBUFFORCE: Final = 32  # socket(7); Python has no name for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The process that connected to a unix socket."""

    pid: int
    uid: int


class HijackableProtocol(HttpToolsProtocol):
    """Bounds heads, and lets an application take a connection over, as raw bytes both ways.

    The parser takes everything behind the head of a request with `Upgrade` for raw bytes, its
    body, too; Docker's clients send one. So the body is counted here.
    """

    _is_in_message = False
    _is_in_head = False
    _head_bytes = 0
    #: Whether the timer that uvicorn has for idle connections runs for a head.
    _is_head_timed = False
    #: Until when the connection may be idle, where that is later than the timer's end.
    _idle_until = 0.0
    head_limit_s = HEAD_LIMIT_S
    #: ASGI's TLS extension, where the client has shown a certificate.
    _tls: dict[object, object] | None = None
    _peer: Peer | None = None
    #: What came behind such a head and its body; None before one came.
    _raw: bytearray | None = None
    _body_left = 0
    _has_ended = False
    _has_send_buffer = False
    #: Of whoever gives ready answers.
    long_answers: LongAnswers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # asyncio's
        """Note whose certificate was verified, or who came over the unix socket."""
        super().connection_made(transport)
        self._time_head()
        tls = transport.get_extra_info("ssl_object")
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        if shown:
            self._tls = {"client_cert_chain": (ssl.DER_cert_to_PEM_cert(shown),)}
        self._peer = _peer(transport.get_extra_info("socket"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Have no timer hold a connection that is gone."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def on_message_begin(self) -> None:
        """Begin to count the head, and offer the connection to the application."""
        self._is_in_message = True
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()
        extensions: dict[str, Any] = {HIJACK: self.hijack}
        if self._tls is not None:
            extensions["tls"] = self._tls
        if self._peer is not None:
            extensions[PEER_UID] = self._peer.uid
            extensions[PEER_PID] = self._peer.pid
        self.scope["extensions"] = extensions

    def on_headers_complete(self) -> None:
        """Stop counting; what follows an upgrade is no request."""
        self._is_in_head = self._is_head_timed = False
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # Whatever the answer, what follows can't be parsed as another request.
            self.cycle.keep_alive = False
            self._body_left = _content_length(self.headers)

    def on_message_complete(self) -> None:
        """End the request, unless its body is still to come."""
        if not (self.parser.should_upgrade() and self._body_left):
            self._is_in_message = False
            super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Take data in: a request, or what comes behind one that asked for an upgrade."""
        if self._raw is not None:
            self._take_raw(data)
            return
        if self._is_answered(data):
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._raw = bytearray()
            self._take_raw(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        else:
            self._bound_head(len(data))

    @property
    def _is_idle(self) -> bool:
        """Tell whether no answer is in hand."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def _is_answered(self, data: bytes) -> bool:
        """Answer a request whose answer lies ready, between requests and with nothing unsent."""
        # On TCP somebody has to be known first.
        if self._peer is None or self._is_in_message:
            return False
        if not self._is_idle or self.flow.write_paused or self.transport.is_closing():
            return False
        answer = self.ready(data)
        if answer is None:
            return False
        self._time_idleness()
        self._send(_OK + self._date(), answer)
        return True

    def _send(self, head: bytes, answer: bytes) -> None:
        if len(answer) < LONG:
            self.transport.writelines((head, answer))
            return
        self.transport.write(head)
        # What is sent past the transport must not come before what that still has.
        is_clear = not (self.transport.get_write_buffer_size() or self.transport.is_closing())
        sent = self.long_answers.send(self._long_socket(), answer) if is_clear else 0
        if sent < len(answer):
            self.transport.write(memoryview(answer)[sent:])

    def _long_socket(self) -> int:
        """Return the connection's descriptor, with room for a long answer."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        if not self._has_send_buffer:
            self._has_send_buffer = True
            with contextlib.suppress(PermissionError):  # then it comes in more pieces
                connection.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
        return connection.fileno()

    def _date(self) -> bytes:
        """Return the header that uvicorn keeps up to date."""
        return b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)

    def ready(self, _head: bytes) -> bytes | None:
        """Return the answer to a request, behind its date, where that needs no cycle."""
        return None

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio heeds what it returns
        """Keep what only the client has ended, where there may be something left to say."""
        self._has_ended = True
        return self._raw is not None

    def hijack(self, head: bytes) -> Duplex:
        """Take the connection over and send a head of one's own.

        Raises ConnectionError when the client is gone.
        """
        if self.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._unset_keepalive_if_required()
        self.cycle.disconnected = True  # for uvicorn: it has nothing more to send
        self.cycle.message_event.set()
        reader = asyncio.StreamReader(limit=_AHEAD)
        protocol = _Hijacked(reader, self)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        self.flow.resume_reading()
        if self._raw:
            reader.feed_data(bytes(self._raw))
        if self._has_ended:
            reader.feed_eof()
        writer = asyncio.StreamWriter(self.transport, protocol, reader, self.loop)
        writer.write(head)
        return Duplex(reader, writer)

    def _bound_head(self, received: int) -> None:
        """Hang up when a head does not end; a timer runs for one that is not whole at once."""
        self._head_bytes += received
        if not self._is_in_head or self.transport.is_closing():
            return
        if self._head_bytes > HEAD_LIMIT:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif not self._is_head_timed:
            self._time_head()

    def _time_head(self) -> None:
        self._is_head_timed, self._idle_until = True, 0.0
        self._hang_up_in(self.head_limit_s)

    def _time_idleness(self) -> None:
        """Give the client its time anew; the timer that runs for it looks when it is over."""
        self._idle_until = self.loop.time() + self.timeout_keep_alive
        if self._is_head_timed:
            self._is_head_timed = False
            self._hang_up_in(self.timeout_keep_alive)

    def _hang_up_in(self, seconds: float) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Hang up, unless an answer is in hand or one that lay ready was given meanwhile."""
        left_s = self._idle_until - self.loop.time() if self._is_idle else self.head_limit_s
        if left_s > 0:
            self._hang_up_in(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _take_raw(self, data: bytes) -> None:
        assert self._raw is not None
        body, rest = data[: self._body_left], data[self._body_left :]
        if body:
            self._body_left -= len(body)
            self.on_body(body)
            if not self._body_left:
                self._is_in_message = False
                super().on_message_complete()
        self._raw += rest
        if len(self._raw) > _AHEAD:
            self.flow.pause_reading()


class _Hijacked(asyncio.StreamReaderProtocol):
    """Tells uvicorn, which counts connections, of this one's end."""

    def __init__(self, reader: asyncio.StreamReader, owner: HttpToolsProtocol) -> None:
        super().__init__(reader)
        self._owner = owner

    def connection_lost(self, exc: Exception | None) -> None:
        """End the reader, and the count."""
        super().connection_lost(exc)
        self._owner.connection_lost(exc)


def _peer(connection: socket.socket | None) -> Peer | None:
    """Return whom the kernel vouches for; None but on a unix socket (unix(7))."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    size = struct.calcsize("3i")
    pid, uid, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return Peer(pid=int(pid), uid=int(uid))


def _content_length(headers: list[tuple[bytes, bytes]]) -> int:
    lengths = (int(value) for name, value in headers if name == b"content-length")
    return next(lengths, 0)
