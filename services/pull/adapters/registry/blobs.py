"""Blobs: read as a stream that mends itself (OCI distribution, "Pulling blobs").

A stream that breaks goes on, by Range, at the byte it had; a registry that knows no Range is read
again from the start, and what we have is skipped. Never more than the descriptor's size is handed
on. The digest is the reader's to check: it hashes anyway.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import httpx

from services.pull.adapters.registry.call import Attempts, Call
from services.pull.adapters.registry.session import Session
from shared import errdefs
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


async def exists(session: Session, path: str, digest: Digest) -> bool:
    """Say whether the repository holds the blob."""
    call = Call(method="HEAD", url=_url(path, digest), what=f"blob {digest}")
    answer = await session.send(call)
    if answer.status not in (200, 404):
        raise session.refused(answer.status, answer.body, call)
    return answer.status == 200


async def read(
    session: Session, path: str, blob: Descriptor, *, offset: int = 0
) -> AsyncGenerator[bytes, None]:
    """Yield the blob's bytes from *offset* on, in big pieces, up to its size and no further.

    Close it (``contextlib.aclosing``) where it may not be read to its end. Raises NotFound,
    InvalidArgument for a blob of another size, Unavailable where it broke too often.
    """
    position, earned, attempts = offset, offset, Attempts()
    while position < blob.size:
        missing = _Missing(session=session, path=path, blob=blob, start=position)
        try:
            async with aclosing(missing.pieces(attempts)) as pieces:
                async for piece in pieces:
                    position += len(piece)
                    yield piece
        except httpx.TransportError as error:
            # What moves, however often it breaks, gets to its end.
            if position - earned >= session.limits.resume_progress_bytes:
                earned, attempts = position, Attempts()
            await session.again(error, attempts, missing.call)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Missing:
    """One request for what is missing of a blob from *start* on."""

    session: Session
    path: str
    blob: Descriptor
    start: int

    @property
    def call(self) -> Call:
        return Call(
            method="GET",
            url=_url(self.path, self.blob.digest),
            what=f"blob {self.blob.digest}",
            headers=(("Range", f"bytes={self.start}-"),) if self.start else (),
        )

    async def pieces(self, attempts: Attempts) -> AsyncGenerator[bytes, None]:
        """Yield what is missing; raises httpx.TransportError where it breaks off."""
        async with self.session.opened(self.call, attempts) as response:
            if response.status_code not in (200, 206):
                body = await self.session.error_body(response)
                raise self.session.refused(response.status_code, body, self.call)
            position = self._begin(response)
            async for piece in response.aiter_raw():
                skipped = max(0, self.start - position)
                position += len(piece)
                self._check_end(position)
                if len(piece) > skipped:
                    yield piece[skipped:] if skipped else piece
            if position < self.blob.size:
                raise httpx.RemoteProtocolError(
                    f"the blob ended after {position} of {self.blob.size} bytes"
                )

    def _begin(self, response: httpx.Response) -> int:
        """Return which byte comes first; raises InvalidArgument for a blob of another size."""
        length = response.headers.get("Content-Length")
        if response.status_code == 200:
            if length is not None:
                self._check_size(int(length))
            return 0
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != self.start:
            raise self._wrong(f"asked for bytes from {self.start} on, it sent others")
        if found[2] != "*":
            self._check_size(int(found[2]))
        return self.start

    def _check_size(self, size: int) -> None:
        if size != self.blob.size:
            raise self._wrong(f"it has {size} bytes, its manifest says {self.blob.size}")

    def _check_end(self, position: int) -> None:
        if position > self.blob.size:
            raise self._wrong(f"it goes on beyond the {self.blob.size} bytes of its manifest")

    def _wrong(self, how: str) -> errdefs.InvalidArgument:
        host = self.session.host
        return errdefs.InvalidArgument(
            f"{self.call.what}: registry {host} does not send what it promised: {how}: "
            "push it anew, or tell the registry's owner",
            detail={"registry": host, "status": 200, "expected_size": self.blob.size},
        )


def _url(path: str, digest: Digest) -> str:
    return f"/v2/{path}/blobs/{digest}"
