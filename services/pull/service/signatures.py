"""Finds the signatures of a plugin at its registry: under cosign's tag, and among referrers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from services.pull.domain import cosign, verification
from services.pull.domain.cosign import Signature
from services.pull.domain.verification import Refusal
from services.pull.ports import Repository
from services.pull.service.resolving import fetch_small
from shared import errdefs
from shared.oci import manifest as oci_manifest
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest

#: Manifests and payloads; whoever may push could else keep a pull busy for ever.
MOST_FETCHES: Final = 64
#: Real ones have a few hundred bytes, bundles a few thousand.
MOST_BYTES: Final = 256 << 10
_LAYERS: Final = frozenset({cosign.SIMPLE_SIGNING, cosign.BUNDLE})


@dataclass(slots=True, kw_only=True)
class Found:
    """What was found, none of it verified."""

    signatures: list[Signature] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    #: What kept a place from being looked at.
    errors: list[errdefs.Error] = field(default_factory=list)
    fetches: int = 0
    #: There is more than was looked at.
    is_cut: bool = False

    def may_fetch(self) -> bool:
        """Count a fetch; say False where there were enough."""
        self.is_cut = self.fetches >= MOST_FETCHES
        self.fetches += not self.is_cut
        return not self.is_cut


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSearch:
    """Looks for the signatures of one digest."""

    digest: Digest
    repository: Repository
    #: The same repository, opened for the tag that signatures lie under.
    tagged: Repository

    async def run(self) -> Found:
        """Return all signatures; raises nothing that a registry does."""
        found = Found()
        for look in (self._under_tag, self._among_referrers):
            try:
                await look(found)
            except errdefs.Error as error:
                found.errors.append(error)
        return found

    async def _under_tag(self, found: Found) -> None:
        try:
            resolved = await self.tagged.resolve()
        except errdefs.NotFound:
            return
        await _collect(found, self.tagged, resolved.digest)

    async def _among_referrers(self, found: Found) -> None:
        for referrer in await self.repository.referrers(self.digest):
            if cosign.may_hold_signature(referrer):
                await _collect(found, self.repository, referrer.digest)


async def _collect(found: Found, repository: Repository, digest: Digest) -> None:
    """Add the signatures of a manifest, or why they can't be read."""
    if not found.may_fetch():
        return
    try:
        manifest = await _manifest(repository, digest)
    except (errdefs.InvalidArgument, errdefs.NotFound) as error:
        found.refusals.append(verification.unreadable(error.message))
        return
    for layer in manifest.layers:
        if layer.media_type in _LAYERS and found.may_fetch():
            await _add(found, repository, layer)


async def _manifest(repository: Repository, digest: Digest) -> Manifest:
    fetched = await repository.manifest(digest)
    manifest = oci_manifest.parse(fetched.body, fetched.descriptor.media_type)
    if not isinstance(manifest, Manifest):
        raise errdefs.InvalidArgument(f"{digest} is an index")
    return manifest


async def _add(found: Found, repository: Repository, layer: Descriptor) -> None:
    if layer.size > MOST_BYTES:
        why = f"{layer.digest} has {layer.size} bytes, and {MOST_BYTES} are allowed"
        found.refusals.append(verification.unreadable(why))
        return
    try:
        fetched = await fetch_small(repository, layer)
        found.signatures.append(cosign.read(layer, fetched.body))
    except (errdefs.InvalidArgument, errdefs.NotFound) as error:
        found.refusals.append(verification.unreadable(error.message))
