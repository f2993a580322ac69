"""ports.Content on disk: `blobs/sha256/<hex>`, hard links to files of `ingest/` and of jobs."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.store.ports import Blob
from shared import disk, errdefs
from shared.contracts.job import StagedBlob
from shared.oci.digest import Digest, VerifyingReader

#: Larger files may be read by who unpacks them, from memory as long as they are left there.
_SMALL_BYTES: Final = 8 << 20


class DiskContent:
    """Blobs by digest; a blob is whole, or it is not there."""

    def __init__(self, root: Path, work: Path) -> None:
        """Keep blobs below *root*; jobs write theirs into `<work>/<job id>/`."""
        self._blobs = root / "blobs" / "sha256"
        self._ingest = root / "ingest"
        self._work = work

    def make_folders(self) -> None:
        """Make the folders, private to root."""
        for folder in (self._blobs, self._ingest):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def new_ingest(self) -> Path:
        """Return a path nobody uses, for bytes that are to become a blob."""
        return self._ingest / secrets.token_hex(16)

    async def put(self, data: bytes) -> Blob:
        """Keep bytes under their digest; a blob that exists is success."""
        return await asyncio.to_thread(self._put, data)

    def commit(self, ingest: Path, digest: str, size: int) -> Blob:
        """Make a written file the blob of *digest*; a blob that exists is success.

        The caller has computed digest and size while writing. Raises Internal when the file is
        not as long as it should be; the file is gone in every case.
        """
        try:
            self._link(ingest, digest, size)
        finally:
            ingest.unlink(missing_ok=True)
        disk.sync_file(self._blobs)
        return Blob(digest=digest, size=size)

    async def commit_staged(self, work_id: str, staged: Sequence[StagedBlob]) -> None:
        """Make files that a job wrote, and verified, blobs; see ports.Content."""
        files = [(self._staged(work_id, blob.ingest), blob) for blob in staged if blob.ingest]
        if files:
            await asyncio.to_thread(self._commit_staged, files)

    async def known(self, digests: Collection[str]) -> tuple[str, ...]:
        """Return which of *digests* are in the store."""
        return tuple(digest for digest in digests if self._path(digest).exists())

    async def read(self, digest: str) -> bytes | None:
        """Return a small blob whole; None: it is not in the store."""
        return await asyncio.to_thread(self._read, digest)

    @contextmanager
    def verified(self, digest: Digest) -> Iterator[VerifyingReader]:
        """Open a blob to be read to its end, its digest checked there; raises NotFound."""
        try:
            file = self._path(digest).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise errdefs.NotFound(f"blob {digest} is missing from the content store") from error
        with file:
            size = os.fstat(file.fileno()).st_size
            reader = VerifyingReader(file, digest=digest, size=size)
            yield reader
            reader.verify()

    async def sweep(self, keep: Collection[str], *, dry_run: bool = False) -> tuple[Blob, ...]:
        """Delete all blobs but *keep*, or only say which that would be."""
        return await asyncio.to_thread(self._sweep, frozenset(keep), dry_run=dry_run)

    def clear_ingest(self) -> None:
        """Delete what a crash left half written; only while nothing is being written."""
        for path in self._ingest.iterdir():
            path.unlink()

    def _path(self, digest: str) -> Path:
        return self._blobs / Digest(digest).hex

    def _read(self, digest: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return self._path(digest).read_bytes()
        return None

    def _link(self, ingest: Path, digest: str, size: int) -> None:
        """Give a file its blob's name, too; that it has the name is not synced."""
        if ingest.stat().st_size != size:
            raise errdefs.Internal(f"blob {digest} was written short: look at the disk")
        disk.sync_file(ingest)
        ingest.chmod(0o400)
        with contextlib.suppress(FileExistsError):  # another was faster
            self._path(digest).hardlink_to(ingest)

    def _staged(self, work_id: str, file: str) -> Path:
        staged = self._work / work_id / file
        if not staged.is_relative_to(self._work) or ".." in staged.parts:
            raise errdefs.PermissionDenied(
                f"{staged} is not a file of job {work_id}: its files lie in {self._work / work_id}"
            )
        return staged

    def _commit_staged(self, files: Sequence[tuple[Path, StagedBlob]]) -> None:
        with disk.full_disk_named(self._blobs):
            for file, blob in files:
                if blob.size <= _SMALL_BYTES:
                    disk.begin_writing(file)
            for file, blob in files:
                # Else it is a repeat, or another job was faster.
                if not self._path(blob.digest).exists():
                    self._link_staged(file, blob)
            disk.sync_file(self._blobs)

    def _link_staged(self, file: Path, blob: StagedBlob) -> None:
        try:
            self._link(file, blob.digest, blob.size)
        except FileNotFoundError as error:
            raise errdefs.Conflict(
                f"{file} was cleared away: its job was ended, or taken from its worker"
            ) from error

    def _put(self, data: bytes) -> Blob:
        ingest = self.new_ingest()
        with disk.full_disk_named(self._ingest):
            ingest.write_bytes(data)
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            return self.commit(ingest, digest, len(data))

    def _sweep(self, keep: frozenset[str], *, dry_run: bool) -> tuple[Blob, ...]:
        doomed = []
        for path in sorted(path for path in self._blobs.iterdir() if _digest(path) not in keep):
            doomed.append(Blob(digest=_digest(path), size=path.stat().st_size))
            if not dry_run:
                path.unlink()
        return tuple(doomed)


def _digest(blob: Path) -> str:
    return f"sha256:{blob.name}"
