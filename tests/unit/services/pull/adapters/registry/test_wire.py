"""The bytes of one connection, without a socket."""

from __future__ import annotations

import asyncio
import tracemalloc

from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.wire import Pace, Wire

_LIMITS = Limits()
_PACE = Pace(stall_s=5.0, min_rate_bytes_per_s=1)


class _Open(asyncio.Transport):
    """A transport that stays open."""

    def is_closing(self) -> bool:
        return False


def _arrive(wire: Wire, data: bytes) -> None:
    """Do what an event loop does when bytes come."""
    wire.get_buffer(-1)[: len(data)] = data
    wire.buffer_updated(len(data))


async def test_a_connection_that_rests_holds_no_buffer() -> None:
    """Between two answers it holds no memory; the second is read as the first was."""
    wire = Wire(_LIMITS)
    wire.connection_made(_Open())
    tracemalloc.start()
    try:
        _arrive(wire, b"first")
        assert await wire.read(100, pace=_PACE) == b"first"
        assert tracemalloc.get_traced_memory()[0] >= _LIMITS.read_buffer_bytes

        wire.rest()
        assert tracemalloc.get_traced_memory()[0] < _LIMITS.read_buffer_bytes // 2
    finally:
        tracemalloc.stop()
    assert wire.is_idle

    reading = asyncio.create_task(wire.read(100, at_least=10, pace=_PACE))
    await asyncio.sleep(0)
    _arrive(wire, b"second")
    _arrive(wire, b" one")
    assert await reading == b"second one"
