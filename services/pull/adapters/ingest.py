"""A blob while it is downloaded: hashed and written by threads, read along by another."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from services.pull.adapters import threads
from services.pull.adapters.registry.metrics import RECEIVED_BYTES
from shared import errdefs
from shared.disk import full_disk_named
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digester, verify

#: A hop to a thread costs a tenth of a millisecond: it is made once per so many bytes.
_BATCH: Final = 512 << 10


class FileIngest:
    """ports.Ingest: a file that was not there before, never resumed, never found again."""

    def __init__(self, path: Path, descriptor: Descriptor, threads: Executor) -> None:
        self.name = path.name
        self._path = path
        self._descriptor = descriptor
        self._threads = threads
        with full_disk_named(path.parent):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._digester = Digester()
        self._received = 0
        self._batch: list[bytes] = []
        self._batched = 0
        self._appending: asyncio.Future[None] | None = None
        self._written = _Written()

    async def write(self, data: bytes) -> None:
        """Append; raises InvalidArgument for more than was promised, ResourceExhausted."""
        self._received += len(data)
        if self._received > self._descriptor.size:
            raise errdefs.InvalidArgument(
                f"unexpected commit size {self._received}, expected {self._descriptor.size}: "
                "failed precondition"
            )
        self._batch.append(data)
        self._batched += len(data)
        if self._batched >= _BATCH:
            await self._flush()

    async def finish(self) -> None:
        """Say that all bytes are there, after verifying them; raises InvalidArgument."""
        await self._flush()
        await self._settled()
        verify(self._digester, digest=self._descriptor.digest, size=self._descriptor.size)
        self._written.end(None)

    def fail(self, error: BaseException) -> None:
        """Say that no more will come: whoever reads along gets an error."""
        self._written.end(error)

    def reader(self) -> FollowingReader:
        """Return a reader, for a thread, that waits for what is not written yet."""
        return FollowingReader(os.dup(self._fd), self._written)

    async def close(self) -> None:
        """Close the file, and delete it unless the store has moved it away."""
        self._written.end(EOFError("the download was given up"))
        try:
            if self._appending is not None:
                await threads.ended(self._appending)  # it uses the descriptor
        finally:
            os.close(self._fd)
            self._path.unlink(missing_ok=True)

    async def _flush(self) -> None:
        """Hand the batch to a thread, while the next one arrives."""
        await self._settled()
        RECEIVED_BYTES.inc(self._batched)
        batch, self._batch, self._batched = self._batch, [], 0
        loop = asyncio.get_running_loop()
        self._appending = loop.run_in_executor(self._threads, self._append, batch)

    async def _settled(self) -> None:
        if self._appending is not None:
            # Shielded: a thread that runs can't be called back, and close waits for it.
            await asyncio.shield(self._appending)

    def _append(self, batch: list[bytes]) -> None:
        with full_disk_named(self._path.parent):
            for piece in batch:
                self._digester.update(piece)
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
        self._written.advance(self._digester.size)


class _Written:
    """How much of a file is written, for threads that wait for more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._size = 0
        self._is_over = False
        self._error: BaseException | None = None

    def advance(self, size: int) -> None:
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def end(self, error: BaseException | None) -> None:
        """Say that nothing more comes; only the first time counts."""
        with self._changed:
            if not self._is_over:
                self._is_over, self._error = True, error
            self._changed.notify_all()

    def wait_beyond(self, offset: int) -> int:
        """Return how many bytes there are behind *offset*, 0 only at the end; blocks."""
        with self._changed:
            self._changed.wait_for(lambda: self._size > offset or self._is_over)
            if self._size > offset:
                return self._size - offset
            if self._error is not None:
                raise errdefs.Unavailable("the layer was not downloaded") from self._error
            return 0


class FollowingReader:
    """Reads a file as it grows; to be closed by whoever reads."""

    def __init__(self, fd: int, written: _Written) -> None:
        self._fd = fd
        self._written = written
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes, empty only at the end; waits for what is to come."""
        there = self._written.wait_beyond(self._offset)
        data = os.pread(self._fd, min(size, there), self._offset)
        self._offset += len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
