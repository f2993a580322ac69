"""Real parts that the tests in this folder stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.redis import RedisServer


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Give the test a redis-server of its own: tests stop, freeze and empty it."""
    with RedisServer() as server:
        yield server
