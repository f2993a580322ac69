"""The Redis that a bus speaks to: its connections, whether it answers, what it lost."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.bus import metrics, names
from shared.bus.connection import Link
from shared.bus.master import find_master
from shared.bus.settings import BusSettings
from shared.sentinels import Sentinels

log = structlog.get_logger()


class Server:
    """Makes links and knows the *generation* of Redis' data: another one means that it lost it.

    The generation is a key that the first who misses it sets anew, so that a FLUSHALL, or a
    Redis that came back empty, is seen by each process of the node.
    """

    def __init__(self, *, url: str, node: str, settings: BusSettings) -> None:
        self.settings = settings
        self.generation = ""
        self._past: set[str] = set()
        self._sentinels = Sentinels.parse(url)
        self._pool: ConnectionPool = ConnectionPool.from_url(
            self._sentinels.redis_url if self._sentinels else url,
            protocol=2,
            driver_info=None,
            # Calls carry their own limits; redis-py's would cost a task per write.
            socket_timeout=None,
            socket_connect_timeout=settings.answer_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._generation_key = names.generation(node)
        self._is_up = asyncio.Event()
        self._news = asyncio.Event()
        self._down_since: float | None = None
        self._reconnect_callbacks: list[Callable[[], Awaitable[None]]] = []
        self._change_callbacks: list[Callable[[], None]] = []

    def link(self) -> Link:
        """Return a new connection, not connected yet."""
        connection = self._pool.make_connection()  # type: ignore[no-untyped-call] # redis-py
        sentinels = self._sentinels
        find = partial(find_master, sentinels) if sentinels else None
        return Link(connection, answer_s=self.settings.answer_s, find_master=find)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have *callback* run after each connection, and after Redis lost its data."""
        self._reconnect_callbacks.append(callback)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Have *callback* called at once after each connection, and after a loss of data."""
        self._change_callbacks.append(callback)

    def is_up(self) -> bool:
        """Tell whether Redis answered last time."""
        return self._is_up.is_set()

    async def wait_up(self) -> None:
        """Wait until Redis answers."""
        await self._is_up.wait()

    def went_up(self) -> None:
        """Note that Redis answers."""
        if self._down_since is not None:
            log.info("message bus is back", outage_s=round(time.monotonic() - self._down_since, 3))
        self._down_since = None
        self._is_up.set()
        metrics.UP.set(1)
        self._changed()

    def went_down(self, error: Exception) -> None:
        """Note that Redis does not answer; logged once an outage."""
        self._is_up.clear()
        metrics.UP.set(0)
        if self._down_since is None:
            self._down_since = time.monotonic()
            log.warning("message bus does not answer, trying on", error=str(error))

    def ask_generation(self) -> tuple[str, ...]:
        """Return the command that reads the generation, or sets it when it was lost.

        Each call proposes another value: with the same one, a second loss would go unseen.
        """
        return ("SET", self._generation_key, uuid.uuid4().hex, "NX", "GET")

    def observe(
        self, asked: tuple[str, ...], answer: object, *, is_reconnected: bool = False
    ) -> str:
        """Take in the answer to *ask_generation* and return the generation that it tells.

        One that was replaced before is an answer overtaken by another connection's, unless
        Redis *is_reconnected*: it may have come back with older data.
        """
        if isinstance(answer, Exception):
            return self.generation  # refused, for instance for want of memory: nothing is known
        seen = answer.decode() if isinstance(answer, bytes) else asked[2]
        if seen != self.generation and (is_reconnected or seen not in self._past):
            is_loss = bool(self.generation)
            self._past.add(self.generation)
            self._past.discard(seen)
            self.generation = seen
            if is_loss:
                log.warning("message bus lost its data")
                self._changed()
        return seen

    async def run_callbacks(self) -> None:
        """Run what waits for reconnections, one after the other, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            for callback in self._reconnect_callbacks:
                try:
                    await callback()
                except Exception:
                    log.exception("what runs after a reconnection failed")

    def _changed(self) -> None:
        for callback in self._change_callbacks:
            callback()
        self._news.set()
