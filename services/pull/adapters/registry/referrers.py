"""What refers to a manifest: signatures, SBOMs (OCI distribution 1.1, "Listing Referrers").

A registry that does not know the question keeps, by agreement of its clients, an index under a
tag that is made of the digest.
"""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from services.pull.adapters.registry import manifests
from services.pull.adapters.registry.call import Call
from services.pull.adapters.registry.pages import items, pages
from services.pull.adapters.registry.session import Session
from shared import errdefs
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Index


async def referrers(
    session: Session, path: str, digest: Digest, artifact_type: str = ""
) -> tuple[Descriptor, ...]:
    """Return what refers to *digest*, all of it or what is of *artifact_type*; none is no error."""
    query = f"?{httpx.QueryParams(artifactType=artifact_type)}" if artifact_type else ""
    call = Call(
        method="GET",
        url=f"/v2/{path}/referrers/{digest}{query}",
        what=f"referrers of {digest}",
        headers=(("Accept", media_types.OCI_INDEX),),
    )
    found: list[Descriptor] = []
    async for answer in pages(session, call, 404):
        if answer.status == 404:
            found = list(await _under_fallback_tag(session, path, digest))
            break
        found += (_descriptor(item, call.what) for item in items(answer, "manifests", call.what))
    # A registry need not know the filter, so it is applied here in any case.
    return tuple(one for one in found if artifact_type in ("", one.artifact_type))


def fallback_tag(digest: Digest) -> str:
    """Return the tag of the index of what refers to *digest*."""
    return digest.replace(":", "-")


async def _under_fallback_tag(
    session: Session, path: str, digest: Digest
) -> tuple[Descriptor, ...]:
    try:
        fetched = await manifests.get(session, path, fallback_tag(digest))
    except errdefs.NotFound:
        return ()
    index = fetched.parse()
    return index.manifests if isinstance(index, Index) else ()


def _descriptor(item: object, what: str) -> Descriptor:
    try:
        return Descriptor.model_validate(item)
    except ValidationError as error:
        raise errdefs.InvalidArgument(f"{what}: an entry is no descriptor") from error
