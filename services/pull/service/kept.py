"""A version that was fetched before: what is kept of it here comes before its registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from services.pull.ports import BlobContent, Content, Repository, SmallBlob
from shared import errdefs
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, Digester, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class _Small:
    descriptor: Descriptor
    body: bytes


class Kept:
    """ports.Repository: one manifest, read from the content store, or fetched where it is gone."""

    def __init__(self, content: Content, registry: Repository, digest: Digest) -> None:
        """Name the manifest of the version that is to be had."""
        self._content = content
        self._registry = registry
        self._digest = digest

    async def resolve(self) -> Descriptor:
        """Return the manifest; its registry is asked only where it is gone."""
        size = self._content.size(self._digest)
        if size is None:
            return await self._registry.resolve()
        return Descriptor(media_type="", digest=self._digest, size=size)

    async def manifest(self, digest: Digest) -> SmallBlob:
        """Return a manifest, its digest checked."""
        size = self._content.size(digest)
        if size is None:
            return await self._registry.manifest(digest)
        body = await self._content.read(digest)
        digester = Digester()
        digester.update(body)
        verify(digester, digest=digest, size=size)
        return _Small(descriptor=Descriptor(media_type="", digest=digest, size=size), body=body)

    async def blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield a blob's bytes; whether they have the digest is for the reader to check."""
        size = self._content.size(blob.digest)
        if size is None:
            async with aclosing(self._registry.blob(blob)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        async for piece in self._content.stream(blob.digest, 0, size):
            yield piece

    async def upload(self, blob: Descriptor, content: BlobContent, *, mount_from: str = "") -> str:
        """Refuse: what is kept is only read."""
        raise errdefs.Unimplemented("what is kept is not written to")

    async def put_manifest(self, body: bytes, media_type: str) -> Digest:
        """Refuse: what is kept is only read."""
        raise errdefs.Unimplemented("what is kept is not written to")

    async def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Return what its registry knows to refer to a manifest."""
        return await self._registry.referrers(digest)
