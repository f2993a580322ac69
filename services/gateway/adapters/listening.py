"""All sockets that the API is served on, open for a while."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.gateway.adapters.listener import UnixListener, listen_on_tcp, take_over
from services.gateway.domain.listening import Listening, Tls
from shared import errdefs

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """What is listened on: without encryption, and with it."""

    plain: list[socket.socket]
    tls: list[socket.socket]
    #: None where no TLS is spoken.
    context: ssl.SSLContext | None


def take_all_descriptors() -> None:
    """Let this process have as many open files, and so connections, as its hard limit allows.

    Go does so for dockerd. The soft limit is 1024 on most hosts, for programs that use select(2).
    """
    # Not in every service: what the executor starts, plugins too, would have that limit from it.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):  # fs.nr_open is below it by now: it stays as it is
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def listening(own: Path, wish: Listening) -> Iterator[Sockets]:
    """Open the node's *own* socket and what else is wished; close and remove them at the end.

    Raises Conflict for an address that is taken, InvalidArgument for TLS that can't be spoken.
    """
    context = _tls_context(wish.tls) if wish.tls else None
    with contextlib.ExitStack() as stack:
        plain = take_over(wish.inherited)
        for path in (own, *wish.unix):
            unix = UnixListener(path, wish.group)
            plain.append(unix.open())
            stack.callback(unix.remove)
        tcp = [listen_on_tcp(address.host, address.port) for address in wish.tcp]
        for listener in (*plain, *tcp):
            stack.enter_context(contextlib.closing(listener))
            log.info(f"API listen on {_shown(listener)}")
        if context is None:
            yield Sockets(plain=plain + tcp, tls=[], context=None)
        else:
            yield Sockets(plain=plain, tls=tcp, context=context)


def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.authority is not None:
            context.load_verify_locations(tls.authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise errdefs.InvalidArgument(
            f"TLS can't be spoken with {tls.certificate}, {tls.key} and {tls.authority}: {error}; "
            "they must be PEM files, the key the certificate's"
        ) from error
    return context


def _shown(listener: socket.socket) -> str:
    name = listener.getsockname()
    return name if isinstance(name, str) else f"{name[0]}:{name[1]}"
