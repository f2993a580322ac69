"""Docker's routes about the engine itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from services.gateway import ports
from services.gateway.domain import system_info
from services.gateway.entrypoints.http import TEXT, Request, Response, json_response
from services.gateway.entrypoints.router import Route
from services.gateway.service.feed import Feed
from services.gateway.service.replica import Replica
from shared import errdefs

#: As dockerd says it; clients then build through BuildKit, which they bring along.
_PING_HEADERS: Final = (
    (b"builder-version", b"2"),
    (b"swarm", b"inactive"),
    (b"cache-control", b"no-cache, no-store, must-revalidate"),
    (b"pragma", b"no-cache"),
)
_NS: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRoutes:
    """The handlers, and what they tell about."""

    engine: system_info.Engine
    programs: ports.Programs
    machine: ports.Machine
    replica: Replica
    feed: Feed

    def routes(self) -> tuple[Route, ...]:
        """Return the table."""
        return (
            Route(method="OPTIONS", template="/{path}", handler=self.options),
            Route(method="GET", template="/_ping", handler=self.ping, now=self.ping_now),
            Route(method="HEAD", template="/_ping", handler=self.ping),
            Route(method="GET", template="/version", handler=self.version, now=self.version_now),
            Route(method="GET", template="/info", handler=self.info),
        )

    async def options(self, request: Request) -> Response:
        """Say yes."""
        return Response()

    async def ping(self, request: Request) -> Response:
        """Say that the API answers."""
        pong = self.ping_now(request.params)
        return replace(pong, body=b"") if request.method == "HEAD" else pong

    def ping_now(self, _params: Mapping[str, str]) -> Response:
        """Say that the API answers."""
        return Response(body=b"OK", content_type=TEXT, headers=_PING_HEADERS)

    async def version(self, request: Request) -> Response:
        """Tell which engine this is, and what it runs on."""
        await self.programs.known()
        return self.version_now(request.params)

    def version_now(self, _params: Mapping[str, str]) -> Response:
        """Tell which engine this is and what it runs on; raises Unavailable until that is known."""
        if not self.programs.are_known:
            raise errdefs.Unavailable("the versions of its programs are not known yet")
        return json_response(system_info.version(self.engine, self.programs.found))

    async def info(self, request: Request) -> Response:
        """Tell the state of the node, as far as it is known."""
        now = system_info.Moment(
            plugins=tuple(e.plugin for e in self.replica.inventory.entries.values()),
            programs=await self.programs.known(),
            open_files=self.machine.open_files(),
            listeners=self.feed.listeners,
            forwards_ipv4=self.machine.forwards_ipv4(),
            time=_rfc3339(time.time_ns()),
        )
        return json_response(system_info.info(self.engine, now))


def _rfc3339(ns: int) -> str:
    seconds, fraction = divmod(ns, _NS)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"
