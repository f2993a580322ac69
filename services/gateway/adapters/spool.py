"""Bodies of requests on their way to the store: files below the data root."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import structlog

from shared import errdefs

#: Gathered before a thread writes it; bounds the memory of a request.
_WRITE_BYTES: Final = 1 << 20
_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

log = structlog.get_logger()


class FolderSpool:
    """ports.Spool in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        limit: int,
        prefix: str = "context-",
        what: str = "the plugin's context",
    ) -> None:
        """Keep files whose names begin with *prefix*; errors call them *what*."""
        self._folder = folder
        self._prefix = prefix
        self._what = what
        self.limit = limit

    def prepare(self, *, stale_s: float) -> None:
        """Make the folder, and delete files that nobody can be waiting for any more."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self._folder.glob(f"{self._prefix}*.tar"):
            with contextlib.suppress(FileNotFoundError):  # the store was faster
                if path.stat().st_mtime < time.time() - stale_s:
                    path.unlink()
                    log.info("deleted a file left by an earlier run", path=str(path))

    def left(self) -> tuple[Path, ...]:
        """Return the files that are there."""
        return tuple(self._folder.glob(f"{self._prefix}*.tar"))

    def delete(self, path: Path) -> None:
        """Delete a file; none is success."""
        path.unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def receive(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Path]:
        """Write the chunks to a file and give its path; the file is gone afterwards."""
        path = self._folder / f"{self._prefix}{secrets.token_hex(16)}.tar"
        try:
            with self._plain_words():
                await self._write(path, chunks)
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def _write(self, path: Path, chunks: AsyncIterator[bytes]) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            total = 0
            gathered = bytearray()
            async for chunk in chunks:
                total += len(chunk)
                if total > self.limit:
                    raise self._too_large()
                gathered += chunk
                if len(gathered) >= _WRITE_BYTES:
                    await _write_all(fd, gathered)
                    gathered = bytearray()
            await _write_all(fd, gathered)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _plain_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _DISK_FULL:
                raise errdefs.ResourceExhausted(
                    f"no space left in {self._folder} for {self._what}; free some, then try again"
                ) from error
            raise errdefs.Internal(
                f"cannot keep {self._what} in {self._folder}: {error.strerror}"
            ) from error

    def _too_large(self) -> errdefs.InvalidArgument:
        return errdefs.InvalidArgument(
            f"{self._what} has more than {self.limit} bytes; "
            "make it smaller, or raise WHERRY_CONTEXT_LIMIT of the gateway"
        )


async def _write_all(fd: int, data: bytearray) -> None:
    writing = asyncio.ensure_future(asyncio.to_thread(_write_blocking, fd, data))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        # The descriptor must outlive the thread that writes to it.
        await asyncio.wait([writing])
        raise


def _write_blocking(fd: int, data: bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
