"""Plugins as archives of OCI image layouts: saved byte for byte, and brought to be loaded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from services.gateway import ports
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.pull import ArchivedPlugin, DescribeArchive
from shared.oci import layout
from shared.oci import manifest as oci_manifest
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest

#: Many gigabytes are looked through for their files.
_DESCRIBE_LIMIT_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """Writes plugins' manifests, configs and layers as they were pulled or created."""

    sender: ports.Sender
    replica: Replica
    content: ports.Content
    spool: ports.ArchiveSpool

    async def bring(
        self, archive_id: str, chunks: AsyncIterator[bytes]
    ) -> tuple[ArchivedPlugin, ...]:
        """Keep an archive, and return the plugins in it; what can't be read is not kept."""
        await self.spool.keep(archive_id, chunks)
        try:
            command = DescribeArchive(archive_id=archive_id)
            return (await self.sender.send(command, timeout_s=_DESCRIBE_LIMIT_S)).plugins
        except BaseException:
            self.spool.delete(archive_id)
            raise

    async def save(self, names: Sequence[str]) -> AsyncGenerator[bytes, None]:
        """Return an archive of plugins as it is written; raises NotFound before it begins.

        Its blobs are held open, so that a removal meanwhile changes nothing.
        """
        inventory = await self.replica.ready()
        plugins = [inventory.resolve(name).plugin for name in names]
        if not plugins:
            raise errdefs.InvalidArgument("no plugin is named that could be saved")
        stack = ExitStack()
        digests = dict.fromkeys(digest for plugin in plugins for digest in _digests(plugin))
        try:
            blobs = stack.enter_context(self.content.open(tuple(digests)))
        except BaseException:
            stack.close()
            raise
        return _written(plugins, blobs, stack)


async def _written(
    plugins: Sequence[Plugin], blobs: Mapping[Digest, ports.OpenBlob], held: ExitStack
) -> AsyncGenerator[bytes, None]:
    with held:
        index = layout.index_json({p.name: await _entry(p, blobs) for p in plugins})
        yield _file("oci-layout", layout.LAYOUT) + _file(layout.INDEX, index)
        yield layout.folder("blobs") + layout.folder("blobs/sha256")
        for digest, blob in blobs.items():
            yield layout.head(layout.blob_name(digest), blob.size)
            async for chunk in blob.chunks():
                yield chunk
            yield layout.padding(blob.size)
        yield layout.END


async def _entry(plugin: Plugin, blobs: Mapping[Digest, ports.OpenBlob]) -> Descriptor:
    digest = Digest(plugin.manifest_digest)
    body = await blobs[digest].whole()
    media_type = oci_manifest.parse(body).media_type
    return Descriptor(media_type=media_type, digest=digest, size=len(body))


def _digests(plugin: Plugin) -> tuple[Digest, ...]:
    named = (plugin.manifest_digest, plugin.config_digest, *plugin.layer_digests)
    return tuple(map(Digest, named))


def _file(name: str, data: bytes) -> bytes:
    return layout.head(name, len(data)) + data + layout.padding(len(data))
