"""The way of a call to the wire: a unix socket however long its path, TCP, or TLS."""

from __future__ import annotations

import contextlib
import errno
import os
import ssl
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import httpcore
import httpx

from shared import errdefs
from shared.plugin_rpc.endpoint import Endpoint, Tls

_NEVER_IDLE: Final = httpx.Limits(max_keepalive_connections=0)
_IDLE_LIMIT_S: Final = 5.0


def make(endpoint: Endpoint) -> httpx.AsyncBaseTransport:
    """Return the transport to an endpoint; raises InvalidArgument when its TLS files are wrong."""
    if endpoint.socket is not None:
        return SocketTransport(endpoint.socket, is_confined=endpoint.is_confined)
    verify = _context(endpoint) if endpoint.url.startswith("https:") else False
    limits = httpx.Limits(keepalive_expiry=_IDLE_LIMIT_S)
    return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)


class SocketTransport(httpx.AsyncHTTPTransport):
    """A connection a call: to connect costs little there, and none goes stale meanwhile."""

    def __init__(self, path: Path, *, is_confined: bool) -> None:
        super().__init__(verify=False, trust_env=False, limits=_NEVER_IDLE)
        # httpx hands no backend on to its pool.
        self._pool = httpcore.AsyncConnectionPool(
            uds=str(path),
            max_keepalive_connections=0,
            network_backend=_SocketBackend(is_confined=is_confined),
        )


class _SocketBackend(httpcore.AnyIOBackend):
    """Connects by descriptor: AF_UNIX paths end at 107 bytes, /proc/self/fd does not care."""

    def __init__(self, *, is_confined: bool) -> None:
        super().__init__()
        self._is_confined = is_confined

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect; a link in a confined plugin's folder is not followed."""
        try:
            with _opened(Path(path), is_confined=self._is_confined) as descriptor:
                return await super().connect_unix_socket(
                    f"/proc/self/fd/{descriptor}", timeout, socket_options
                )
        except OSError as error:
            raise httpcore.ConnectError(f"connect: {os.strerror(error.errno or 0)}") from error


@contextlib.contextmanager
def _opened(path: Path, *, is_confined: bool) -> Iterator[int]:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        follow = os.O_NOFOLLOW if is_confined else 0
        descriptor = os.open(path.name, os.O_PATH | os.O_CLOEXEC | follow, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise OSError(errno.ECONNREFUSED, "not a socket")
        yield descriptor
    finally:
        os.close(descriptor)


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    tls = endpoint.tls or Tls()
    context = ssl.create_default_context()
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if tls.ca_file:
            context.load_verify_locations(tls.ca_file)
        if tls.cert_file or tls.key_file:
            context.load_cert_chain(tls.cert_file, tls.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise errdefs.InvalidArgument(
            f"the TLS files of plugin {endpoint.name} cannot be read: {error}; "
            f"CAFile={tls.ca_file} CertFile={tls.cert_file} KeyFile={tls.key_file}",
            docker_unclassed=True,
        ) from error
    return context
