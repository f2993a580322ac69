"""The requests that an upload is made of (OCI distribution, "Pushing a blob monolithically")."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import httpx

from services.pull.adapters.registry import blobs
from services.pull.adapters.registry.call import Answer, Attempts, Call
from services.pull.adapters.registry.metrics import SENT_BYTES
from services.pull.adapters.registry.redirects import joined
from services.pull.adapters.registry.retry import TRANSIENT
from services.pull.adapters.registry.session import Session
from shared import errdefs
from shared.oci.descriptor import Descriptor

_OCTETS = ("Content-Type", "application/octet-stream")


class Content(Protocol):
    """What is uploaded; it can be read again, from anywhere."""

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from *start* up to *end*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One blob that a repository does not hold yet."""

    session: Session
    path: str
    blob: Descriptor
    content: Content

    async def mounted(self, source: str) -> httpx.URL | None:
        """Take the blob over from *source*; None if that went, else where to upload it."""
        call = self._post({"mount": self.blob.digest, "from": source})
        try:
            answer = await self.session.expect(call, 201, 202)
        except (errdefs.Unauthenticated, errdefs.PermissionDenied, errdefs.NotFound):
            return await self.begin()  # the source is not ours to see; the target still may be
        return None if answer.status == 201 else self.location(answer)

    async def posted(self) -> httpx.URL | None:
        """Send the blob with the request that begins an upload; None if that went."""
        call = self.with_body(self._post({"digest": self.blob.digest}), 0, self.blob.size)
        answer = await self.session.send(call)
        if answer.status == 201:
            return None
        # A registry that can't do it begins an upload instead, or does not understand.
        return self.location(answer) if answer.status == 202 else await self.begin()

    async def begin(self) -> httpx.URL:
        """Begin an upload and return where its bytes are to go."""
        return self.location(await self.session.expect(self._post({}), 202))

    async def put(self, location: httpx.URL) -> None:
        """Upload the blob in one request; one that broke begins anew."""
        attempts = Attempts()
        while not await self.is_committed(self._whole(location), attempts):
            location = await self.begin()

    async def is_committed(self, call: Call, attempts: Attempts) -> bool:
        """Send the request that ends an upload; say whether the blob is there now."""
        answer = await self.tried(call, attempts)
        if answer is not None and answer.status == 201:
            return True
        if await blobs.exists(self.session, self.path, self.blob.digest):
            return True  # it was the answer that got lost
        if answer is not None:
            raise self.session.refused(answer.status, answer.body, call)
        return False

    async def tried(self, call: Call, attempts: Attempts) -> Answer | None:
        """Send *call* once; None where it broke or the registry was busy, after a pause."""
        try:
            answer = await self.session.send_once(call)
        except httpx.TransportError as error:
            await self.session.again(error, attempts, call)
            return None
        if answer.status in TRANSIENT and await self.session.is_worth_waiting(
            answer, attempts, call
        ):
            return None
        return answer

    def end(self, location: httpx.URL) -> Call:
        """Return the request that ends the upload at *location*."""
        url = location.copy_add_param("digest", self.blob.digest)
        return Call(method="PUT", url=str(url), what=self.what)

    def location(self, answer: Answer) -> httpx.URL:
        """Return where the registry wants the next request of an upload."""
        try:
            return joined(answer.url, answer.headers["Location"])
        except (KeyError, httpx.ProtocolError) as error:
            raise errdefs.Unavailable(
                f"{self.what}: registry {self.session.host} does not say where to upload it: "
                "tell its owner",
                detail={"registry": self.session.host, "status": answer.status},
            ) from error

    def with_body(self, call: Call, start: int, end: int) -> Call:
        """Return *call* with a part of the blob as its body."""
        length = ("Content-Length", str(end - start))
        return Call(
            method=call.method,
            url=call.url,
            what=call.what,
            headers=(*call.headers, _OCTETS, length),
            content=lambda: _counted(self.content.read(start, end)),
        )

    @property
    def what(self) -> str:
        """Return what errors call it."""
        return f"blob {self.blob.digest}"

    def _whole(self, location: httpx.URL) -> Call:
        return self.with_body(self.end(location), 0, self.blob.size)

    def _post(self, query: dict[str, str]) -> Call:
        suffix = f"?{httpx.QueryParams(query)}" if query else ""
        headers = () if "digest" in query else (("Content-Length", "0"),)
        url = f"/v2/{self.path}/blobs/uploads/{suffix}"
        return Call(method="POST", url=url, what=self.what, headers=headers)


async def _counted(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece
        SENT_BYTES.inc(len(piece))
