"""A browser's requests to the console."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.gateway_app import AppWorld, serving

ORIGIN = "http://localhost"
_TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The console of a served node, as a browser sees it."""

    world: AppWorld
    http: httpx.AsyncClient

    async def token(self) -> str:
        """Return what forms of a page must bring, of a page that was loaded."""
        found = _TOKEN.search((await self.http.get("/ui/plugins")).text)
        assert found is not None
        return found[1]

    async def post(self, path: str, *, origin: str = ORIGIN, **form: str) -> httpx.Response:
        """Send a form as a browser does."""
        return await self.http.post(path, data=form, headers={"origin": origin})


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    """Serve a node with one disabled plugin."""
    async with (
        serving(tmp_path) as world,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=world.app), base_url=ORIGIN) as http,
    ):
        yield Console(world=world, http=http)
