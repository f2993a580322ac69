"""The progress of one job: a short-lived stream that ends with its final message."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator

import structlog

from shared import errdefs
from shared.bus import names
from shared.bus.connection import Backoff, DisconnectedError, Link, stream_entries
from shared.bus.envelope import Entry, Envelope, decode
from shared.bus.position import START
from shared.bus.redis_bus import RedisBus
from shared.contracts.message import Message
from shared.telemetry import context

log = structlog.get_logger()


class Progress:
    """Both ends of a job's progress; what it says is for people and may be lost."""

    def __init__(self, *, bus: RedisBus, job_id: str, node: str | None = None) -> None:
        """Name the job; *node* is another node on the same Redis."""
        self._bus = bus
        self._stream = names.progress(node or bus.node, job_id)

    async def write(self, *messages: Message, final: bool = False) -> None:
        """Append messages, the last as the *final* one; raises Unavailable.

        That the bus does not answer may mean that some of them are there.
        """
        settings = self._bus.settings
        head = ("XADD", self._stream, "MAXLEN", "~", settings.progress_length, "*")
        adding = [(*head, *self._envelope(message).encode()) for message in messages[:-1]]
        last = self._envelope(messages[-1], is_final=final)
        await self._bus.write(
            *adding,
            (*head, *last.encode()),
            ("EXPIRE", self._stream, settings.progress_ttl_s),
        )

    def _envelope(self, message: Message, *, is_final: bool = False) -> Envelope:
        return Envelope(
            message_id=uuid.uuid4().hex,
            message_type=message.TYPE,
            node=self._bus.node,
            source=self._bus.process,
            traceparent=context.traceparent(),
            is_final=is_final,
            body=message.model_dump_json().encode(),
        )

    async def follow(self, after: str = START) -> AsyncGenerator[tuple[Envelope, str], None]:
        """Yield each message with its stream id, and end after the final one.

        Goes on through reconnections. Raises Unavailable when Redis lost its data: the final
        message may be among it, so ask the job's owner.
        """
        settings, server = self._bus.settings, self._bus.server
        link = server.link()
        backoff = Backoff(base_s=settings.backoff_base_s, cap_s=settings.backoff_cap_s)
        generation = server.generation
        try:
            while True:
                try:
                    arrived = await self._read(link, after)
                except DisconnectedError as error:
                    log.debug("bus connection lost", error=str(error))
                    await asyncio.sleep(backoff.next_s())
                    continue
                backoff.reset()
                for entry in arrived:
                    after = entry.stream_id
                    envelope = decode(entry.fields or {})
                    yield envelope, after
                    if envelope.is_final:
                        return
                generation = generation or server.generation
                if generation != server.generation:
                    raise errdefs.Unavailable(
                        "the message bus lost the job's progress: ask for the job's state"
                    )
        finally:
            await link.close()

    async def _read(self, link: Link, after: str) -> list[Entry]:
        settings = self._bus.settings
        await link.connect()
        read = ("XREAD", "COUNT", settings.read_count, "BLOCK", int(settings.block_s * 1000))
        (answer,) = await link.call(
            (*read, "STREAMS", self._stream, after), wait_s=settings.block_s
        )
        return stream_entries(answer)
