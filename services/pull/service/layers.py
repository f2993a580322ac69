"""A plugin's layers: downloaded side by side, unpacked in the manifest's order meanwhile."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Final

import structlog

from services.pull.domain import plugin_image
from services.pull.domain.plugin_image import PluginImage
from services.pull.domain.status import Status
from services.pull.ports import Content, Ingest, LayerReader, Repository
from services.pull.service import metrics, spans
from services.pull.service.attempt import Attempt, together
from services.pull.service.flights import Flights
from services.pull.service.heads import Heads
from services.pull.service.resolving import prefixed
from shared import errdefs
from shared.contracts.job import StagedBlob
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.unpack import Unpacked

log = structlog.get_logger()

#: A layer of so much is fetched again after a crash: it is committed with the plugin.
_LIGHT_BYTES: Final = 8 << 20


class Layer:
    """One layer on its way: first a file that grows, then a blob of the content store."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self._ingest: Ingest | None = None
        self._can_be_read = asyncio.Event()
        self._is_over = asyncio.Event()
        self._is_blob = False
        self._error: Exception | None = None

    @property
    def id(self) -> str:
        """Return what lines call it."""
        return self.descriptor.digest.short

    def grows_in(self, ingest: Ingest) -> None:
        """Let it be read from a file that is still written."""
        self._ingest = ingest
        self._can_be_read.set()

    def is_blob(self) -> None:
        """Let it be read from the content store: it is whole and verified."""
        self._is_blob = True
        self._can_be_read.set()
        self._is_over.set()

    def is_whole(self) -> None:
        """Say that all of the file is there, and verified."""
        self._is_over.set()

    def failed(self, error: Exception) -> None:
        """Tell whoever reads it why it ended."""
        self._error = error
        self._is_over.set()

    async def open(self, content: Content) -> LayerReader:
        """Wait until there is something to read, and open it."""
        await self._can_be_read.wait()
        if self._is_blob or self._ingest is None:
            return content.open(self.descriptor.digest)
        return self._ingest.reader()

    async def verified(self) -> None:
        """Wait until it is whole; raises what kept it from being so."""
        await self._is_over.wait()
        if self._error is not None:
            raise self._error


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFetch:
    """The layers of one attempt, from the registry to the job's root file system."""

    attempt: Attempt
    image: PluginImage
    repository: Repository
    content: Content
    flights: Flights
    transfers: asyncio.Semaphore
    heads: Heads
    #: Whether the plugin's commit follows.
    is_for_commit: bool

    @property
    def _is_light(self) -> bool:
        """Say whether the layer is to be committed with the plugin.

        Only one that is alone: who held the turns of several could wait for another who does.
        """
        layers = self.image.layers
        return self.is_for_commit and len(layers) == 1 and layers[0].size <= _LIGHT_BYTES

    async def run(self, known: frozenset[str]) -> None:
        """Download what is not *known* to exist, and unpack all; raises the first error.

        Nothing that was read is believed before its digest was verified: the root file system
        is the store's only after this has returned.
        """
        # A manifest may name one blob twice: it is fetched once.
        layers = {item.digest: Layer(item) for item in self.image.layers}
        for layer in layers.values():
            status = Status.EXISTS if layer.descriptor.digest in known else Status.PULLING
            self.attempt.lines.say(status, layer.id)
        fetching = [
            self._obtain(layer, is_known=digest in known) for digest, layer in layers.items()
        ]
        ordered = [layers[item.digest] for item in self.image.layers]
        await together(*fetching, self._unpack_all(ordered))

    async def fetch(self, known: frozenset[str]) -> None:
        """Download what is not *known* to exist, and unpack nothing; raises the first error."""
        layers = {item.digest: Layer(item) for item in self.image.layers}
        await together(
            *(self._obtain(layer, is_known=digest in known) for digest, layer in layers.items())
        )

    async def _obtain(self, layer: Layer, *, is_known: bool) -> None:
        if is_known:
            layer.is_blob()
            return
        try:
            await self._fetch(layer)
        except Exception as error:
            layer.failed(error)
            raise

    async def _fetch(self, layer: Layer) -> None:
        digest = layer.descriptor.digest
        if self.flights.is_taken(digest) or self.transfers.locked():
            self.attempt.lines.say(Status.WAITING, layer.id)
        began = time.perf_counter()
        with spans.step("blob", spans.of_blob(layer.descriptor)) as span:
            async with AsyncExitStack() as held:
                await held.enter_async_context(self.flights.turn(digest))
                is_hit = await self._is_here(digest)
                span.set_attribute("wherry.cache.hit", is_hit)
                if is_hit:
                    self.attempt.lines.say(Status.EXISTS, layer.id)
                    layer.is_blob()
                else:
                    await self._transfer(layer, held)
        outcome = "cached" if is_hit else "fetched"
        metrics.BLOB_SECONDS.labels(outcome).observe(time.perf_counter() - began)

    async def _is_here(self, digest: Digest) -> bool:
        """Say whether another job has brought a blob while this one waited, and have it kept."""
        if self.content.size(digest) is None:
            return False
        return digest in await self.attempt.store.keep((digest,))

    async def _transfer(self, layer: Layer, held: AsyncExitStack) -> None:
        blob = layer.descriptor
        async with self.transfers:
            ingest = await held.enter_async_context(self.attempt.workplace.ingest(blob))
            layer.grows_in(ingest)
            try:
                await self._download(layer, ingest)
            except BaseException as error:
                ingest.fail(error)
                raise
        self.attempt.lines.say(Status.DOWNLOADED, layer.id)
        staged = StagedBlob(digest=blob.digest, size=blob.size, ingest=ingest.name)
        if self._is_light:
            layer.is_whole()
            # Nobody else fetches it meanwhile: its turn ends with the commit of the plugin.
            self.heads.add(staged, held.pop_all())
        else:
            await self.attempt.store.commit_blobs(staged, *self.heads.take())
            layer.is_blob()

    async def _download(self, layer: Layer, ingest: Ingest) -> None:
        received, began = 0, time.perf_counter()
        async with aclosing(self.repository.blob(layer.descriptor)) as pieces:
            async for piece in pieces:
                await ingest.write(piece)
                received += len(piece)
                self.attempt.lines.moved(
                    Status.DOWNLOADING, layer.id, received, layer.descriptor.size
                )
        await ingest.finish()
        spans.moved(spans.current(), received, time.perf_counter() - began)

    async def _unpack_all(self, layers: list[Layer]) -> None:
        for number, layer in enumerate(layers):
            await self._unpack(number, layer)

    async def _unpack(self, number: int, layer: Layer) -> None:
        digest = layer.descriptor.digest
        loop = asyncio.get_running_loop()

        def moved(count: int) -> None:
            loop.call_soon_threadsafe(
                self.attempt.lines.moved,
                Status.EXTRACTING,
                layer.id,
                count,
                layer.descriptor.size,
            )

        reader = await layer.open(self.content)
        with (
            metrics.UNPACK_SECONDS.time(),
            spans.step("unpack", {"oci.blob.digest": digest}) as span,
        ):
            try:
                diff_id, unpacked = await self.attempt.workplace.unpack(reader, moved)
            except errdefs.Error as error:
                # A download that failed, or did not verify, is the cause of whatever this met.
                await layer.verified()
                raise prefixed(error, f"error applying layer for digest {digest}") from error
            span.set_attribute("wherry.files", unpacked.entries)
            span.set_attribute("wherry.bytes", unpacked.size)
            _tell_skipped(digest, unpacked)
            metrics.UNPACKED_FILES.inc(unpacked.entries)
            metrics.UNPACKED_BYTES.inc(unpacked.size)
            await layer.verified()
            plugin_image.check_diff_id(self.image, number, diff_id)
        self.attempt.lines.say(Status.COMPLETE, layer.id)


def _tell_skipped(digest: Digest, unpacked: Unpacked) -> None:
    for first in unpacked.skipped_xattrs[:1]:
        about = f"{first.key[:80]} of {first.entry}: {first.reason}"
        log.warning("attributes not carried over", digest=digest, first=about)
