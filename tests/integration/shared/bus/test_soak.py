"""Everything at once: many senders while Redis is killed, frozen and emptied."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter

from shared import errdefs
from shared.bus.ports import Delivery
from shared.bus.redis_bus import RedisBus
from tests.support.buses import Answer, Ask, Buses
from tests.support.redis import RedisServer
from tests.support.wait import eventually

_TIMEOUT_S = 2.0
_SOAK_S = 6.0


class Senders:
    """Send one command after the other and count how they end."""

    def __init__(self, bus: RedisBus) -> None:
        self.bus = bus
        self.ends: Counter[str] = Counter()
        self.longest_s = 0.0
        self._ids = itertools.count()
        self._until = time.monotonic() + _SOAK_S

    async def run(self) -> None:
        """Send until the soak ends."""
        while time.monotonic() < self._until:
            text = str(next(self._ids))
            began = time.monotonic()
            try:
                answer = await self.bus.send(Ask(text=text), timeout_s=_TIMEOUT_S)
                assert answer.text == text
                self.ends["answered"] += 1
            except (errdefs.Unavailable, errdefs.DeadlineExceeded) as error:
                self.ends[error.code] += 1
            self.longest_s = max(self.longest_s, time.monotonic() - began)


async def disturb(server: RedisServer) -> None:
    for n in range(6):
        await asyncio.sleep(random.uniform(0.2, 0.6))
        match n % 3:
            case 0:
                server.flushall()
            case 1:
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            case _:
                server.pause()
                await asyncio.sleep(0.2)
                server.resume()


async def test_every_send_ends_and_the_bus_recovers(
    buses: Buses, redis_server: RedisServer
) -> None:
    """Each sender gets its own answer or an honest error in time, and nothing is run twice."""
    runs: Counter[str] = Counter()

    async def handle(command: Ask, arrival: Delivery) -> Answer:
        runs[arrival.message_id] += 1
        await asyncio.sleep(random.uniform(0, 0.01))
        return Answer(text=command.text)

    desk = buses.make(lease_s=10.0)
    desk.serve({Ask: handle}, concurrency=16)
    await desk.open()
    senders = Senders(await buses.opened())

    await asyncio.gather(*(senders.run() for _ in range(24)), disturb(redis_server))

    assert senders.longest_s < _TIMEOUT_S + 5.0
    assert senders.ends["answered"] > 100
    assert max(runs.values()) == 1
    assert await senders.bus.wait_connected(5)
    assert (await senders.bus.send(Ask(text="after"), timeout_s=5)).text == "after"
    await eventually(lambda: desk._consumer is not None and not desk._consumer.in_hand)
