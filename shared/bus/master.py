"""Where the master of a Redis under Sentinel is: asked for at each connection."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.asyncio import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.sentinels import Sentinels

#: A Sentinel that is slower is passed over for the next.
_ANSWER_S: Final = 1.0


async def find_master(sentinels: Sentinels) -> tuple[str, int]:
    """Return where the master is, as the first Sentinel that knows says; raises OSError."""
    for host, port in sentinels.places:
        try:
            async with asyncio.timeout(_ANSWER_S):
                found = await _ask(host, port, sentinels.master)
        except (RedisError, OSError, TimeoutError):
            continue
        if found is not None:
            return found
    asked = ", ".join(f"{host}:{port}" for host, port in sentinels.places)
    raise OSError(f"no Sentinel of {asked} knows where {sentinels.master} is")


async def _ask(host: str, port: int, master: str) -> tuple[str, int] | None:
    connection = Connection(host=host, port=port, protocol=2, retry=Retry(NoBackoff(), 0))
    try:
        await connection.connect()  # type: ignore[no-untyped-call] # redis-py
        await connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
        answer = await connection.read_response()
    finally:
        await connection.disconnect(nowait=True)
    return (answer[0].decode(), int(answer[1])) if answer else None
