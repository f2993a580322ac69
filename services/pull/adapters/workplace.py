"""ports.Workplace on disk: `work/<job id>/`, which is the store's to take over or to delete."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from services.pull.adapters import threads
from services.pull.adapters.ingest import FileIngest
from services.pull.ports import LayerReader
from shared import errdefs
from shared.disk import full_disk_named
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.root import Root
from shared.oci.unpack import DEFAULT_LIMITS, Limits, Unpacked
from shared.oci.unpack import unpack as unpack_layer

#: What the store takes for the plugin's root file system.
_ROOTFS: Final = "rootfs"
_TOLD_EVERY: Final = 64 << 10  # bytes


class DiskWorkplaces:
    """ports.Workplaces: the folders of jobs, and the threads that work in them."""

    def __init__(self, work: Path, *, jobs: int, limits: Limits = DEFAULT_LIMITS) -> None:
        """Each of *jobs* at a time unpacks one layer, within *limits*."""
        self._work = work
        self._limits = limits
        # Apart, so that those who wait for bytes never keep out those who write them.
        self._writers = ThreadPoolExecutor(4, thread_name_prefix="write")
        self._unpackers = ThreadPoolExecutor(jobs, thread_name_prefix="unpack")

    def of(self, job_id: str, token: int) -> DiskWorkplace:
        """Return the folder of one attempt; raises InvalidArgument for an id that is no name."""
        if job_id in ("", ".", "..") or PurePath(job_id).name != job_id:
            raise errdefs.InvalidArgument(f"{job_id!r} can't be a job's id: it must name a folder")
        return DiskWorkplace(
            folder=self._work / job_id,
            token=token,
            writers=self._writers,
            unpackers=self._unpackers,
            limits=self._limits,
        )

    def close(self) -> None:
        """End the threads; nothing may be at work any more."""
        self._writers.shutdown()
        self._unpackers.shutdown()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskWorkplace:
    """One attempt's files; those of an earlier one, whose worker may still live, are not its."""

    folder: Path
    token: int
    writers: ThreadPoolExecutor
    unpackers: ThreadPoolExecutor
    limits: Limits

    async def clear(self) -> None:
        """Delete what an earlier attempt left, and make the folder; whole, even if cancelled."""
        # Else the thread would make the folder behind the back of whoever deletes it.
        clearing = asyncio.create_task(asyncio.to_thread(self._clear))
        await threads.ended(clearing)
        clearing.result()

    async def discard(self) -> None:
        """Delete the folder of a job that is over; none is success."""
        await asyncio.to_thread(self._remove)

    async def abandon(self) -> None:
        """Delete what this attempt unpacked, whole, even if cancelled; none is success."""
        removing = asyncio.create_task(asyncio.to_thread(self._remove, self._rootfs.name))
        await threads.ended(removing)
        removing.result()

    @asynccontextmanager
    async def ingest(self, descriptor: Descriptor) -> AsyncIterator[FileIngest]:
        """Make a file for a blob; it is closed, and deleted where it is still the job's, after."""
        path = self.folder / f"ingest-{secrets.token_hex(16)}"
        ingest = FileIngest(path, descriptor, self.writers)
        try:
            yield ingest
        finally:
            await ingest.close()

    async def unpack(
        self, layer: LayerReader, progress: Callable[[int], None]
    ) -> tuple[Digest, Unpacked]:
        """Unpack a layer over those before it, and close it.

        Cancelled, it ends the thread before it returns.
        """
        is_stopped = threading.Event()
        with closing(layer):
            running = self.unpackers.submit(self._unpack, layer, progress, is_stopped)
            done = asyncio.wrap_future(running)
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:
                is_stopped.set()
                if not running.cancel():
                    await threads.ended(done)
                raise

    async def stage(self) -> None:
        """Put what was unpacked where the store looks for it.

        Raises Conflict where another attempt has cleared it away: an attempt that lost its job
        has nothing left to stage.
        """
        try:
            self._rootfs.rename(self.folder / _ROOTFS)
        except FileNotFoundError as error:
            raise errdefs.Conflict(
                f"{self._rootfs} was cleared away: the job was taken from this worker"
            ) from error

    @property
    def _rootfs(self) -> Path:
        return self.folder / f"{_ROOTFS}-{self.token}"

    def _remove(self, within: str = "") -> None:
        with Root(self.folder.parent) as work:
            work.remove(f"{self.folder.name}/{within}" if within else self.folder.name)

    def _clear(self) -> None:
        self._remove()
        with full_disk_named(self.folder.parent):
            self.folder.mkdir(mode=0o700)
            self._rootfs.mkdir()
        self._rootfs.chmod(0o755)  # whatever the umask says

    def _unpack(
        self, layer: LayerReader, progress: Callable[[int], None], is_stopped: threading.Event
    ) -> tuple[Digest, Unpacked]:
        def checkpoint() -> None:
            if is_stopped.is_set():
                raise errdefs.Unavailable("unpacking was stopped")

        return unpack_layer(
            _CountingReader(layer, progress),
            self._rootfs,
            limits=self.limits,
            checkpoint=checkpoint,
        )


class _CountingReader:
    """Tells how much was read, in steps that are worth telling, and at the end."""

    def __init__(self, source: LayerReader, progress: Callable[[int], None]) -> None:
        self._source = source
        self._progress = progress
        self._count = 0
        self._told = 0

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._count += len(data)
        if not data or self._count - self._told >= _TOLD_EVERY:
            self._told = self._count
            self._progress(self._count)
        return data
