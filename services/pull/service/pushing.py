"""Push: what was pulled or created, byte for byte, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.pull.domain import status
from services.pull.domain.plugin_image import MAX_MANIFEST
from services.pull.domain.status import Status
from services.pull.ports import Content, ManifestBlob, Registries, Repository
from services.pull.service import spans
from services.pull.service.attempt import Attempt, together
from services.pull.service.resolving import prefixed
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.oci import manifest as oci_manifest
from shared.oci import reference
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of
from shared.oci.manifest import Index
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
        stored, blobs = await self._stored(plugin)
        attempt.lines.say(status.pushing_to(ref))
        async with self.registries.repository(
            ref, auth=attempt.auth, meta_headers=request.meta_headers, push=True
        ) as repository:
            push = _Push(
                attempt=attempt,
                repository=repository,
                content=self.content,
                transfers=asyncio.Semaphore(self.blobs_at_once),
                source=_source(plugin, ref),
            )
            try:
                await push.blobs(blobs)
                with spans.step("manifest", {"oci.manifest.digest": stored.digest}):
                    await repository.put_manifest(stored)
            except errdefs.Error as error:
                raise prefixed(error, "error pushing plugin") from error
        attempt.lines.say("", aux=_aux(ref, stored))
        await attempt.store.finish_push()

    async def _stored(self, plugin: Plugin) -> tuple[ManifestBlob, list[Descriptor]]:
        """Return the plugin's manifest and blobs, all of them there; raises NotFound."""
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
        blobs = list({blob.digest: blob for blob in (*manifest.layers, manifest.config)}.values())
        for blob in blobs:
            if self.content.size(blob.digest) != blob.size:
                raise _lost(plugin, blob.digest)
        return ManifestBlob(data=data, media_type=manifest.media_type, digest=digest), blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Push:
    """The blobs of one push."""

    attempt: Attempt
    repository: Repository
    content: Content
    transfers: asyncio.Semaphore
    #: Another repository of the same registry, that has the blobs already.
    source: Reference | None

    async def blobs(self, blobs: list[Descriptor]) -> None:
        for blob in blobs:
            self.attempt.lines.say(Status.PREPARING, blob.digest.short)
        await together(*(self._blob(blob) for blob in blobs))

    async def _blob(self, blob: Descriptor) -> None:
        lines, short = self.attempt.lines, blob.digest.short
        if self.transfers.locked():
            lines.say(Status.WAITING, short)
        attributes = {"oci.blob.digest": blob.digest, "oci.blob.size": blob.size}
        async with self.transfers:
            with spans.step("blob", attributes) as span:
                how = await self._brought(blob)
                span.set_attribute("wherry.blob.outcome", how)
        lines.say(how, short)

    async def _brought(self, blob: Descriptor) -> str:
        """See to it that the registry has the blob, and say how it came by it."""
        if await self.repository.has_blob(blob.digest):
            return Status.THERE
        source = self.source
        if source is not None and await self.repository.mount(blob.digest, source.path):
            return status.mounted_from(source.familiar_name)
        await self._upload(blob)
        return Status.UPLOADED

    async def _upload(self, blob: Descriptor) -> None:
        def sent(count: int) -> None:
            self.attempt.lines.moved(Status.UPLOADING, blob.digest.short, count, blob.size)

        await self.repository.upload(
            blob, lambda offset: self.content.stream(blob.digest, offset), sent
        )


def _source(plugin: Plugin, target: Reference) -> Reference | None:
    """Return the repository that the plugin came from, where the target's registry has it."""
    try:
        source = reference.parse(plugin.reference)
    except errdefs.InvalidArgument:
        return None
    is_other = source.domain == target.domain and source.path != target.path
    return source if is_other else None


def _aux(ref: Reference, manifest: ManifestBlob) -> dict[str, object]:
    return {"Tag": ref.tag, "Digest": manifest.digest, "Size": len(manifest.data)}


def _lost(plugin: Plugin, digest: Digest) -> errdefs.NotFound:
    return errdefs.NotFound(
        f"error pushing plugin: blob {digest} of {plugin.name} is missing from the content store, "
        "so nothing was pushed: remove the plugin, then pull or create it again",
        detail={"plugin": plugin.name, "digest": digest},
        docker_unclassed=True,
    )
