"""The outermost part of the API: what every request has in common."""

from __future__ import annotations

import time
from urllib.parse import parse_qsl

import structlog

from services.gateway.entrypoints import metrics, tracing
from services.gateway.entrypoints.access import identity_of
from services.gateway.entrypoints.dispatch import is_extension
from services.gateway.entrypoints.errors import FAULT, docker_refusal, wherry_refusal
from services.gateway.entrypoints.exchange import CLIENT_GONE, Exchange, send_answer
from services.gateway.entrypoints.http import (
    Application,
    ClientGoneError,
    Receive,
    Scope,
    Send,
)
from services.gateway.entrypoints.router import Route

log = structlog.get_logger()


class App:
    """Answers every request, traces it, and writes one line about it."""

    def __init__(self, served: Application, *, are_reads_traced: bool = True) -> None:
        self._served = served
        self._are_reads_traced = are_reads_traced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        began = time.perf_counter()
        with tracing.serving(scope, are_reads_recorded=self._are_reads_traced) as span:
            exchange = Exchange(send, trace_id=tracing.trace_id(span))
            exchange.offer_hijack(scope)
            try:
                await self._served(scope, receive, exchange.send)
            except ClientGoneError:
                exchange.status = CLIENT_GONE
            except Exception:
                log.exception("request failed", method=scope["method"], path=scope["path"])
                await _admit_fault(exchange, scope["path"], receive)
            finally:
                status = exchange.status or CLIENT_GONE
                seconds = time.perf_counter() - began
                route = _template(scope)
                metrics.observe(method=scope["method"], route=route, status=status, seconds=seconds)
                plugin = _plugin(scope, route)
                tracing.finish(
                    span, method=scope["method"], route=route, plugin=plugin, status=status
                )
                log.info(
                    "request",
                    method=scope["method"],
                    route=route,
                    path=scope["path"],
                    client=str(identity_of(scope) or ""),
                    status=status,
                    **({"plugin": plugin} if plugin else {}),
                    duration_ms=round(seconds * 1000, 3),
                )


async def _admit_fault(exchange: Exchange, path: str, receive: Receive) -> None:
    """Answer 500; an answer that has begun is cut, so that nobody takes it for a whole one."""
    if not exchange.status:
        refusal = wherry_refusal(FAULT) if is_extension(path) else docker_refusal(FAULT, "")
        await send_answer(refusal, receive, exchange.send)


def _plugin(scope: Scope, route: str) -> str:
    """Return the plugin that a request is about, as the client named it; nothing where it is not.

    Of a pull that is what it is to be called here, or else where it comes from.
    """
    if "/plugins/" not in route:
        return ""
    if name := (scope.get("path_params") or {}).get("name"):
        return str(name)
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    return query.get("name") or query.get("remote") or ""


def _template(scope: Scope) -> str:
    """Return the template of the route that was found, Docker's or FastAPI's; else nothing."""
    route = scope.get("route")
    return route.template if isinstance(route, Route) else str(getattr(route, "path", ""))
