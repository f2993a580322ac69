"""The door of the API: who comes in, and what of a browser's does not."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import structlog

from services.gateway.domain import api_version
from services.gateway.domain.access import How, Identity, is_console
from services.gateway.domain.authorization import PEER_UID
from services.gateway.entrypoints.dispatch import is_extension
from services.gateway.entrypoints.errors import docker_refusal, wherry_refusal
from services.gateway.entrypoints.exchange import send_answer
from services.gateway.entrypoints.http import Application, Receive, Response, Scope, Send
from services.gateway.service.access import Access, Connection
from shared import errdefs

#: Key under which the scope says who sent the request.
IDENTITY: Final = "wherry.identity"
#: Is told of a request that was not let in.
Refused = Callable[[Scope, int], Awaitable[None]]

log = structlog.get_logger()


class Guarded:
    """An ASGI application that serves who may come in."""

    def __init__(
        self, served: Application, access: Access, *, refused: Refused | None = None
    ) -> None:
        """Tell *refused* of each request that was not let in, and with which status."""
        self._served = served
        self._access = access
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        try:
            self._admit(scope)
        except errdefs.Error as error:
            log.warning("request refused", path=scope["path"], error=error.message)
            answer = refusal(scope, error)
            if self._refused is not None:
                await self._refused(scope, answer.status)
            await send_answer(answer, receive, send)
            return
        await self._served(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        # What the console asks for is asked by whoever sent it the form.
        identity = identity_of(scope) or self._recognized(scope)
        scope[IDENTITY] = identity
        self._access.allow(identity, scope["method"], scope["path"])

    def _recognized(self, scope: Scope) -> Identity:
        connection = _connection(scope)
        if connection.uid is None:
            _refuse_other_pages(scope)
        identity = self._access.identify(connection, header(scope, b"authorization"))
        if identity.how is How.ADDRESS:
            _refuse_other_names(scope)
        self._access.count(identity)
        return identity


def identity_of(scope: Scope) -> Identity | None:
    """Return who sent a request; None for one that nobody needs to be known for."""
    found: Identity | None = scope.get(IDENTITY)
    return found


def header(scope: Scope, name: bytes) -> str:
    """Return a header by its lower-case name, empty when there is none."""
    found = (bytes(value).decode("latin-1") for key, value in scope["headers"] if key == name)
    return next(found, "")


def refusal(scope: Scope, error: errdefs.Error) -> Response:
    """Return an error as the API that was called tells it."""
    if is_extension(scope["path"]):
        answer = wherry_refusal(error)
    else:
        answer = docker_refusal(error, api_version.split(scope["path"])[0])
    if isinstance(error, errdefs.Unauthenticated):
        # A browser asks its user for a name and a password, and sends the token as that.
        scheme = b"Basic" if is_console(scope["path"]) else b"Bearer"
        headers = (*answer.headers, (b"www-authenticate", scheme + b' realm="wherry"'))
        return dataclasses.replace(answer, headers=headers)
    return answer


def _connection(scope: Scope) -> Connection:
    extensions = scope.get("extensions") or {}
    chain = extensions.get("tls", {}).get("client_cert_chain") or ()
    client = scope.get("client")
    return Connection(
        uid=extensions.get(PEER_UID),
        certificate=common_name(chain[0]) if chain else None,
        address=client[0] if client else "an unknown address",
    )


@lru_cache(maxsize=256)
def common_name(pem: str) -> str:
    """Return whom a certificate names; empty when it names nobody."""
    # Late: most gateways see none.
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    names = x509.load_pem_x509_certificate(pem.encode()).subject
    found = names.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _refuse_other_pages(scope: Scope) -> None:
    """Raise PermissionDenied for a browser's request that another page than ours made."""
    origin = header(scope, b"origin")
    # "null", and what a browser never sends, have no host.
    if origin and origin.partition("://")[2] != header(scope, b"host"):
        raise errdefs.PermissionDenied(
            f"a page of {origin} has no business at this API: call it from a program, or from the "
            "node's own console"
        )


def _refuse_other_names(scope: Scope) -> None:
    """Raise PermissionDenied where a name of somebody else's was made to lead to loopback."""
    host = _hostname(header(scope, b"host"))
    if host and host != "localhost" and not _is_address(host):
        raise errdefs.PermissionDenied(
            f"{host} is no name of this node's: call it by its address, by localhost, or show a "
            "token or a certificate"
        )


def _hostname(host: str) -> str:
    """Return the name in a Host header; all of it, which is no name, where it can't be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
