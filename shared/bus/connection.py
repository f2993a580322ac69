"""Connections to Redis: nothing is repeated behind the caller's back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from hiredis import pack_command
from redis.asyncio import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.bus.envelope import Entry, entries
from shared.bus.settings import BusSettings

log = structlog.get_logger()

#: One command for Redis.
Words = Sequence[str | bytes | int | float]


class DisconnectedError(Exception):
    """The connection broke, or Redis did not answer; what was asked may have been done."""


class Link:
    """One connection, used by one task at a time."""

    def __init__(
        self,
        connection: Connection,
        *,
        answer_s: float,
        find_master: Callable[[], Awaitable[tuple[str, int]]] | None = None,
    ) -> None:
        self._connection = connection
        self._answer_s = answer_s
        self._find_master = find_master

    async def connect(self) -> None:
        """Connect, unless connected; raises DisconnectedError."""
        if self._connection.is_connected:
            # Readable while nothing was asked: Redis has closed it.
            if not await self._is_stale():
                return
            await self.close()
        try:
            async with asyncio.timeout(self._answer_s):
                if self._find_master is not None:
                    self._connection.host, self._connection.port = await self._find_master()
                await self._connection.connect()  # type: ignore[no-untyped-call] # redis-py
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise DisconnectedError(f"cannot connect to Redis: {error}") from error
        await self.call(("PING",))

    async def call(self, *commands: Words, wait_s: float = 0.0) -> list[Any]:
        """Send the commands as one pipeline and return the raw answers, errors among them.

        *wait_s* is how long Redis itself was asked to wait. Raises DisconnectedError.
        """
        if not self._connection.is_connected:
            raise DisconnectedError("not connected to Redis")
        try:
            async with asyncio.timeout(self._answer_s + wait_s):
                # Not the connection's own packer, which is Python and takes ten times as long.
                packed = b"".join(map(_packed, commands))
                await self._connection.send_packed_command(packed, check_health=False)
                return [await self._answer() for _ in commands]
        except (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError) as error:
            await self.close()
            raise DisconnectedError(
                f"Redis does not answer: {str(error) or type(error).__name__}"
            ) from error
        except BaseException:
            # Unread answers would be taken for those of the next call.
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection without waiting for the other side."""
        await self._connection.disconnect(nowait=True)

    async def _is_stale(self) -> bool:
        try:
            return await self._connection.can_read()
        except (RedisError, OSError):
            return True

    async def _answer(self) -> Any:
        try:
            return await self._connection.read_response()
        except ReadOnlyError as error:
            # Another became the master; the connection has to find it.
            raise RedisConnectionError(str(error)) from error
        except ResponseError as error:
            return error


def _packed(command: Words) -> bytes:
    packed: bytes = pack_command(tuple(command))  # type: ignore[arg-type] # of any length
    return packed


class Backoff:
    """Waits that double from *base_s* to *cap_s*, with jitter so that peers spread out."""

    def __init__(self, *, base_s: float, cap_s: float) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._tries = 0

    def reset(self) -> None:
        """Begin again at the shortest wait."""
        self._tries = 0

    def next_s(self) -> float:
        """Return the next wait."""
        longest = min(self._cap_s, self._base_s * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


async def keep_running(
    link: Link,
    session: Callable[[Link], Awaitable[None]],
    *,
    settings: BusSettings,
    on_broken: Callable[[Exception], None] | None = None,
) -> None:
    """Run the session on a connected link until it returns; connect again when it breaks.

    A session that fails in any other way is a fault of ours: logged, and begun again too, for
    a bus that stopped without a word would be worse.
    """
    backoff = Backoff(base_s=settings.backoff_base_s, cap_s=settings.backoff_cap_s)
    loop = asyncio.get_running_loop()
    try:
        while True:
            began = loop.time()
            try:
                await link.connect()
                return await session(link)
            except DisconnectedError as error:
                log.debug("bus connection lost", error=str(error))
                if on_broken is not None:
                    on_broken(error)
            except Exception:
                log.exception("bus session failed, beginning again")
                await link.close()
            if loop.time() - began > settings.backoff_cap_s:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())
    finally:
        await link.close()


def stream_entries(answer: Any) -> list[Entry]:
    """Return the entries in the answer of an XREAD or XREADGROUP of one stream.

    Raises ResponseError when the answer is an error.
    """
    if isinstance(answer, Exception):
        raise answer
    return entries(answer[0][1]) if answer else []


def is_groupless(answer: object) -> bool:
    """Tell whether the answer is that the stream, or its group, is gone."""
    return isinstance(answer, ResponseError) and str(answer).startswith(("NOGROUP", "UNBLOCKED"))


async def ensure_group(link: Link, stream: str, group: str) -> None:
    """Make the group at the stream's beginning, so that what came before its owner is read."""
    (answer,) = await link.call(("XGROUP", "CREATE", stream, group, "0", "MKSTREAM"))
    if isinstance(answer, Exception) and not str(answer).startswith("BUSYGROUP"):
        raise answer
