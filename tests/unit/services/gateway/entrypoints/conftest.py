"""The application that the tests in this folder speak to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway_app import AppWorld, serving


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AppWorld]:
    """Serve a node with one disabled plugin."""
    async with serving(tmp_path) as world:
        yield world
