"""Whose a request is: one of Docker's routes, behind /wherry/v1 one of ours, the console's."""

from __future__ import annotations

from typing import Final

from services.gateway.domain import api_version
from services.gateway.entrypoints.errors import docker_refusal
from services.gateway.entrypoints.exchange import send_answer
from services.gateway.entrypoints.http import (
    Application,
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
_CONSOLE: Final = "/ui"
_NOT_FOUND: Final = errdefs.NotFound("page not found")


def is_extension(path: str) -> bool:
    """Tell whether a path is of our own API."""
    return _is_below(path, _EXTENSION)


class Dispatch:
    """An ASGI application; leaves the route that it found, and its parameters, in the scope."""

    def __init__(self, router: Router, extension: Application, console: Application) -> None:
        self._router = router
        self._extension = extension
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if is_extension(scope["path"]):
            await self._extension(scope, receive, send)
        elif _is_below(scope["path"], _CONSOLE):
            await self._console(scope, receive, send)
        else:
            await send_answer(await self._docker(scope, receive), receive, send)

    async def _docker(self, scope: Scope, receive: Receive) -> Response | Stream:
        version, path = api_version.split(scope["path"])
        try:
            match = self._router.find(scope["method"], path)
            if match is None:
                return docker_refusal(_NOT_FOUND, version)
            scope["route"] = match.route
            scope["path_params"] = match.params
            api_version.check(version)
            return await match.route.handler(Request(scope, receive, match.params, version=version))
        except errdefs.Error as error:
            return docker_refusal(error, version)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
