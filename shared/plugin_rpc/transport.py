"""The way of a call to the wire: a unix socket, TCP, or TLS."""

from __future__ import annotations

import ssl
from typing import Final

import httpx

from shared import errdefs
from shared.plugin_rpc.endpoint import Endpoint, Tls
from shared.plugin_rpc.socket_transport import SocketTransport

_IDLE_LIMIT_S: Final = 5.0


def make(endpoint: Endpoint) -> httpx.AsyncBaseTransport:
    """Return the transport to an endpoint; raises InvalidArgument when its TLS files are wrong."""
    if endpoint.socket is not None:
        return SocketTransport(endpoint.socket, is_confined=endpoint.is_confined)
    verify = _context(endpoint) if endpoint.url.startswith("https:") else False
    limits = httpx.Limits(keepalive_expiry=_IDLE_LIMIT_S)
    return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)


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
    except (OSError, ValueError) as error:  # not there, no certificate, no file's name
        raise errdefs.InvalidArgument(
            f"the TLS files of plugin {endpoint.name} cannot be read: {error}; "
            f"CAFile={tls.ca_file} CertFile={tls.cert_file} KeyFile={tls.key_file}",
            docker_unclassed=True,
        ) from error
    return context
