"""Processes put beside plugins' own, in /wherry/v1; their streams are as Docker's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.hijack import (
    HIJACK,
    MULTIPLEXED,
    RAW,
    Head,
    RefusedError,
    TakeOver,
    splice,
    wants_upgrade,
)
from services.gateway.entrypoints.http import ClientGoneError, Receive, Scope, Send
from services.gateway.entrypoints.idempotency import refuse_key
from services.gateway.ports import Stream
from services.gateway.service.execs import PluginExecs
from shared import errdefs
from shared.contracts.executor import Exec, StartExec

Size = Annotated[int, Query(ge=1, le=65_535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecExtension:
    """The handlers, and what they need."""

    execs: PluginExecs

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        upgraded: dict[int | str, dict[str, Any]] = {
            101: {"description": "raw bytes both ways from here on"},
            200: {"description": "it was started; or, without `Upgrade`, raw bytes"},
        }
        router.post("/plugins/{name:path}/exec", status_code=201)(self.create)
        router.get("/exec/{exec_id}")(self.get)
        keyless = [Depends(refuse_key)]
        start = router.post(
            "/exec/{exec_id}/start",
            response_class=Response,
            responses=upgraded,
            dependencies=keyless,
        )
        start(self.start)
        resized = router.post("/exec/{exec_id}/resize", status_code=204, dependencies=keyless)
        resized(self.resize)
        signalled = router.post("/exec/{exec_id}/signal", status_code=204, dependencies=keyless)
        signalled(self.signal)

    async def create(self, name: str, wish: models.ExecRequest) -> Exec:
        """Make an exec in an enabled plugin, yet to be started."""
        return await self.execs.create(name, wish.config())

    async def get(self, exec_id: str) -> Exec:
        """Show an exec; one that ended is kept for five minutes."""
        return await self.execs.get(exec_id)

    async def start(self, exec_id: str, wish: models.ExecStart) -> Response:
        """Start an exec, once: the connection becomes its input and output, as Docker's does.

        Without a terminal, output comes in Docker's frames. Hanging up ends the process; with
        `detach` it goes on by itself.
        """
        made = await self.execs.get(exec_id)
        command = StartExec(
            exec_id=exec_id, detach=wish.detach, height=wish.height, width=wish.width
        )
        stream = await self.execs.start(command)
        if wish.detach:
            await self.execs.end(stream)
            return Response()
        return _Attached(self.execs, stream, RAW if made.tty else MULTIPLEXED)

    async def resize(self, exec_id: str, h: Size, w: Size) -> None:
        """Say how large the terminal is."""
        await self.execs.resize(exec_id, h, w)

    async def signal(self, exec_id: str, signal: str) -> None:
        """Send a signal to the process."""
        await self.execs.signal(exec_id, signal)


class _Attached(Response):
    """Takes the connection over."""

    def __init__(self, execs: PluginExecs, stream: Stream, content_type: bytes) -> None:
        super().__init__()
        self._execs = execs
        self._stream = stream
        self._content_type = content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak until the process ends, or the client hangs up."""
        try:
            take_over: TakeOver | None = (scope.get("extensions") or {}).get(HIJACK)
            if take_over is None:
                raise errdefs.Unimplemented("this server can't hand a connection over")
            head = Head(is_upgrade=wants_upgrade(scope), content_type=self._content_type)
            try:
                client = await take_over(head)
            except ConnectionError as error:
                raise ClientGoneError from error
            except RefusedError:
                return
            await splice(client, self._stream)
        finally:
            await self._execs.end(self._stream)
