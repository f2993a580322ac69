"""Buses on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.buses import Buses
from tests.support.redis import RedisServer


@pytest.fixture
async def buses(redis_server: RedisServer) -> AsyncIterator[Buses]:
    """Give the test a maker of buses on a Redis of its own."""
    async with Buses(redis_server.url) as made:
        yield made
