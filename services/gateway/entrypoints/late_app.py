"""An application that is made when it is first needed: FastAPI costs a third of a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.gateway.entrypoints.http import Application, Receive, Scope, Send


class LateApp:
    """Makes an application in a thread, once, while other requests go on."""

    def __init__(self, make: Callable[[], Application]) -> None:
        self._make = make
        self._making: asyncio.Task[Application] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._make))
        # Shielded: who hangs up meanwhile must not take it from the others.
        app = await asyncio.shield(self._making)
        await app(scope, receive, send)
