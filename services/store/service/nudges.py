"""What wakes an upgrade that waits: something about its plugin may have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Nudges:
    """A flag per plugin; one that is raised while nobody waits is seen by who waits next."""

    def __init__(self) -> None:
        self._flags: dict[str, asyncio.Event] = {}

    def nudge(self, plugin_id: str) -> None:
        """Wake who waits for news of a plugin; without anybody there it is nothing."""
        if plugin_id in self._flags:
            self._flags[plugin_id].set()

    @contextmanager
    def expected(self, plugin_id: str) -> Iterator[None]:
        """Listen in this block; what is told in it is not missed."""
        self._flags[plugin_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._flags[plugin_id]

    async def wait(self, plugin_id: str, timeout_s: float) -> None:
        """Return when the plugin was told of since the last time, or the time is up."""
        flag = self._flags[plugin_id]
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await flag.wait()
        flag.clear()
