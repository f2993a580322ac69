"""Idempotency-Key: requests of /wherry/v1 that carry the same one have one outcome."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from services.gateway.domain.access import How
from services.gateway.entrypoints.access import identity_of
from services.gateway.entrypoints.errors import wherry_refusal
from services.gateway.entrypoints.exchange import send_answer
from services.gateway.entrypoints.http import Application, Receive, Scope, Send
from shared import errdefs
from shared.idempotency.key import RequestKey, current, using

_HEADER: Final = b"idempotency-key"
_LONGEST: Final = 255
_WITHOUT_EFFECT: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Keyed:
    """An ASGI application whose commands answer to the key of their request."""

    def __init__(self, served: Application) -> None:
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        raw = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        if not raw or scope["method"] in _WITHOUT_EFFECT:
            await self._served(scope, receive, send)
        elif len(raw) > _LONGEST:
            error = errdefs.InvalidArgument(
                f"the Idempotency-Key has {len(raw)} bytes: at most {_LONGEST} are taken"
            )
            await send_answer(wherry_refusal(error), receive, send)
        else:
            key = raw.decode("latin-1")
            with using(RequestKey(key, _caller(scope), scope["method"], scope["path"])):
                await self._served(scope, receive, send)


def refuse_key() -> None:
    """Refuse a request that has a key where none can be kept: a repeat would act twice."""
    if current() is not None:
        raise errdefs.InvalidArgument(
            "this request takes no Idempotency-Key: send it without one, and look before you repeat"
        )


def _caller(scope: Scope) -> str:
    """Return what tells clients with tokens or certificates apart; the others are one."""
    identity = identity_of(scope)
    if identity is not None and identity.how is How.TOKEN:
        return str(identity)
    tls: dict[str, Any] = (scope.get("extensions") or {}).get("tls") or {}
    chain = "".join(tls.get("client_cert_chain") or ())
    return hashlib.sha256(chain.encode()).hexdigest() if chain else ""
