from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry_client import Sleeps


@pytest.fixture
async def faulty() -> AsyncIterator[FaultyRegistry]:
    async with FaultyRegistry() as faulty:
        yield faulty


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()
