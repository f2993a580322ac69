"""What a transport keeps of the hosts that it was sent to."""

from __future__ import annotations

import asyncio
import gc
import ssl

import httpx
import pytest

from services.pull.adapters.registry.connection import Connection
from services.pull.adapters.registry.dialer import Dialer, Origin
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.transport import Transport


class _NoLine(Dialer):
    """Reaches nobody."""

    async def dial(self, origin: Origin) -> Connection:
        raise httpx.ConnectError(f"no line to {origin.host}")


def _no_tls(_origin: Origin) -> ssl.SSLContext:
    raise AssertionError("nobody was reached")


def _semaphores() -> int:
    gc.collect()
    return sum(isinstance(one, asyncio.Semaphore) for one in gc.get_objects())


async def test_hosts_that_nobody_asks_any_more_are_forgotten() -> None:
    """However many hosts a registry sends us on to, nothing of them is left."""
    transport = Transport(_NoLine(limits=Limits(), tls=_no_tls))
    before = _semaphores()
    for number in range(20):
        with pytest.raises(httpx.ConnectError):
            await transport.handle_async_request(
                httpx.Request("GET", f"https://cdn{number}.example.com/")
            )

    assert _semaphores() == before
