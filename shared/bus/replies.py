"""The answers to one process: one stream, read by one task, told apart by correlation."""

from __future__ import annotations

import asyncio

import structlog

from shared import errdefs
from shared.bus.connection import Link, keep_running, stream_entries
from shared.bus.envelope import Entry, Reply, UnreadableError, decode_reply
from shared.bus.server import Server

log = structlog.get_logger()

_COUNT = 256


class Waiting:
    """A command that was sent and not answered yet."""

    __slots__ = ("generation", "reply", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        #: Generation of Redis' data that took the command; None: not answered yet.
        self.generation: str | None = None
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def taken(self, generation: str, *, current: str) -> None:
        """Note which data took the command, and fail if they are lost already."""
        self.generation = generation
        self.check(current)

    def check(self, current: str) -> None:
        """Fail if the data that took the command are lost."""
        if self.generation in (None, current) or self.reply.done():
            return
        self.reply.set_exception(
            errdefs.Unavailable(
                f"the message bus lost its data while {self.what} was under way; what was asked "
                "may or may not have happened: look, then try again"
            )
        )


class Replies:
    """Reads the process' reply stream; being always at it, it also tells whether Redis is up."""

    def __init__(self, server: Server) -> None:
        self.stream = ""
        self._server = server
        self._waiting: dict[str, Waiting] = {}
        self._cursor = "0-0"
        server.on_change(self._on_change)

    async def run(self) -> None:
        """Read until cancelled."""
        await keep_running(
            self._server.link(),
            self._session,
            settings=self._server.settings,
            on_broken=self._server.went_down,
        )

    def expect(self, correlation: str, what: str) -> Waiting:
        """Return what the reply will be handed to; *forget* must follow."""
        waiting = self._waiting[correlation] = Waiting(what)
        return waiting

    def forget(self, correlation: str) -> None:
        """Drop the expectation."""
        waiting = self._waiting.pop(correlation, None)
        if waiting is not None and not waiting.reply.cancel() and not waiting.reply.cancelled():
            # Looked at, or asyncio would complain of an error that nobody took.
            waiting.reply.exception()

    def fail_all(self, text: str) -> None:
        """Fail everything that waits."""
        for waiting in self._waiting.values():
            if not waiting.reply.done():
                waiting.reply.set_exception(errdefs.Unavailable(text))

    async def _session(self, link: Link) -> None:
        asked = self._server.ask_generation()
        self._server.observe(asked, *await link.call(asked), is_reconnected=True)
        self._server.went_up()
        done: list[str] = []
        while True:
            done = await self._read(link, done)

    async def _read(self, link: Link, done: list[str]) -> list[str]:
        """Hand out what arrives and return its ids; what was read before is deleted on the way."""
        block_s = self._server.settings.block_s
        asked = self._server.ask_generation()
        read = ("XREAD", "COUNT", _COUNT, "BLOCK", int(block_s * 1000), "STREAMS")
        *_, answer, generation = await link.call(
            *([("XDEL", self.stream, *done)] if done else []),
            (*read, self.stream, self._cursor),
            asked,
            wait_s=block_s,
        )
        arrived = stream_entries(answer)
        for entry in arrived:
            self._cursor = entry.stream_id
            self._hand_out(entry)
        self._server.observe(asked, generation)
        return [entry.stream_id for entry in arrived]

    def _hand_out(self, entry: Entry) -> None:
        try:
            reply = decode_reply(entry.fields or {})
        except UnreadableError:
            log.exception("unreadable reply dropped", stream_id=entry.stream_id)
            return
        waiting = self._waiting.get(reply.correlation)
        if waiting is None or waiting.reply.done():
            log.debug("reply dropped, nobody waits for it", correlation=reply.correlation)
            return
        waiting.reply.set_result(reply)

    def _on_change(self) -> None:
        self._cursor = "0-0"
        for waiting in self._waiting.values():
            waiting.check(self._server.generation)
