"""The ASGI application: Docker's routes, and behind /wherry/v1 our own."""

from __future__ import annotations

import time
from typing import Final

import structlog

from services.gateway.domain import api_version, docker_json
from services.gateway.entrypoints import metrics, tracing
from services.gateway.entrypoints.errors import docker_status
from services.gateway.entrypoints.exchange import CLIENT_GONE, Exchange
from services.gateway.entrypoints.http import (
    JSON,
    TEXT,
    Application,
    ClientGoneError,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    Stream,
)
from services.gateway.entrypoints.router import Router
from shared import errdefs

_EXTENSION: Final = "/wherry/v1"
_NOT_FOUND: Final = errdefs.NotFound("page not found")
_FAULT: Final = errdefs.Internal("the gateway failed on this request; its log says why")

log = structlog.get_logger()


class App:
    """Answers every request, traces it, and writes one line about it."""

    def __init__(self, router: Router, extension: Application) -> None:
        self._router = router
        self._extension = extension

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        began = time.perf_counter()
        with tracing.serving(scope) as span:
            exchange = Exchange(scope, receive, send, trace_id=tracing.trace_id(span))
            try:
                await self._serve(exchange)
            except ClientGoneError:
                exchange.status = CLIENT_GONE
            except Exception:
                log.exception("request failed", method=scope["method"], path=scope["path"])
                await self._admit_fault(exchange)
            finally:
                status = exchange.status or CLIENT_GONE
                seconds = time.perf_counter() - began
                metrics.observe(
                    method=scope["method"], route=exchange.route, status=status, seconds=seconds
                )
                tracing.finish(span, method=scope["method"], route=exchange.route, status=status)
                log.info(
                    "request",
                    method=scope["method"],
                    route=exchange.route,
                    path=scope["path"],
                    status=status,
                    duration_ms=round(seconds * 1000, 3),
                )

    async def _serve(self, exchange: Exchange) -> None:
        path = exchange.scope["path"]
        if path == _EXTENSION or path.startswith(f"{_EXTENSION}/"):
            await self._extension(exchange.scope, exchange.receive, exchange.send)
            route = exchange.scope.get("route")
            exchange.route = getattr(route, "path", "")
        else:
            await exchange.answer(await self._docker(exchange))

    async def _docker(self, exchange: Exchange) -> Response | Stream:
        version, path = api_version.split(exchange.scope["path"])
        try:
            match = self._router.find(exchange.scope["method"], path)
            if match is None:
                return _refusal(_NOT_FOUND, version)
            exchange.route = match.route.template
            api_version.check(version)
            request = Request(exchange.scope, exchange.receive, match.params, version=version)
            return await match.route.handler(request)
        except errdefs.Error as error:
            return _refusal(error, version)

    async def _admit_fault(self, exchange: Exchange) -> None:
        """Answer 500; an answer that has begun is cut, so that nobody takes it for a whole one."""
        if not exchange.status:
            await exchange.answer(_refusal(_FAULT, ""))


def _refusal(error: errdefs.Error, version: str) -> Response:
    status = docker_status(error)
    if api_version.has_plain_errors(version):
        body = error.message.encode("utf-8", "replace") + b"\n"
        nosniff = ((b"x-content-type-options", b"nosniff"),)
        return Response(status=status, body=body, content_type=TEXT, headers=nosniff)
    body = docker_json.encode({"message": error.message})
    return Response(status=status, body=body, content_type=JSON)
