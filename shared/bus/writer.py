"""Everything that is written: what many tasks ask goes out as one pipeline."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from shared.bus.connection import DisconnectedError, Link, Words, keep_running
from shared.bus.server import Server

_BATCH = 128


class NotSentError(Exception):
    """There was no connection in time: nothing was sent."""


class _Request:
    __slots__ = ("answer", "commands")

    def __init__(self, commands: tuple[Words, ...]) -> None:
        self.commands = commands
        self.answer: asyncio.Future[tuple[str, list[Any]]] = (
            asyncio.get_running_loop().create_future()
        )

    def give_up(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(NotSentError("no connection to Redis"))


class Writer:
    """Sends commands over one connection, none of them twice."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting: deque[_Request] = deque()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Send what is asked until cancelled."""
        await keep_running(self._server.link(), self._session, settings=self._server.settings)

    async def call(
        self, *commands: Words, patience_s: float | None = None
    ) -> tuple[str, list[Any]]:
        """Send the commands, in order; return the generation they met and the raw answers.

        Raises NotSentError when there was no connection for *patience_s* (None: waits for
        ever), DisconnectedError when the commands may or may not have been carried out.
        """
        request = _Request(commands)
        self._waiting.append(request)
        self._news.set()
        if patience_s is None:
            return await request.answer
        timer = asyncio.get_running_loop().call_later(patience_s, self._give_up, request)
        try:
            return await request.answer
        finally:
            timer.cancel()

    async def persist(self, *commands: Words) -> list[Any]:
        """Send commands that may be repeated, until they were answered."""
        while True:
            try:
                return (await self.call(*commands))[1]
            except DisconnectedError:
                continue

    def _give_up(self, request: _Request) -> None:
        if request in self._waiting:
            self._waiting.remove(request)
            request.give_up()

    async def _session(self, link: Link) -> None:
        while True:
            await self._news.wait()
            # Redis may have closed an idle connection: found here, nothing of the batch is lost.
            await link.connect()
            batch = self._take()
            try:
                await self._send(link, batch)
            finally:
                for request in batch:
                    if not request.answer.done():
                        request.answer.set_exception(
                            DisconnectedError("Redis did not answer while it was written to")
                        )

    def _take(self) -> list[_Request]:
        batch: list[_Request] = []
        while self._waiting and len(batch) < _BATCH:
            request = self._waiting.popleft()
            if not request.answer.done():
                batch.append(request)
        if not self._waiting:
            self._news.clear()
        return batch

    async def _send(self, link: Link, batch: list[_Request]) -> None:
        if not batch:
            return
        asked = self._server.ask_generation()
        commands = [command for request in batch for command in request.commands]
        answers = await link.call(asked, *commands)
        generation = self._server.observe(asked, answers[0])
        position = 1
        for request in batch:
            end = position + len(request.commands)
            if not request.answer.done():
                request.answer.set_result((generation, answers[position:end]))
            position = end
