"""ports.Registries over an archive: a layout that somebody brought takes a registry's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.pull import ports
from shared import errdefs
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.layout import REF_NAME, Archive
from shared.oci.manifest import Manifest
from shared.oci.reference import Reference

_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Small:
    descriptor: Descriptor
    body: bytes


class DiskArchives:
    """ports.Archives: files that the gateway has kept in the data root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def given(self, job_id: str, digest: Digest) -> AsyncIterator[ports.Registries]:
        """Open the archive of a job, of which the plugin is the entry with this digest."""
        with await _opened(self._root / "work" / f"{job_id}.tar") as archive:
            yield ArchiveRegistries(archive, digest)

    @asynccontextmanager
    async def brought(
        self, archive_id: str
    ) -> AsyncIterator[tuple[tuple[Descriptor, ports.Registries], ...]]:
        """Open an archive that no job has yet, with each of its entries as the plugin."""
        with await _opened(self._root / "staging" / f"archive-{archive_id}.tar") as archive:
            entries = archive.entries()
            yield tuple((e, ArchiveRegistries(archive, e.digest)) for e in entries)


async def _opened(path: Path) -> Archive:
    try:
        return await asyncio.to_thread(Archive, path)
    except FileNotFoundError as error:
        raise errdefs.NotFound("the archive is gone: bring it again") from error


class ArchiveRegistries:
    """One archive, whatever registry is asked for."""

    def __init__(self, archive: Archive, digest: Digest) -> None:
        self._archive = archive
        self._digest = digest

    def repository(
        self,
        ref: Reference,
        *,
        auth: ports.Auth,
        meta_headers: ports.MetaHeaders,
        push: bool = False,
    ) -> ArchiveRepository:
        """Return the archive, asked for a reference."""
        return ArchiveRepository(self._archive, ref, self._digest)

    async def log_in(self, server_address: str, auth: ports.Auth) -> ports.Login:
        """Refuse: nobody is asked for a name here."""
        raise errdefs.Unimplemented("an archive has no logins")


class ArchiveRepository:
    """What lies in an archive."""

    def __init__(self, archive: Archive, ref: Reference, digest: Digest) -> None:
        self._archive = archive
        self._ref = ref
        self._digest = digest

    async def resolve(self) -> Descriptor:
        """Return the entry that was asked for; of another tag, as of signatures, that of its name.

        Raises NotFound.
        """
        names = {str(self._ref), self._ref.familiar, self._ref.tag}
        entries = self._archive.entries()
        wanted = self._digest if not _is_signature(self._ref) else None
        for entry in entries:
            if entry.digest == wanted or (
                wanted is None and entry.annotations.get(REF_NAME) in names
            ):
                return entry
        raise errdefs.NotFound(f"the archive holds no {self._ref}")

    async def manifest(self, digest: Digest) -> ports.SmallBlob:
        """Return a manifest, its digest checked."""
        size = self._archive.size(digest)
        if size is None:
            raise errdefs.NotFound(f"the archive holds no manifest {digest}: it is not whole")
        known = next((e for e in self._archive.entries() if e.digest == digest), None)
        descriptor = Descriptor(
            media_type=known.media_type if known else "", digest=digest, size=size
        )
        body = await asyncio.to_thread(self._archive.small, descriptor)
        return _Small(descriptor=descriptor, body=body)

    async def blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield a blob's bytes in big pieces; whether they have the digest is the reader's."""
        offset = 0
        while piece := await asyncio.to_thread(self._archive.pread, blob.digest, _PIECE, offset):
            offset += len(piece)
            yield piece

    async def upload(
        self, blob: Descriptor, content: ports.BlobContent, *, mount_from: str = ""
    ) -> str:
        """Refuse: an archive is only read."""
        raise errdefs.Unimplemented("an archive is not written to")

    async def put_manifest(self, body: bytes, media_type: str) -> Digest:
        """Refuse: an archive is only read."""
        raise errdefs.Unimplemented("an archive is not written to")

    async def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Return the entries whose manifest refers to another."""
        return tuple([e for e in self._archive.entries() if self._refers(e, digest)])

    def _refers(self, entry: Descriptor, digest: Digest) -> bool:
        if entry.digest == digest:
            return False
        try:
            found = self._archive.manifest(entry)
        except (errdefs.InvalidArgument, errdefs.NotFound):
            return False  # of something else that lies here
        subject = found.subject if isinstance(found, Manifest) else None
        return subject is not None and subject.digest == digest


def _is_signature(ref: Reference) -> bool:
    return ref.tag.startswith("sha256-") and ref.tag.endswith(".sig")
