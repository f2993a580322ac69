"""Push: what was pulled or created, byte for byte, or not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.pull.domain import status
from services.pull.domain.plugin_image import MAX_MANIFEST
from services.pull.domain.status import Status
from services.pull.ports import Content, Registries, Repository
from services.pull.service import metrics, spans
from services.pull.service.attempt import Attempt, together
from services.pull.service.lines import Lines
from services.pull.service.resolving import prefixed
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.oci import manifest as oci_manifest
from shared.oci import reference
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of
from shared.oci.manifest import Index, Manifest
from shared.oci.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushing:
    """What pushes need."""

    registries: Registries
    content: Content
    #: Blobs of one job that are uploaded at a time.
    blobs_at_once: int

    async def run(self, attempt: Attempt) -> None:
        """Upload what the registry lacks, the manifest last; raises NotFound for lost blobs."""
        plugin, request = attempt.taken.plugin, attempt.taken.request
        if plugin is None:
            raise errdefs.Internal(f"job {attempt.store.job_id} pushes no plugin")
        ref = reference.parse(request.remote).with_default_tag()
        data, manifest = await self._stored(plugin)
        attempt.lines.say(status.pushing_to(ref))
        push = _Push(
            attempt=attempt,
            repository=self.registries.repository(
                ref, auth=attempt.auth, meta_headers=request.meta_headers, push=True
            ),
            content=self.content,
            transfers=asyncio.Semaphore(self.blobs_at_once),
            source=_source(plugin, ref),
        )
        try:
            await push.blobs(manifest)
            with spans.step("manifest", {"oci.manifest.digest": plugin.manifest_digest}):
                await push.repository.put_manifest(data, manifest.media_type)
        except errdefs.Error as error:
            raise prefixed(error, "error pushing plugin") from error
        attempt.lines.say("", aux=_aux(ref, plugin.manifest_digest, len(data)))
        await attempt.store.finish_push()

    async def _stored(self, plugin: Plugin) -> tuple[bytes, Manifest]:
        """Return the plugin's manifest, all of whose blobs are there; raises NotFound."""
        digest = Digest(plugin.manifest_digest)
        if (self.content.size(digest) or 0) > MAX_MANIFEST:
            raise errdefs.InvalidArgument(f"manifest {digest} of {plugin.name} is too big")
        try:
            data = await self.content.read(digest)
        except errdefs.NotFound as error:
            raise _lost(plugin, digest) from error
        manifest = oci_manifest.parse(data)
        if digest_of(data) != digest or isinstance(manifest, Index):
            raise errdefs.Internal(
                f"manifest {digest} of {plugin.name} is damaged in the content store: remove the "
                "plugin, then pull or create it again"
            )
        for blob in _blobs(manifest):
            if self.content.size(blob.digest) != blob.size:
                raise _lost(plugin, blob.digest)
        return data, manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Push:
    """The blobs of one push."""

    attempt: Attempt
    repository: Repository
    content: Content
    transfers: asyncio.Semaphore
    #: Another repository of the same registry, that has the blobs already.
    source: Reference | None

    async def blobs(self, manifest: Manifest) -> None:
        blobs = _blobs(manifest)
        for blob in blobs:
            self.attempt.lines.say(Status.PREPARING, blob.digest.short)
        await together(*(self._blob(blob) for blob in blobs))

    async def _blob(self, blob: Descriptor) -> None:
        lines, short = self.attempt.lines, blob.digest.short
        if self.transfers.locked():
            lines.say(Status.WAITING, short)
        content = _Sent(content=self.content, blob=blob, lines=lines)
        async with self.transfers:
            began = time.perf_counter()
            with spans.step("blob", spans.of_blob(blob)) as span:
                outcome = await self.repository.upload(
                    blob, content, mount_from=self.source.path if self.source else ""
                )
                seconds = time.perf_counter() - began
                span.set_attribute("wherry.blob.outcome", outcome)
                spans.moved(span, blob.size if outcome == "uploaded" else 0, seconds)
            metrics.BLOB_SECONDS.labels(outcome).observe(seconds)
        lines.say(self._said(outcome), short)

    def _said(self, outcome: str) -> str:
        if outcome == "mounted" and self.source is not None:
            return status.mounted_from(self.source.familiar_name)
        return Status.THERE if outcome == "existed" else Status.UPLOADED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A blob of the content store that says how much of it was sent."""

    content: Content
    blob: Descriptor
    lines: Lines

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        sent = start
        async for piece in self.content.stream(self.blob.digest, start, end):
            yield piece
            sent += len(piece)
            self.lines.moved(Status.UPLOADING, self.blob.digest.short, sent, self.blob.size)


def _blobs(manifest: Manifest) -> list[Descriptor]:
    """Return each blob that a manifest names, once."""
    return list({blob.digest: blob for blob in (*manifest.layers, manifest.config)}.values())


def _source(plugin: Plugin, target: Reference) -> Reference | None:
    """Return the repository that the plugin came from, where the target's registry has it."""
    try:
        source = reference.parse(plugin.reference)
    except errdefs.InvalidArgument:
        return None
    is_other = source.domain == target.domain and source.path != target.path
    return source if is_other else None


def _aux(ref: Reference, digest: str, size: int) -> dict[str, object]:
    return {"Tag": ref.tag, "Digest": digest, "Size": size}


def _lost(plugin: Plugin, digest: Digest) -> errdefs.NotFound:
    return errdefs.NotFound(
        f"error pushing plugin: blob {digest} of {plugin.name} is missing from the content store, "
        "so nothing was pushed: remove the plugin, then pull or create it again",
        detail={"plugin": plugin.name, "digest": digest},
        docker_unclassed=True,
    )
