"""What is small on its way to the content store: with a layer, with the plugin, or alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.pull.domain.plugin_image import PluginImage
from services.pull.ports import Ingest
from services.pull.service.attempt import Attempt
from shared.contracts.job import StagedBlob
from shared.oci.descriptor import Descriptor


class Heads:
    """The blobs that are small: whoever commits something takes them along."""

    def __init__(self, staged: tuple[StagedBlob, ...], files: AsyncExitStack) -> None:
        self._staged = staged
        self._files = files

    def add(self, blob: StagedBlob, held: AsyncExitStack) -> None:
        """Have another one taken along; what is *held* for it is let go of once it was."""
        self._staged += (blob,)
        self._files.push_async_exit(held)

    def take(self) -> tuple[StagedBlob, ...]:
        """Return what is not committed yet, once."""
        taken, self._staged = self._staged, ()
        return taken


@asynccontextmanager
async def staged(
    attempt: Attempt, image: PluginImage, known: frozenset[str]
) -> AsyncIterator[Heads]:
    """Write manifest and config where they are not *known*; what nobody took is committed last."""
    small = (
        (image.manifest_descriptor, image.manifest_bytes),
        (image.manifest.config, image.config_bytes),
    )
    async with AsyncExitStack() as files:
        writing = [
            _write(await files.enter_async_context(attempt.workplace.ingest(blob)), blob, data)
            for blob, data in small
            if blob.digest not in known
        ]
        heads = Heads(tuple(await asyncio.gather(*writing)), files)
        yield heads
        if left := heads.take():
            await attempt.store.commit_blobs(*left)


async def _write(ingest: Ingest, blob: Descriptor, data: bytes) -> StagedBlob:
    await ingest.write(data)
    await ingest.finish()
    return StagedBlob(digest=blob.digest, size=blob.size, ingest=ingest.name)
