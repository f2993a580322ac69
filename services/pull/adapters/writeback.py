"""Writing to the disk while more is unpacked, so that the end has little left to wait for."""

from __future__ import annotations

from concurrent.futures import Executor, Future, wait
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from shared.disk import full_disk_named
from shared.oci.root import sync_file_system

#: Bytes of a layer, compressed, between two syncs: a sync each few hundred milliseconds at most.
_EVERY: Final = 32 << 20


class Writeback:
    """Has a thread sync a folder's file system now and then; a context manager.

    Nothing is promised to be on the disk afterwards. Leaving it raises what went wrong: the
    kernel tells of a failed write only once.
    """

    def __init__(self, folder: Path, thread: Executor) -> None:
        self._folder = folder
        self._thread = thread
        self._synced_at = 0
        self._syncing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for a sync that runs; raises OSError, ResourceExhausted for a full disk."""
        if self._syncing is None or self._syncing.cancel():
            return
        wait([self._syncing])
        if error is None:
            self._syncing.result()

    def advance(self, count: int) -> None:
        """Say that *count* bytes were read so far; raises what the last sync has met."""
        if count - self._synced_at < _EVERY:
            return
        if self._syncing is not None:
            if not self._syncing.done():
                return
            self._syncing.result()
        self._synced_at = count
        self._syncing = self._thread.submit(self._sync)

    def _sync(self) -> None:
        with full_disk_named(self._folder):
            sync_file_system(self._folder)
