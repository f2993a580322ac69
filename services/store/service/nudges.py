"""What wakes who waits for a plugin: something about it has changed, so look again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class News:
    """What one listener has not looked at yet."""

    def __init__(self) -> None:
        self._came = asyncio.Event()

    def come(self) -> None:
        """Have the listener look again."""
        self._came.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when news came since the last time, or the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        self._came.clear()


class Nudges:
    """Listeners by plugin; who listens before it looks misses nothing."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[News]] = {}

    def nudge(self, plugin_id: str) -> None:
        """Wake who listens for news of a plugin; without anybody there it is nothing."""
        for news in self._listeners.get(plugin_id, ()):
            news.come()

    @contextmanager
    def heard(self, plugin_id: str) -> Iterator[News]:
        """Listen in this block."""
        news = News()
        self._listeners.setdefault(plugin_id, set()).add(news)
        try:
            yield news
        finally:
            self._listeners[plugin_id].discard(news)
            if not self._listeners[plugin_id]:
                del self._listeners[plugin_id]
