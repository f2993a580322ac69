"""The bytes of one connection, without a socket."""

from __future__ import annotations

import asyncio
import tracemalloc

import httpx
import pytest

from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.wire import Pace, Wire
from tests.support.wait import eventually

_LIMITS = Limits()
_PACE = Pace(stall_s=5.0, min_rate_bytes_per_s=1)


class _Open(asyncio.Transport):
    """A transport that stays open."""

    def is_closing(self) -> bool:
        return False


class _Full(_Open):
    """A transport to a peer that has taken *step* bytes more each time that one looks."""

    def __init__(self, wire: Wire, step: int) -> None:
        super().__init__()
        self._wire = wire
        self._step = step
        self._left = 0
        self.looks = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._left += len(data)
        self._wire.pause_writing()

    def get_write_buffer_size(self) -> int:
        self.looks += 1
        self._left -= self._step
        return self._left


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


async def test_a_piece_over_a_slow_line_goes_on_while_it_moves() -> None:
    """A piece may take longer than a stall, where the peer takes it as fast as it has to."""
    wire = Wire(Limits(stall_s=0.01, min_rate_bytes_per_s=1000))
    transport = _Full(wire, step=10)
    wire.connection_made(transport)

    writing = asyncio.create_task(wire.write(bytes(1 << 20)))
    await eventually(lambda: transport.looks >= 6 or writing.done())
    assert not writing.done()
    wire.resume_writing()
    await writing


async def test_bytes_under_tls_are_waited_for_as_well() -> None:
    """What TLS has handed down to the socket counts as what waits in TLS does."""
    wire = Wire(Limits(stall_s=0.01, min_rate_bytes_per_s=1000))
    socket = _Full(wire, step=10)
    wire.connection_made(socket)
    wire.secure(_Full(wire, step=0))

    writing = asyncio.create_task(wire.write(b"x"))
    await eventually(lambda: socket.looks >= 6 or writing.done())
    assert not writing.done()
    wire.resume_writing()
    await writing


@pytest.mark.parametrize("step", [0, 9])
async def test_a_peer_that_takes_too_little_is_given_up(step: int) -> None:
    """Nothing, or less than the least rate, over a stall is told with what was taken."""
    wire = Wire(Limits(stall_s=0.01, min_rate_bytes_per_s=1000))
    wire.connection_made(_Full(wire, step=step))

    with pytest.raises(httpx.WriteTimeout, match=f"took only {step} bytes in 0.01 s, less than"):
        await wire.write(bytes(1 << 20))
