"""What a reference stands for: the plugin's manifest and config, before any layer is fetched."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from services.pull.domain import platforms, plugin_image
from services.pull.domain.plugin_image import PluginImage
from services.pull.ports import Repository, SmallBlob
from shared import errdefs
from shared.oci import manifest as oci_manifest
from shared.oci.descriptor import Descriptor, Platform
from shared.oci.digest import Digest, Digester, verify
from shared.oci.manifest import Index, Manifest
from shared.oci.reference import Reference

_CACHED_BYTES: Final = 16 << 20


class SmallBlobs:
    """Manifests and configs that were fetched lately, least used thrown out first.

    The key holds the repository: whoever may not read it never gets as far as a digest.
    """

    def __init__(self, limit: int = _CACHED_BYTES) -> None:
        self._limit = limit
        self._size = 0
        self._blobs: OrderedDict[tuple[str, str], SmallBlob] = OrderedDict()

    async def get(
        self, ref: Reference, digest: Digest, fetch: Callable[[], Awaitable[SmallBlob]]
    ) -> SmallBlob:
        """Return a blob, fetched where it is not here."""
        key = ref.name, digest
        blob = self._blobs.get(key)
        if blob is None:
            blob = await fetch()
            self._add(key, blob)
        self._blobs.move_to_end(key)
        return blob

    def _add(self, key: tuple[str, str], blob: SmallBlob) -> None:
        # Two may have fetched it at once.
        self._size += len(blob.body) - (len(self._blobs[key].body) if key in self._blobs else 0)
        self._blobs[key] = blob
        while self._size > self._limit and len(self._blobs) > 1:
            _, dropped = self._blobs.popitem(last=False)
            self._size -= len(dropped.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Finds plugins at registries; what it fetched stays for the pull that follows."""

    machine: Platform
    blobs: SmallBlobs = field(default_factory=SmallBlobs)

    def apart(self) -> Resolver:
        """Return one that has fetched nothing: what an archive lacks is not to be had elsewhere."""
        return replace(self, blobs=SmallBlobs())

    async def fetch(
        self, repository: Repository, ref: Reference, resolved: Descriptor
    ) -> PluginImage:
        """Return the plugin, or that of an index that fits this machine.

        Raises InvalidArgument for what is no plugin, NotFound where none fits.
        """
        blob, found = await self._manifest(repository, ref, resolved.digest)
        if isinstance(found, Index):
            fitting = platforms.choose(found, self.machine)
            blob, found = await self._manifest(repository, ref, fitting.digest)
        manifest = plugin_image.require_plugin(ref, found)
        config = await self.blobs.get(
            ref,
            manifest.config.digest,
            lambda: fetch_small(repository, manifest.config),
        )
        image = PluginImage(
            ref=ref,
            resolved=resolved.digest,
            manifest_bytes=blob.body,
            manifest_descriptor=blob.descriptor,
            manifest=manifest,
            config_bytes=config.body,
            config=plugin_image.parse_config(config.body),
        )
        plugin_image.check_diff_ids(image)
        return image

    async def _manifest(
        self, repository: Repository, ref: Reference, digest: Digest
    ) -> tuple[SmallBlob, Manifest | Index]:
        blob = await self.blobs.get(ref, digest, lambda: repository.manifest(digest))
        return blob, oci_manifest.parse(blob.body, blob.descriptor.media_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    descriptor: Descriptor
    body: bytes


async def fetch_small(repository: Repository, descriptor: Descriptor) -> SmallBlob:
    """Fetch a blob into memory; its size is the caller's to judge. Raises InvalidArgument."""
    digester, body = Digester(), bytearray()
    async with aclosing(repository.blob(descriptor)) as pieces:
        async for piece in pieces:
            digester.update(piece)
            body += piece
            if len(body) > descriptor.size:
                break
    verify(digester, digest=descriptor.digest, size=descriptor.size)
    return _Fetched(descriptor=descriptor, body=bytes(body))


def prefixed(error: errdefs.Error, doing: str) -> errdefs.Error:
    """Return the error with what was being done before it, as Go's errors have it."""
    return type(error)(
        f"{doing}: {error.message}",
        detail=error.detail,
        docker_unclassed=error.docker_unclassed,
    )
