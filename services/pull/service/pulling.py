"""Pull and upgrade: a plugin from its reference to the files that the store takes over."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass

from services.pull.domain import status
from services.pull.domain.plugin_image import PluginImage
from services.pull.ports import Archives, Content, PrivilegePolicies, Registries, Repository
from services.pull.service import heads, spans
from services.pull.service.attempt import Attempt
from services.pull.service.flights import Flights
from services.pull.service.heads import Heads
from services.pull.service.kept import Kept
from services.pull.service.layers import LayerFetch
from services.pull.service.resolving import Resolver
from services.pull.service.trust import Trust
from shared import errdefs
from shared.contracts.job import JobKind
from shared.contracts.plugin import Plugin, Signer
from shared.contracts.store import Changed
from shared.oci import networks, privileges, reference
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.plugin_config import PluginConfig
from shared.oci.privileges import PluginPrivilege
from shared.oci.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulling:
    """What pulls need; a pull and an upgrade differ only in what the store makes of them."""

    registries: Registries
    archives: Archives
    content: Content
    resolver: Resolver
    trust: Trust
    policies: PrivilegePolicies
    flights: Flights
    #: Layers of one job that are downloaded at a time.
    layers_at_once: int

    async def prefetch(self, attempt: Attempt) -> None:
        """Fetch what a plugin is made of into the content store, all that is checked of a pull."""
        request = attempt.taken.request
        ref = reference.parse(request.remote).with_default_tag()
        repository = self._repository(self.registries, ref, attempt)
        resolved = await self._resolve(attempt, ref, repository)
        await self.trust.check(attempt, ref, repository, resolved.digest)
        image = await self.resolver.fetch(repository, ref, resolved)
        self._check_policy(ref, image)
        known = await self._begin(attempt, image)
        async with heads.staged(attempt, image, known) as small:
            layers = self._layers(attempt, image, repository, small, is_for_commit=False)
            await layers.fetch(known)
        await attempt.store.finish_push()

    async def run(self, attempt: Attempt) -> Changed:
        """Fetch the plugin, check signatures and grant, stage its files, have the store commit.

        An archive that the job was given takes the place of all registries.
        """
        digest = attempt.taken.request.archive_digest
        if not digest:
            return await self._run(attempt, self.registries, self.trust, self.resolver)
        async with self.archives.given(attempt.store.job_id, Digest(digest)) as archive:
            trust = dataclasses.replace(self.trust, registries=archive)
            return await self._run(attempt, archive, trust, self.resolver.apart())

    async def _run(
        self, attempt: Attempt, registries: Registries, trust: Trust, resolver: Resolver
    ) -> Changed:
        request = attempt.taken.request
        ref = reference.parse(request.remote).with_default_tag()
        repository = self._repository(registries, ref, attempt)
        with spans.step("resolve", {"oci.reference": str(ref)}):
            resolved = await self._resolve(attempt, ref, repository)
            signers = await self._trusted(attempt, trust, ref, repository, resolved)
            image = await resolver.fetch(repository, ref, resolved)
        networks.require_available(image.config, request.name)
        self._check_policy(ref, image)
        check_grant(image, request.privileges, attempt.taken.plugin)
        known = await self._begin(attempt, image)
        async with heads.staged(attempt, image, known) as small:
            await self._layers(attempt, image, repository, small).run(known)
            await attempt.workplace.stage()
            return await self._commit(attempt, image, signers, small)

    async def _commit(
        self, attempt: Attempt, image: PluginImage, signers: tuple[Signer, ...], small: Heads
    ) -> Changed:
        if attempt.goes_on:
            await attempt.lines.flush()  # what the store tells comes behind it
        with spans.step("commit"):
            return await attempt.store.commit_plugin(
                config=image.config_bytes.decode(),
                config_digest=image.manifest.config.digest,
                manifest_digest=image.manifest_descriptor.digest,
                layers=tuple(layer.digest for layer in image.layers),
                signers=signers,
                blobs=small.take(),
            )

    def _repository(self, registries: Registries, ref: Reference, attempt: Attempt) -> Repository:
        """Return where a plugin is fetched from; what was prefetched, or replaced, is kept here."""
        request = attempt.taken.request
        repository = registries.repository(
            _pinned(ref, request.pinned_digest),
            auth=attempt.auth,
            meta_headers=request.meta_headers,
        )
        if not request.pinned_digest or request.kind is JobKind.PREFETCH:
            return repository
        return Kept(self.content, repository, Digest(request.pinned_digest))

    async def _resolve(
        self, attempt: Attempt, ref: Reference, repository: Repository
    ) -> Descriptor:
        resolved = await repository.resolve()
        attempt.lines.say(*status.pulling_from(ref))
        attempt.lines.say(f"Digest: {resolved.digest}")
        return resolved

    async def _trusted(
        self,
        attempt: Attempt,
        trust: Trust,
        ref: Reference,
        repository: Repository,
        resolved: Descriptor,
    ) -> tuple[Signer, ...]:
        """Check who signed it; what was installed before is put back with those of then."""
        if (before := attempt.taken.request.restore) is not None:
            return before.signers
        return await trust.check(attempt, ref, repository, resolved.digest)

    def _check_policy(self, ref: Reference, image: PluginImage) -> None:
        try:
            policy = self.policies.current()
        except errdefs.InvalidArgument as error:
            raise errdefs.Unavailable(
                f"nothing is pulled while it is unknown what plugins may need: {error.message}"
            ) from error
        policy.check(ref, privileges.compute(image.config))

    async def _begin(self, attempt: Attempt, image: PluginImage) -> frozenset[str]:
        """Have the blobs kept that are there, and return which; then make room for the others.

        The others are kept from when they are committed.
        """
        digests = (image.manifest_descriptor.digest, *image.manifest.digests)
        known = frozenset(attempt.taken.kept)
        here = frozenset(digest for digest in digests if self.content.size(digest) is not None)
        # The first attempt has nobody's work to clear away, so it need not hear whether it lost
        # the job; another one does, before it clears.
        if attempt.taken.attempt > 1 or not known.issuperset(here):
            known = await attempt.store.keep(digests)
        await attempt.workplace.clear()
        return known

    def _layers(
        self,
        attempt: Attempt,
        image: PluginImage,
        repository: Repository,
        small: Heads,
        *,
        is_for_commit: bool = True,
    ) -> LayerFetch:
        return LayerFetch(
            attempt=attempt,
            image=image,
            repository=repository,
            content=self.content,
            flights=self.flights,
            transfers=asyncio.Semaphore(self.layers_at_once),
            heads=small,
            is_for_commit=is_for_commit,
        )


def check_grant(
    image: PluginImage, granted: tuple[dict[str, object], ...] | None, installed: Plugin | None
) -> None:
    """Raise PermissionDenied unless exactly what the plugin asks for was granted."""
    if granted is not None:
        privileges.compare(
            privileges.compute(image.config),
            [PluginPrivilege.from_go(privilege) for privilege in granted],
            installed=_needs(installed) if installed is not None else None,
        )


def _needs(plugin: Plugin) -> tuple[PluginPrivilege, ...]:
    return privileges.compute(PluginConfig.from_go(plugin.config))


def _pinned(ref: Reference, digest: str) -> Reference:
    """Return the reference to what a tag stood for when it was looked at."""
    return dataclasses.replace(ref, digest=Digest(digest)) if digest else ref
