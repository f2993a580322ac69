"""Manifests: found by HEAD, fetched by GET, stored by PUT (OCI distribution, "Pulling manifests").

A manifest is its bytes: they are what the digest is of, so they are kept as they came and never
written anew from what was parsed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from services.pull.adapters.registry.call import Answer, Call
from services.pull.adapters.registry.session import Session
from shared import errdefs
from shared.oci import manifest, media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of
from shared.oci.manifest import Index, Manifest

Headers = tuple[tuple[str, str], ...]

#: One header, as most registries like it, and a header a type for those that read only the first
#: item of a list (Docker asks in this order too).
ACCEPT_LIST: Headers = (("Accept", ", ".join(media_types.ACCEPT)),)
ACCEPT_SINGLY: Headers = tuple(("Accept", one) for one in media_types.ACCEPT if one != "*/*")
_TOO_BIG = "rejecting {size} byte manifest for {what}: not found"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedManifest:
    """A manifest as it came, its digest checked."""

    descriptor: Descriptor
    body: bytes = field(repr=False)

    def parse(self) -> Manifest | Index:
        """Return what the bytes say; raises InvalidArgument for what is no manifest."""
        return manifest.parse(self.body, self.descriptor.media_type)


async def head(
    session: Session, path: str, target: str, *, accept: Headers = ACCEPT_LIST
) -> Descriptor:
    """Return what a tag or digest stands for now, without its bytes where HEAD is enough.

    Raises NotFound; InvalidArgument for an answer that belies the digest asked for.
    """
    call = _call("HEAD", path, target, accept)
    answer = await session.send(call)
    if answer.status == 405:
        return (await get(session, path, target, accept=accept)).descriptor
    if answer.status != 200:
        raise session.refused(answer.status, answer.body, call)
    digest = _told(answer)
    size = answer.headers.get("Content-Length", "")
    if digest is None or not size.isdecimal():
        return (await get(session, path, target, accept=accept)).descriptor
    _check_size(int(size), session, path, target)
    wanted = _digest(target)
    if wanted is not None and digest != wanted:
        raise _not_that(session, call.what, wanted, digest)
    return Descriptor(media_type=_media_type(answer.headers), digest=digest, size=int(size))


async def get(
    session: Session, path: str, target: str, *, accept: Headers = ACCEPT_LIST
) -> FetchedManifest:
    """Fetch a manifest by tag or digest and check that its bytes have the digest promised.

    Raises NotFound, for one beyond the size limit too (as Docker does), and InvalidArgument.
    """
    call = _call("GET", path, target, accept)
    answer = await _get_bounded(session, call, path, target)
    digest = digest_of(answer.body)
    for promised in (_digest(target), _told(answer)):
        if promised is not None and promised != digest:
            raise _not_that(session, call.what, promised, digest)
    descriptor = Descriptor(
        media_type=_media_type(answer.headers), digest=digest, size=len(answer.body)
    )
    return FetchedManifest(descriptor=descriptor, body=answer.body)


async def put(session: Session, path: str, target: str, body: bytes, media_type: str) -> Digest:
    """Store a manifest, byte for byte, under a tag or its digest.

    Safe to repeat. Raises InvalidArgument where the registry stored something else.
    """
    call = _call("PUT", path, target, (("Content-Type", media_type),), body)
    answer = await session.expect(call, 200, 201, 202)
    told, digest = _told(answer), digest_of(body)
    if told is not None and told != digest:
        raise _not_that(session, call.what, digest, told)
    return digest


async def _get_bounded(session: Session, call: Call, path: str, target: str) -> Answer:
    limit = session.limits.manifest_bytes
    try:
        return await session.expect(call, 200, limit=limit)
    except errdefs.InvalidArgument as error:
        if error.detail.get("status") == 200:
            raise _too_big(f"more than {limit}", session, path, target) from error
        raise


def _call(method: str, path: str, target: str, headers: Headers, body: bytes = b"") -> Call:
    return Call(
        method=method,
        url=f"/v2/{path}/manifests/{target}",
        what=f"manifest {path}{'@' if ':' in target else ':'}{target}",
        headers=headers,
        content=body or None,
    )


def _digest(target: str) -> Digest | None:
    return Digest(target) if ":" in target else None


def _told(answer: Answer) -> Digest | None:
    """Return Docker-Content-Digest where it is one that can be checked here."""
    try:
        return Digest(answer.headers.get("Docker-Content-Digest", ""))
    except errdefs.InvalidArgument:
        return None


def _media_type(headers: httpx.Headers) -> str:
    return str(headers.get("Content-Type", "")).partition(";")[0].strip()


def _check_size(size: int, session: Session, path: str, target: str) -> None:
    if size > session.limits.manifest_bytes:
        raise _too_big(str(size), session, path, target)


def _too_big(size: str, session: Session, path: str, target: str) -> errdefs.NotFound:
    what = f"{session.host}/{path}:{target}"
    return errdefs.NotFound(
        _TOO_BIG.format(size=size, what=what),
        detail={"registry": session.host, "status": 200, "limit": session.limits.manifest_bytes},
    )


def _not_that(session: Session, what: str, wanted: Digest, got: Digest) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(
        f"{what}: registry {session.host} sent content with the digest {got}, not {wanted}: "
        "nothing of it was used; tell the registry's owner",
        detail={"registry": session.host, "status": 200, "digest": got, "expected_digest": wanted},
    )
