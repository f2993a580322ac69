"""One download of a blob at a time, however many jobs want it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Flights:
    """A turn per digest: whoever comes second finds the blob in the content store.

    A download that fails, or is cancelled with its job, hands its turn on; nothing of it is
    left for others to stumble over.
    """

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    def is_taken(self, digest: str) -> bool:
        """Say whether somebody fetches the blob at this moment."""
        return digest in self._locks

    @asynccontextmanager
    async def turn(self, digest: str) -> AsyncIterator[None]:
        """Wait for the turn to fetch a blob; look again then whether it is still needed."""
        lock = self._locks.setdefault(digest, asyncio.Lock())
        self._users[digest] = self._users.get(digest, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._users[digest] -= 1
            if not self._users[digest]:
                del self._users[digest], self._locks[digest]
